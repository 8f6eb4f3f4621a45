"""Turns a run's samples into results.json, results.csv, report.md and tables. Knows measures, not models."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from aletheia_bench.measures import by_conflicts, by_size, line_errors, measure
from aletheia_bench.runs import Run
from aletheia_bench.scoring import Outcome, Score, score
from aletheia_bench.statistics import Estimate, fisher, mcnemar
from aletheia_plugins import Task, UsageError

__all__ = ["Results", "compare", "percent", "table", "write"]


@dataclass(frozen=True, slots=True)
class Results:
    """A run, measured."""

    name: str
    """Task and level."""
    model: str
    config: Mapping[str, Any]
    scores: tuple[Score, ...]
    estimates: Mapping[str, Estimate]

    @classmethod
    def of(cls, run: Run, task: Task[Any]) -> "Results":
        """Everything recomputed from the run's samples."""
        config = run.config()
        scores = tuple(score(task, sample) for sample in run.samples())
        options = config["run"]
        return cls(f"{options['task']}-{options['level']}", config["card"]["name"], config, scores, measure(scores))

    @property
    def outcomes(self) -> dict[str, int]:
        counts = Counter(s.outcome for s in self.scores)
        return {str(outcome): counts[outcome] for outcome in Outcome}

    @property
    def strata(self) -> dict[str, dict[str, dict[str, Estimate]]]:
        """All measures, of the items by the conflicts of their reference search, and by their open variables."""
        parts = {"conflicts": by_conflicts(self.scores), "variables": by_size(self.scores)}
        return {key: {name: measure(part) for name, part in found.items()} for key, found in parts.items()}

    @property
    def faults(self) -> list[tuple[str, str, int]]:
        """First faults by kind of line, most frequent first."""
        counts = Counter(s.first_fault for s in self.scores if s.first_fault)
        return [(word, fault, n) for (word, fault), n in counts.most_common()]


COLUMNS: Mapping[str, str] = {
    "solve_accuracy": "solved",
    "certified_accuracy": "certified",
    "backtrack_event_rate": "with backtracks",
    "backtracks_per_item": "backtracks/item",
    "conflict_precision": "conflicts real",
    "conflict_recall": "conflicts noticed",
    "backtrack_validity": "backtracks valid",
    "tokens": "tokens",
    "seconds": "s/item",
}
SHARES = ("solve_accuracy", "certified_accuracy", "backtrack_event_rate")
PERCENT = (*SHARES, "conflict_precision", "conflict_recall", "backtrack_validity")


def table(results: Iterable[Results], *, style: str = "simple") -> str:
    """One row a run: each measure with its 95 % interval."""
    rows = [[r.name, r.model, len(r.scores), *(_cell(name, r.estimates[name]) for name in COLUMNS)] for r in results]
    return tabulate(rows, headers=["task", "model", "n", *COLUMNS.values()], tablefmt=style, disable_numparse=True)


def _cell(name: str, estimate: Estimate) -> str:
    if estimate.value is None:
        return "n/a"
    if name in PERCENT:
        return percent(estimate)
    if name == "tokens":
        return f"{estimate.value:.0f}"
    return f"{estimate.value:.2f}" if name == "backtracks_per_item" else f"{estimate.value:.3f}"


def percent(estimate: Estimate) -> str:
    """With its interval."""
    if estimate.value is None:
        return "n/a"
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:.1f} % [n/a]"
    return f"{100 * estimate.value:.1f} % [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def compare(ours: Results, theirs: Results) -> str:
    """Two runs on the same items: who solves what the other does not, and whose completions backtrack.

    Items that ended in an error on either side are left out, and counted. Of several epochs the first one counts.
    """
    first = [[s for s in r.scores if s.epoch == 0] for r in (ours, theirs)]
    if {(s.item, s.problem) for s in first[0]} != {(s.item, s.problem) for s in first[1]}:
        raise UsageError(f"{ours.model} and {theirs.model} did not see the same items: run both with the same options.")
    failed = {s.item for scores in first for s in scores if s.outcome is Outcome.ERROR}
    kept = [[s for s in scores if s.item not in failed] for scores in first]
    only_ours, only_theirs, p = mcnemar(*({s.item: s.outcome is Outcome.SOLVED for s in scores} for scores in kept))
    events = [(sum(s.backtracks > 0 for s in scores), len(scores)) for scores in kept]
    easy = [_of(scores, lambda s: not s.needed, lambda s: s.outcome is Outcome.SOLVED) for scores in kept]
    hard = [_of(scores, lambda s: s.needed > 0, lambda s: s.backtracks > 0) for scores in kept]
    return (
        f"{ours.name}: solved by {ours.model} alone {only_ours}, by {theirs.model} alone {only_theirs} "
        f"(exact McNemar p = {p:.2g}); completions with a backtrack {events[0][0]}/{events[0][1]} against "
        f"{events[1][0]}/{events[1][1]} (Fisher p = {fisher(*events):.2g}), where the reference has a conflict "
        f"{hard[0]} against {hard[1]}; solved where it has none {easy[0]} against {easy[1]}"
        f"{f'; items with an error, left out: {len(failed)}' if failed else ''}"
    )


