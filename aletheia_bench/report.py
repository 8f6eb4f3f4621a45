"""Writes the report of a run: results.json, results.csv, report.md, report.html. Knows results and tables."""

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tabulate import tabulate

from aletheia_bench.measures import line_errors
from aletheia_bench.results import Results
from aletheia_bench.runs import Run
from aletheia_bench.signatures import diagnose
from aletheia_bench.tables import ROWS, cell, forced_table, percent
from aletheia_plugins import Task

__all__ = ["write"]


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
            *_forced(results),
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
