"""Shows results to people: a table in the terminal, report.md, report.html. Knows results, not where they are from."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tabulate import tabulate

from aletheia_bench.forced import MEASURES as FORCED
from aletheia_bench.measures import line_errors
from aletheia_bench.results import Results
from aletheia_bench.runs import Run
from aletheia_bench.signatures import diagnose
from aletheia_bench.statistics import Estimate
from aletheia_plugins import Task

__all__ = ["ROWS", "cell", "forced_table", "percent", "table", "write"]

ROWS: Mapping[str, tuple[str, str]] = {
    "solve_accuracy": ("solved", "%"),
    "certified_accuracy": ("certified", "%"),
    "backtrack_event_rate": ("with backtracks", "%"),
    "backtracks_per_item": ("backtracks/item", ".2f"),
    "conflict_precision": ("conflicts real", "%"),
    "hallucinated_conflicts": ("  hallucinated", "%"),
    "stale_conflicts": ("  stale", "%"),
    "satisfied_conflicts": ("  satisfied", "%"),
    "conflict_recall": ("conflicts noticed", "%"),
    "backtrack_validity": ("backtracks valid", "%"),
    "decisive_backtrack_rate": ("solved by a decisive backtrack", "%"),
    "repair_rate": ("solved after a valid backtrack", "%"),
    "first_error_step": ("first error at line", ".1f"),
    "search_efficiency": ("decisions/reference", ".2f"),
    "tokens": ("tokens/item", ".0f"),
    "seconds": ("s/item", ".3f"),
    "tokens_per_second": ("tokens/s", ".0f"),
}
"""Measure → what it is called in a table, and its format."""
RATES = ("detection", "localisation", "correction", "success")
MEGA = 1_000_000


def table(results: Sequence[Results], *, style: str = "simple") -> str:
    """One column a run, one row a measure with its 95 % interval."""
    headers = ["", *(f"{r.name}\n{r.model}" for r in results)]
    rows = [["n", *(str(len(r.scores)) for r in results)]]
    rows += [[title, *(cell(name, r.estimates[name]) for r in results)] for name, (title, _) in ROWS.items()]
    for k in sorted({k for r in results for k in r.passes}):
        rows.append([f"pass@{k}", *(percent(r.passes[k]) if k in r.passes else "n/a" for r in results)])
    rows.append(["peak memory", *(_memory(r.config.get("model", {})) for r in results)])
    return tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True, preserve_whitespace=True)


def forced_table(results: Sequence[Results], *, style: str = "simple") -> str:
    """What each student made of errors that were put into its completions; a row for each kind of error."""
    rows = [
        [r.name, r.model, kind, found["detection"].n, *(percent(found[m]) for m in RATES), _number(found["steps"])]
        for r in results
        for kind, found in r.errors_put_in.items()
    ]
    headers = ["task", "model", "error", "n", *(FORCED[m] for m in (*RATES, "steps"))]
    return tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True)


def _number(estimate: Estimate) -> str:
    if estimate.value is None:
        return "n/a"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.1f}"
    return f"{estimate.value:.1f} [{estimate.low:.1f}, {estimate.high:.1f}]"


def cell(name: str, estimate: Estimate) -> str:
    """A measure as a table has it."""
    if estimate.value is None:
        return "n/a"
    form = ROWS[name][1]
    if form == "%":
        return percent(estimate)
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{form}}"
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"


def percent(estimate: Estimate) -> str:
    """With its interval."""
    if estimate.value is None:
        return "n/a"
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:.1f} % [n/a]"
    return f"{100 * estimate.value:.1f} % [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _memory(facts: Mapping[str, Any]) -> str:
    size = facts.get("memory_bytes")
    return f"{size / MEGA:,.0f} MB" if size else "n/a"


def write(results: Results, folder: Path, task: Task[Any]) -> None:
    """results.json, results.csv and report.md beside the samples, and report.html where jinja2 is installed."""
    run = Run(folder)
    run.write("results.json", json.dumps(results.json(), indent=2) + "\n")
    run.write("results.csv", results.csv())
    run.write("report.md", _markdown(results))
    if find_spec("jinja2"):
        from aletheia_bench import page

        run.write("report.html", page.of_run(results, run.samples(), task))


def _markdown(results: Results) -> str:
    options = "\n".join(f"- {key}: {value}" for key, value in results.config["run"].items())
    outcomes = tabulate([list(results.outcomes.values())], headers=list(results.outcomes), tablefmt="github")
    estimates = [[name, cell(name, estimate), estimate.n] for name, estimate in results.estimates.items()]
    lines = [[word, percent(e), e.n] for word, e in line_errors(results.scores).items()]
    return "\n\n".join(
        [
            f"# {results.model} on {results.name}",
            tabulate(estimates, headers=["measure", "value [95 % interval]", "n"], tablefmt="github"),
            "Outcomes, one for each item:\n\n" + outcomes,
            "Ways to fail:\n\n" + _signatures(results),
            *(
                [f"After an error was put into a completion:\n\n{forced_table([results], style='github')}"]
                * bool(results.forced)
            ),
            "Items by the number of conflicts that the reference search has:\n\n" + _parts(results, "conflicts"),
            "Items by the number of variables that they leave open:\n\n" + _parts(results, "variables"),
            "Lines up to the first fault, by their first word:\n\n"
            + tabulate(lines, headers=["line", "faulty [95 % interval]", "n"], tablefmt="github"),
            "First faults found by the checker, by the kind of line:\n\n"
            + tabulate(results.faults, headers=["line", "fault", "items"], tablefmt="github"),
            f"Options:\n\n{options}\n",
            *_batch(results.config.get("model", {})),
        ]
    )


def _forced(results: Results) -> Iterator[str]:
    if results.forced:
        yield "After an error was put into a completion:\n\n" + forced_table([results], style="github")


def _signatures(results: Results) -> str:
    rows = [
        [s.name, s.verdict, percent(s.estimate), s.estimate.n, ", ".join(s.items[:8]) + " ..." * (len(s.items) > 8)]
        for s in diagnose(results.scores)
    ]
    return tabulate(rows, headers=["", "diagnosis", "share [95 % interval]", "n", "items"], tablefmt="github")


def _batch(facts: Mapping[str, Any]) -> Iterator[str]:
    if "flipped" in facts:
        yield (
            "First turns that were written otherwise side by side than one by one "
            f"(batch size {facts.get('batch_size', 'unknown')}): {facts['flipped']}.\n"
        )


def _parts(results: Results, key: str) -> str:
    """All measures of each part, one row a measure."""
    parts = results.strata[key]
    rows: list[Iterable[str]] = [["n", *(str(found["solve_accuracy"].n) for found in parts.values())]]
    rows += [[title.strip(), *(cell(name, p[name]) for p in parts.values())] for name, (title, _) in ROWS.items()]
    return tabulate(rows, headers=[key, *parts], tablefmt="github", disable_numparse=True)
