"""One student at several precisions: a table and a plot of what quantization did. Knows results, not files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from aletheia_bench.results import Results
from aletheia_bench.statistics import Estimate
from aletheia_bench.tables import percent

__all__ = ["plot", "table"]

MEASURES: Mapping[str, str] = {
    "solve_accuracy": "solved",
    "conflict_precision": "conflicts real",
    "conflict_recall": "conflicts noticed",
    "backtrack_validity": "backtracks valid",
}
MEGA = 1_000_000


def table(results: Sequence[Results]) -> str:
    """One row a run; megabytes of 10^6 bytes, of the file and of all processes that had it open."""
    rows = [
        [
            r.name,
            r.model,
            *(percent(r.estimates[name]) for name in MEASURES),
            _speed(r),
            *(_mega(r.config["model"].get(key)) for key in ("file_bytes", "memory_bytes")),
            r.config["model"].get("tensors", "n/a"),
        ]
        for r in results
    ]
    headers = ["task", "model", *MEASURES.values(), "tokens/s", "file MB", "memory MB", "tensors"]
    return tabulate(rows, headers=headers, disable_numparse=True)


def _speed(results: Results) -> str:
    """Completion tokens of the machine's second."""
    seconds = sum(s.seconds for s in results.scores)
    return f"{sum(s.tokens for s in results.scores) / seconds:,.0f}" if seconds else "n/a"


def _mega(size: Any) -> str:
    return f"{size / MEGA:.1f}" if size else "n/a"


def plot(results: Sequence[Results], path: Path) -> None:
    """Each measure with its interval, by precision, in the order of the results; a panel a task and student."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys((r.name, _student(r)) for r in results))
    figure = Figure(figsize=(5 * len(names), 4), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        runs = [r for r in results if (r.name, _student(r)) == name]
        for shift, (measure, label) in enumerate(MEASURES.items()):
            known = [(n + 0.06 * shift, r.estimates[measure]) for n, r in enumerate(runs)]
            points = [(place, *_point(estimate)) for place, estimate in known if estimate.value is not None]
            if points:
                places, values, below, above = zip(*points, strict=True)
                axes.errorbar(places, values, [below, above], marker="o", capsize=3, label=label)
        axes.set_xticks(range(len(runs)), [_label(r) for r in runs])
        axes.set(title="\n".join(name), ylabel="%", ylim=(-3, 103))
        axes.legend()
    figure.savefig(path)


def _point(estimate: Estimate) -> tuple[float, float, float]:
    """The value, and how far its interval reaches below and above, in percent."""
    value = estimate.value or 0.0
    low = value if estimate.low is None else estimate.low
    high = value if estimate.high is None else estimate.high
    return 100 * value, 100 * (value - low), 100 * (high - value)


def _student(results: Results) -> str:
    return results.model.rpartition("-")[0]


def _label(results: Results) -> str:
    return f"{results.model.rpartition('-')[2]}\n{_mega(results.config['model'].get('file_bytes'))} MB"
