"""Results as one HTML page without a script or a link to elsewhere. Knows how things look, not how they come about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomli_w
from jinja2 import Environment, PackageLoader, StrictUndefined

from aletheia_bench.checker import Judgement, review
from aletheia_bench.evaluate import Sample
from aletheia_bench.measures import line_errors
from aletheia_bench.results import Results
from aletheia_bench.scoring import Outcome, Score
from aletheia_bench.signatures import diagnose
from aletheia_bench.statistics import Estimate
from aletheia_bench.study import Study
from aletheia_bench.study_report import Section
from aletheia_bench.tables import ROWS, cell, forced_table, percent
from aletheia_plugins import Answer, Drawing, Task

__all__ = ["of_run", "of_study"]

SHOWN = 60
"""Items that a page has in full: those with a fault first."""
NAMED = 20
"""Items of each way to fail that are shown in any case."""
LONG = 2_000
"""Characters of a line that a page has."""
LINES = 400
"""Lines of a completion that a page has."""


@dataclass(frozen=True, slots=True)
class Row:
    """A figure in a table; `bar`: where its interval and its value stand, in percent, if it is a share."""

    title: str
    text: str
    n: int
    bar: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Shown:
    """An item in full."""

    score: Score
    prompt: str
    lines: Sequence[Judgement]
    left_out: int
    drawing: str
    """The problem, with the values that were answered, as SVG; empty if the task draws none."""


def environment() -> Environment:
    """Templates of this package; whatever a model wrote is escaped."""
    return Environment(
        loader=PackageLoader("aletheia_bench"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip


def of_run(results: Results, samples: Iterable[Sample], task: Task[Any]) -> str:
    """The report of one run, with the completions of some items, line by line as the checker judged them."""
    order = _order(results)
    return (
        environment()
        .get_template("run.html")
        .render(
            title=f"{results.model} on {results.name}",
            n=len(results.scores),
            rows=[_row(title, name, results.estimates[name]) for name, (title, _) in ROWS.items()],
            passes=[(k, percent(e)) for k, e in results.passes.items()],
            outcomes=_outcomes(results),
            signatures=diagnose(results.scores),
            forced=forced_table([results], style="html") if results.forced else "",
            percent=percent,
            strata={key: _stratum(parts) for key, parts in results.strata.items()},
            lines=line_errors(results.scores),
            faults=results.faults,
            items=_items(samples, task, order),
            shown={s.item for s in order},
            config=tomli_w.dumps(results.config),
        )
    )


def of_study(study: Study, sections: Sequence[Section]) -> str:
    """The report of a study."""
    return environment().get_template("study.html").render(title=f"Study: {study.name}", study=study, sections=sections)


def _row(title: str, name: str, estimate: Estimate) -> Row:
    low, high, value = estimate.low, estimate.high, estimate.value
    shown = ROWS[name][1] == "%" and low is not None and high is not None and value is not None
    bar = (100 * low, 100 * (high - low), 100 * value) if shown else None  # type: ignore[operator]  # not None
    return Row(title, cell(name, estimate), estimate.n, bar)


def _outcomes(results: Results) -> list[tuple[str, int, float]]:
    """Each outcome that occurs, how often, and its share in percent."""
    total = len(results.scores) or 1
    return [(name, count, 100 * count / total) for name, count in results.outcomes.items() if count]


def _stratum(parts: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Any]:
    """Titles of the columns, and a row of cells for each measure."""
    rows = [(title, [cell(name, part[name]) for part in parts.values()]) for name, (title, _) in ROWS.items()]
    return {"parts": [(name, part["solve_accuracy"].n) for name, part in parts.items()], "rows": rows}


def _order(results: Results) -> list[Score]:
    """Tries to show: first the first of each way to fail, then the ones that went wrong."""
    named = {item for signature in diagnose(results.scores) for item in signature.items[:NAMED]}
    ranked = sorted(results.scores, key=lambda s: (s.item not in named, s.certified, s.outcome is Outcome.SOLVED))
    return ranked[: max(SHOWN, len(named))]


def _items(samples: Iterable[Sample], task: Task[Any], order: Sequence[Score]) -> list[Shown]:
    texts = {(sample["id"], sample["epoch"]): sample["completion"] for sample in samples}
    return [_shown(each, texts.get((each.item, each.epoch), ""), task) for each in order]


def _shown(found: Score, text: str, task: Task[Any]) -> Shown:
    problem = task.loads(found.problem)[0]
    seen = review(task, problem, text)
    judged = [j._replace(line=j.line[:LONG]) for j in seen.judgements[:LINES]]
    left_out = max(0, len(seen.judgements) - LINES)
    return Shown(found, task.render(problem), judged, left_out, _drawing(task, problem, seen.answer))


def _drawing(task: Task[Any], problem: Any, answer: Answer | None) -> str:
    if not isinstance(task, Drawing):
        return ""
    domains = task.domains(problem)
    said = answer.assignment if answer else ()
    return task.draw(problem, {lit.variable: lit.value for lit in said if lit.value in domains.get(lit.variable, ())})
