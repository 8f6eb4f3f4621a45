"""What `list` prints."""

from tabulate import tabulate

from aletheia_bench import cards
from aletheia_plugins import AletheiaError
from aletheia_plugins.loading import Plugins, printable

__all__ = ["models", "plugins", "tasks"]


def tasks(found: Plugins) -> str:
    rows = [[name, task.version, ", ".join(task.levels)] for name, task in sorted(found.tasks.items())]
    return tabulate(rows, headers=["task", "version", "levels"], disable_numparse=True)


def models(found: Plugins) -> str:
    """The cards that can be read, and below them one sentence for each other one, with its distribution."""
    rows, broken = [], []
    for name, path in sorted(found.cards.items()):
        try:
            card = cards.read(path)
        except AletheiaError as error:
            (whose,) = [report.label for report in found.reports if name in report.cards]
            broken.append(f"Broken: card {name!r} ({whose}): {printable(str(error))}")
            continue
        there = "yes" if card.weights and card.weights.exists() else "no"
        rows.append([card.name, card.backend, card.context, card.arm, there, card.control or "-"])
    table = tabulate(rows, headers=["model", "back-end", "context", "arm", "weights", "control"])
    return "\n\n".join([table, *broken])


def plugins(found: Plugins) -> str:
    rows = [
        [
            report.name,
            report.release,
            report.status,
            str(report.error) if report.error else ", ".join((*report.tasks, *report.backends, *report.cards)),
        ]
        for report in found.reports
    ]
    table = tabulate(
        rows, headers=["plugin", "distribution", "status", "provides"], maxcolwidths=[None, None, None, 80]
    )
    return "\n\n".join([table, *(f"Slow: {report.delay}." for report in found.reports if report.delay)])