def _of(scores: Iterable[Score], kept: Callable[[Score], bool], hit: Callable[[Score], bool]) -> str:
    """Hits of those that are kept, such as 3/4."""
    found = [hit(s) for s in scores if kept(s)]
    return f"{sum(found)}/{len(found)}"


def write(results: Results, folder: Path) -> None:
    """results.json, results.csv and report.md beside the samples."""
    run = Run(folder)
    run.write("results.json", json.dumps(_json(results), indent=2) + "\n")
    run.write("results.csv", _csv(results))
    run.write("report.md", _markdown(results))


def _json(results: Results) -> dict[str, Any]:
    """Shaped as lm-evaluation-harness shapes its results: "metric,filter" under each task; no filter is used."""
    metrics: dict[str, Any] = {"alias": results.name}
    for name, estimate in results.estimates.items():
        metrics[f"{name},none"] = estimate.value
        metrics[f"{name}_ci95,none"] = [estimate.low, estimate.high]
        metrics[f"{name}_n,none"] = estimate.n
    config = results.config
    items = len({s.item for s in results.scores})
    return {
        "results": {results.name: metrics},
        "outcomes": {results.name: results.outcomes},
        "strata": {
            results.name: {
                key: {name: _numbers(found) for name, found in parts.items()} for key, parts in results.strata.items()
            }
        },
        "line_errors": {results.name: _numbers(line_errors(results.scores))},
        "first_faults": {results.name: [list(fault) for fault in results.faults]},
        "versions": {results.name: config["versions"]["task"]},
        "n-samples": {results.name: {"original": items, "effective": len(results.scores)}},
        "config": config,
        "hashes": config["hashes"],
    }


def _numbers(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: asdict(estimate) for name, estimate in estimates.items()}


def _csv(results: Results) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["task", "model", "measure", "value", "low", "high", "n"])
    for name, e in results.estimates.items():
        writer.writerow([results.name, results.model, name, e.value, e.low, e.high, e.n])
    return out.getvalue()


def _markdown(results: Results) -> str:
    options = "\n".join(f"- {key}: {value}" for key, value in results.config["run"].items())
    outcomes = tabulate([list(results.outcomes.values())], headers=list(results.outcomes), tablefmt="github")
    estimates: Sequence[Sequence[Any]] = [
        [name, _cell(name, estimate), estimate.n] for name, estimate in results.estimates.items()
    ]
    lines = [[word, percent(e), e.n] for word, e in line_errors(results.scores).items()]
    return "\n\n".join(
        [
            f"# {results.model} on {results.name}",
            tabulate(estimates, headers=["measure", "value [95 % interval]", "n"], tablefmt="github"),
            "Outcomes, one for each item:\n\n" + outcomes,
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


def _batch(facts: Mapping[str, Any]) -> Iterator[str]:
    if "flipped" in facts:
        yield (
            "First turns that were written otherwise side by side than one by one "
            f"(batch size {facts.get('batch_size', 'unknown')}): {facts['flipped']}.\n"
        )


def _parts(results: Results, key: str) -> str:
    rows = [
        [name, found["solve_accuracy"].n, *(percent(found[share]) for share in SHARES)]
        for name, found in results.strata[key].items()
    ]
    return tabulate(rows, headers=[key, "n", *(COLUMNS[share] for share in SHARES)], tablefmt="github")
