"""Figures as people read them: cells, and tables of runs. Knows results, not where they are shown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from aletheia_bench.forced import MEASURES as FORCED, measure as measure_forced
from aletheia_bench.results import Results
from aletheia_bench.statistics import Estimate

__all__ = ["ROWS", "cell", "forced_rows", "forced_table", "number", "percent", "table"]

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
    rows[2:2] = _strata(results)
    rows.append(["peak memory", *(_memory(r.config.get("model", {})) for r in results)])
    return tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True, preserve_whitespace=True)


def _strata(results: Sequence[Results]) -> Iterator[list[str]]:
    """What is solved of the items by the conflicts of their reference search, if there are several kinds."""
    found = [r.strata["conflicts"] for r in results]
    kinds = [kind for kind in found[0] if any(strata[kind]["solve_accuracy"].n for strata in found)]
    for kind in kinds if len(kinds) > 1 else ():
        each = [strata[kind]["solve_accuracy"] for strata in found]
        yield [f"  {kind} conflicts", *(f"{percent(e)} of {e.n}" if e.n else "n/a" for e in each)]


def forced_rows(results: Sequence[Results]) -> tuple[list[str], list[list[Any]]]:
    """Headers and rows: what each student made of errors that were put into its completions, by kind of error."""
    rows = [
        [
            r.name,
            r.model,
            kind,
            found["detection"].n,
            *(percent(found[m]) for m in RATES),
            number(found["steps"], ".1f"),
        ]
        for r in results
        for kind, some in r.errors_put_in.items()
        for found in [measure_forced(some)]
    ]
    return ["task", "model", "error", "n", *(FORCED[m] for m in (*RATES, "steps"))], rows


def forced_table(results: Sequence[Results], *, style: str = "simple") -> str:
    headers, rows = forced_rows(results)
    return tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True)


def cell(name: str, estimate: Estimate) -> str:
    """A measure as a table has it."""
    form = ROWS[name][1]
    return percent(estimate) if form == "%" else number(estimate, form)


def number(estimate: Estimate, form: str) -> str:
    """In a format such as .1f, with its interval."""
    if estimate.value is None:
        return "n/a"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{form}} [n/a]"
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
