"""What `doctor` finds out: what is installed, and whether a model reads and writes what it should."""

import platform
from collections.abc import Iterator, Sequence, Sized
from contextlib import ExitStack, closing
from importlib.metadata import PackageNotFoundError, version

import click
from tabulate import tabulate

from aletheia_bench import cards, parity
from aletheia_bench.cli.options import cores
from aletheia_bench.shapes import opened
from aletheia_bench.statistics import rate
from aletheia_bench.tables import percent
from aletheia_plugins import Card, Encoding, Model, UnknownNameError
from aletheia_plugins.loading import Plugins

__all__ = ["doctor"]

PACKAGES = {
    "torch": "hf", "transformers": "hf", "llama-cpp-python": "gguf", "gguf": "gguf", "matplotlib": "report",
    "ortools": "", "python-sat": "",
}  # fmt: skip
"""Distributions, and the extra that brings each."""


def doctor(
    plugins: Plugins,
    *,
    model: str | None,
    backend: str | None,
    against: str | None,
    overrides: Sequence[str],
    level: str,
    limit: int,
) -> bool:
    """Print what was found; whether anything is wrong."""
    click.echo(tabulate(_environment(), tablefmt="plain"))
    broken = [report for report in plugins.reports if report.error]
    for report in broken:
        click.echo(f"Broken plugin: {report.error}")
    for slow in filter(None, (report.delay for report in plugins.reports)):
        click.echo(f"Slow plugin: {slow}.")
    if model is None:
        return bool(broken)
    tasks = [task for task in plugins.tasks.values() if level in task.levels]
    if not tasks:
        raise UnknownNameError("level", level, {level for task in plugins.tasks.values() for level in task.levels})
    with ExitStack() as stack:
        card, ours = _open(stack, plugins, model, overrides, backend)
        prompts, whole = zip(*parity.material(tasks, level, card.context, limit=limit), strict=True)
        click.echo(f"\n{card.name}, {len(prompts)} prompts of the level {level}, greedy:")
        first = parity.alone(ours, prompts)
        order = parity.different(first, parity.alone(ours, prompts, shuffle=1))
        click.echo(f"  one by one, in another order: {_share(order, first)} differ")
        flips = parity.different(first, parity.together(ours, prompts))
        click.echo(f"  side by side: {_share(flips, first)} differ")
        wrong = bool(order)
        if against:
            other, theirs = _open(stack, plugins, against, (), None)
            texts = [*prompts, *whole]
            if isinstance(ours, Encoding) and isinstance(theirs, Encoding):
                ids = parity.different(parity.encoded(ours, texts), parity.encoded(theirs, texts))
                click.echo(f"  token ids of {len(texts)} prompts and traces, against {other.name}: {len(ids)} differ")
                wrong = wrong or bool(ids)
            apart = parity.different(first, parity.alone(theirs, prompts))
            click.echo(f"  completions, against {other.name}: {_share(apart, first)} differ")
    return bool(broken) or wrong


def _environment() -> Iterator[tuple[str, str]]:
    yield "python", f"{platform.python_version()}, {platform.platform()}"
    yield "cores", str(cores())
    for name, extra in PACKAGES.items():
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, f"not installed: pip install 'aletheia-bench[{extra}]'"


def _open(
    stack: ExitStack, plugins: Plugins, model: str, overrides: Sequence[str], backend: str | None
) -> tuple[Card, Model]:
    card = cards.override(cards.find(plugins, model), overrides)
    cards.verify(card)
    return card, stack.enter_context(closing(opened(plugins.backend(backend or card.backend), card)))


def _share(hits: Sized, of: Sized) -> str:
    return f"{len(hits)} of {len(of)}, {percent(rate(len(hits), len(of)))},"
