"""What `probes` does with its options."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path
from typing import Any

import click

from aletheia_bench import cards, shapes
from aletheia_bench.cli.building import chosen_tasks, known_level, ready
from aletheia_bench.cli.options import names
from aletheia_bench.cli.running import students, variants
from aletheia_bench.probe_report import Results, table, write
from aletheia_bench.probing import Options, bank, probe
from aletheia_plugins import Card, Model
from aletheia_plugins.loading import Plugins

__all__ = ["probes"]


def probes(
    plugins: Plugins,
    *,
    tasks: Sequence[tuple[str, ...]],
    levels: Sequence[tuple[str, ...]],
    model: str,
    control: bool,
    backend: str | None,
    overrides: Sequence[str],
    out: Path,
    fresh: bool,
    **options: Any,
) -> None:
    """Ask every card about the states of every task and level, and print the measures."""
    work = [(task, known_level(task, level)) for task in chosen_tasks(plugins, names(tasks)) for level in names(levels)]
    if backend:
        plugins.backend(backend)
    found: list[Results] = []
    banks = cache(lambda number, kind: bank(*work[number], kind=kind, seed=options["seed"], count=options["count"]))
    for card in _cards(plugins, students(plugins, model, None, control=control), backend, overrides, out):
        kind = options["context"] or card.context
        with ExitStack() as stack:

            @cache
            def opened(card: Card = card, stack: ExitStack = stack) -> Model:
                return stack.enter_context(closing(shapes.opened(plugins.backend(card.backend), card)))

            for number, (task, level) in enumerate(work):
                chosen = Options(
                    task.name, level, card.name, options["count"], options["seed"], kind, backend or "",
                    tuple(overrides),
                )  # fmt: skip
                run = probe(chosen, banks(number, kind), card, plugins, open_model=opened, out=out, fresh=fresh)
                found.append(Results.of(run))
                write(found[-1], run)
    click.echo(table(sorted(found, key=lambda r: r.name)))
    for each in found:
        if each.unread:
            click.echo(f"{each.model} on {each.name}: {each.unread} prompts left no room for an answer.")
        if each.states < options["count"] - 1:
            click.echo(f"{each.name}: {each.states} states were found, of {options['count']}.")


def _cards(
    plugins: Plugins, chosen: Sequence[Card], backend: str | None, overrides: Sequence[str], out: Path
) -> Iterator[Card]:
    """Each with its weights, and as the back-end runs it."""
    for card in chosen:
        trained = ready(plugins, cards.override(card, overrides), out)
        yield from variants(plugins, backend or "", trained, precisions=(), overrides=overrides, out=out)
