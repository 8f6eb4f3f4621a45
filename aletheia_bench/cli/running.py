"""What `run`, `score` and `compare` do with their options; which students and forms of them are evaluated."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from aletheia_bench import cards, comparing, curve, report, tables
from aletheia_bench.cli.building import chosen_tasks, exporter, known_level, precision, ready, write
from aletheia_bench.cli.options import names
from aletheia_bench.evaluation import Options, prepare, run as evaluate
from aletheia_bench.results import Results
from aletheia_bench.runs import Run
from aletheia_bench.scoring import Outcome
from aletheia_bench.shapes import opened
from aletheia_plugins import Card, Task, UnknownNameError, UsageError
from aletheia_plugins.loading import Plugins

__all__ = ["compare", "run", "score", "students", "variants"]


def run(
    plugins: Plugins,
    *,
    tasks: Sequence[tuple[str, ...]],
    levels: Sequence[tuple[str, ...]],
    model: str,
    arm: str | None,
    control: bool,
    backend: str | None,
    quants: Sequence[tuple[str, ...]],
    overrides: Sequence[str],
    fail_on_error: float,
    out: Path,
    fresh: bool,
    **options: Any,
) -> bool:
    """Run every card on every task and level and print the tables; whether too many items ended in an error."""
    work = list(_work(chosen_tasks(plugins, names(tasks)), names(levels), options["items"]))
    both = students(plugins, model, arm, control=control)
    form = backend or ("gguf" if quants else "")
    precisions = [precision(exporter(plugins, form), form, name) for name in names(quants)]
    if form:
        plugins.backend(form)
    given = {key: options[key] for key in ("seed", "limit")}
    items = [prepare(task, level, **given, path=options["items"]) for task, level in work]
    results = []
    for card in both:
        trained = ready(plugins, cards.override(card, overrides), out)
        for variant in variants(plugins, form, trained, precisions=precisions, overrides=overrides, out=out):
            with closing(opened(plugins.backend(variant.backend), variant)) as loaded:
                for (task, level), problems in zip(work, items, strict=True):
                    chosen = _options(variant, task, level, {**options, "backend": backend, "overrides": overrides})
                    results.append(evaluate(chosen, problems, variant, loaded, plugins, out=out, fresh=fresh))
    if precisions:
        _draw(results, out / f"{both[0].name}-precisions.svg")
    else:
        _print(results)
    errors = sum(s.outcome is Outcome.ERROR for r in results for s in r.scores)
    return errors > fail_on_error * sum(len(r.scores) for r in results)


def variants(
    plugins: Plugins, form: str, card: Card, *, precisions: Sequence[str], overrides: Sequence[str], out: Path
) -> Iterator[Card]:
    """The card at each precision, if any; a file that an earlier run has written is used again."""
    if form and form != card.backend:  # its own tables are not the other's
        options = cards.override(replace(card, settings={}), overrides).settings
        other = replace(card, backend=form, settings={key: options[key] for key in options if key == "generation"})
    else:
        other = card
    if not precisions:
        yield other
    digest = cards.verify(card)
    for quant in precisions:
        file = out / "students" / f"{card.name}-{quant}-{(digest or '')[:8]}.{form}"
        if not file.exists():
            click.echo(f"Writing {file}.", err=True)
            write(plugins, exporter(plugins, form), card, file, quant=quant)
        yield replace(other, name=f"{card.name}-{quant}", source=file, weights=file, sha256=None)


def _draw(results: Sequence[Results], path: Path) -> None:
    ordered = sorted(results, key=lambda r: r.name)
    click.echo(curve.table(ordered))
    if find_spec("matplotlib") is None:
        click.echo("\nNo plot: it needs matplotlib: pip install 'aletheia-bench[report]'", err=True)
        return
    curve.plot(ordered, path)
    click.echo(f"\n{path}")


def score(plugins: Plugins, runs: Sequence[Path]) -> None:
    results = []
    for path in runs:
        task, found = _measured(plugins, path)
        report.write(found, path, task)
        results.append(found)
    _print(results)


def _measured(plugins: Plugins, path: Path) -> tuple[Task[Any], Results]:
    """The task of a finished run, and its results."""
    directory = Run(path)
    task = plugins.task(directory.config()["run"]["task"])
    return task, Results.of(directory, task)


def compare(plugins: Plugins, runs: Sequence[Path]) -> None:
    results = [_measured(plugins, path)[1] for path in runs]
    results = _told_apart(results, [path.resolve() for path in runs])
    compared = comparing.compare(results)
    click.echo(tables.table(sorted(results, key=lambda r: r.name)))
    click.echo("\n" + comparing.table(compared))


def _told_apart(results: Sequence[Results], paths: Sequence[Path]) -> list[Results]:
    """With runs of one model and level named by where they differ, too. Raises UsageError if two are the same."""
    if len(set(paths)) < len(paths):
        raise UsageError("A run cannot be compared with itself: name each folder once.")
    same: defaultdict[tuple[str, str], list[Path]] = defaultdict(list)
    for each, path in zip(results, paths, strict=True):
        same[each.name, each.model].append(path)
    told = []
    for each, path in zip(results, paths, strict=True):
        others = same[each.name, each.model]
        where = path.relative_to(os.path.commonpath(others)) if len(others) > 1 else None
        told.append(replace(each, model=f"{each.model} in {where}") if where else each)
    return told


def _work(tasks: Sequence[Task[Any]], levels: Sequence[str], items: Path | None) -> Iterator[tuple[Task[Any], str]]:
    for task in tasks:
        if items:
            yield task, items.stem
        else:
            yield from ((task, known_level(task, level)) for level in levels)


def students(plugins: Plugins, model: str, arm: str | None, *, control: bool) -> list[Card]:
    """The card and its control, or the one of the two that has the arm that was asked for."""
    card = cards.find(plugins, model)
    both = [card, *([cards.find(plugins, card.control)] if card.control else [])]
    if arm is None:
        return both if control else both[:1]
    found = [c for c in both if c.arm == arm]
    if not found:
        raise UnknownNameError(f"arm of {card.name}", arm, [c.arm for c in both])
    return found[:1]


def _options(card: Card, task: Task[Any], level: str, options: dict[str, Any]) -> Options:
    return Options(
        task=task.name,
        level=level,
        model=card.name,
        limit=options["limit"],
        seed=options["seed"],
        epochs=options["epochs"],
        context=options["context"] or card.context,
        max_tokens=options["max_tokens"] or card.max_tokens,
        temperature=options["temperature"],
        max_seconds=options["max_seconds"],
        backend=options["backend"] or "",
        overrides=tuple(options["overrides"]),
        items=str(options["items"] or ""),
        forced=options["forced"],
    )


def _print(results: Sequence[Results]) -> None:
    ordered = sorted(results, key=lambda r: r.name)
    click.echo(tables.table(ordered))
    for found in ordered:
        for cause, count in Counter(found.causes).most_common(1):
            told = f"{sum(found.causes.values())} items ended in an error, {count} of them in: {cause}"
            click.echo(f"{found.model} on {found.name}: {told}", err=True)
    if any(r.forced for r in ordered):
        click.echo("\nAfter an error was put into a completion:\n\n" + tables.forced_table(ordered))
    try:
        compared = comparing.compare(results)
    except UsageError as error:
        if len(results) > 1 and len({r.name for r in results}) < len(results):
            click.echo(f"\n{error}")
        return
    for each in compared:
        click.echo("\n" + comparing.sentence(each))
