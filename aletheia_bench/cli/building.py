"""What `traces`, `verify` and `train` do with their options."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from aletheia_bench import cards, corpus, proof as proofs
from aletheia_bench.cli.options import cores, names, spelling
from aletheia_bench.items import problems
from aletheia_bench.progress import progress
from aletheia_bench.runs import identity
from aletheia_bench.students import RANK, Course, made_from, train as teach
from aletheia_bench.text import parse
from aletheia_plugins import Card, Exporter, Merging, Split, Task, UnknownNameError, UsageError, Verdict
from aletheia_plugins.loading import Plugins

__all__ = [
    "chosen_card",
    "chosen_tasks",
    "course_of",
    "export",
    "exporter",
    "known_level",
    "precision",
    "ready",
    "student",
    "traces",
    "train",
    "verify",
    "write",
]


def traces(
    plugins: Plugins,
    *,
    tasks: Sequence[tuple[str, ...]],
    levels: Sequence[tuple[str, ...]],
    count: int,
    out: Path,
    arm: str,
    split: Split,
    seed: int,
    workers: int,
    shard: tuple[int, int],
    proof: Path | None,
) -> None:
    if proof and arm != "backtracking":
        raise UsageError(f"Traces of the arm {arm!r} are no proofs: leave --arm out, or --proof.")
    plans = [
        corpus.Plan(task, known_level(task, level), count, split, seed, arm, shard)
        for task in chosen_tasks(plugins, names(tasks))
        for level in names(levels)
    ]
    paths = [Path(str(out).replace("{task}", plan.task.name).replace("{level}", plan.level)) for plan in plans]
    if len(set(paths)) < len(plans):
        raise UsageError(f"{len(plans)} corpora do not fit into one file: give -o a name with {{task}} and {{level}}.")
    for plan, path in zip(plans, paths, strict=True):
        with progress(f"traces {plan.task.name} {plan.level}") as show:
            for done in corpus.build(plan, path, workers=workers):
                show(done, len(plan.indices()))
        click.echo(f"{path}: {len(plan.indices())} problems, every trace accepted by the checker.")
        if proof:
            _prove(path, plan.task, proof)


def _prove(path: Path, task: Task[Any], folder: Path) -> None:
    """Write CNF and DRUP proof of each unsatisfiable problem of a corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for record in corpus.read(path):
        if record["difficulty"]["verdict"] == Verdict.UNSAT:
            clauses, code = proofs.cnf(task.csp(task.loads(record["problem"])[0]))
            lemmas = proofs.drup(parse(record["completion"]), code)
            (folder / f"{record['id']}.cnf").write_text(proofs.dimacs(clauses, code))
            (folder / f"{record['id']}.drup").write_text(proofs.dimacs(lemmas))
            count += 1
    click.echo(f"{folder}: {count} proofs.")


def verify(plugins: Plugins, files: Sequence[Path], against: Sequence[Path] = ()) -> int:
    """Print one line for each bad trace, and each of a problem that is `against`; how many there are."""
    bad = total = 0
    forms: dict[str, dict[str, str]] = {}
    with progress("verify") as show:
        for path in files:
            for number, record in enumerate(corpus.read(path), 1):
                total += 1
                show(number, number)
                task = plugins.task(record["task"])
                if task.name not in forms:
                    forms[task.name] = _forms(task, against)
                same = forms[task.name].get(record["canonical"])
                if wrong := corpus.verify(record, task) or (f"the same problem as {same}" if same else None):
                    bad += 1
                    click.echo(f"{path}:{number}: {record['id']}: {wrong}")
    click.echo(f"{total} traces, {bad} bad.", err=True)
    return bad


def _forms(task: Task[Any], against: Sequence[Path]) -> dict[str, str]:
    """Canonical form of each problem in these files → where it is."""
    return {task.canonical(p): f"{path}: {name}" for path in against for name, p in problems(task, path)}


def train(plugins: Plugins, *, out: Path, seed: int, workers: int, **options: Any) -> None:
    trained = student(plugins, chosen_card(plugins, **options), out, seed=seed, workers=workers)
    if RANK == 0:
        click.echo(f"{trained.weights}: SHA-256 {cards.digest(out)}")


def export(plugins: Plugins, *, model: str, form: str, quant: str, overrides: Sequence[str], out: Path) -> None:
    card = cards.override(cards.find(plugins, model), overrides)
    cards.verify(card)
    writer = exporter(plugins, form)
    types = write(plugins, writer, card, out, quant=precision(writer, form, quant))
    counts = ", ".join(f"{count} {name}" for name, count in sorted(types.items()))
    click.echo(f"{out}: {out.stat().st_size:,} bytes; tensors: {counts}.")


def write(plugins: Plugins, writer: Exporter, card: Card, out: Path, *, quant: str) -> Mapping[str, int]:
    """See `Exporter`; what is a change of a base is merged with it first."""
    opener = plugins.backend(card.backend)
    if not isinstance(opener, Merging):
        return writer.export(card, out, quant=quant)
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent) as folder:
        opener.merge(card, Path(folder))
        return writer.export(replace(card, weights=Path(folder)), out, quant=quant)


def exporter(plugins: Plugins, form: str) -> Exporter:
    """The back-end that writes this format."""
    found = plugins.backend(form)
    if not isinstance(found, Exporter):
        raise UsageError(f"The back-end {form!r} writes no files; choose gguf, or another that does.")
    return found


def precision(writer: Exporter, form: str, quant: str) -> str:
    """The name as the back-end spells it."""
    known = {spelling(name): name for name in writer.quants}
    name = spelling(quant.lower())
    if name not in known:
        raise UnknownNameError(f"precision of {form}", quant, writer.quants)
    return known[name]


def student(plugins: Plugins, card: Card, out: Path, *, seed: int = 0, workers: int | None = None) -> Card:
    """Train the card's student into `out`."""
    return teach(card, plugins.backend(card.backend), course_of(plugins, card, seed=seed, workers=workers), out)


def ready(plugins: Plugins, card: Card, out: Path, *, seed: int = 0, workers: int | None = None) -> Card:
    """The card, trained first, into a folder of `out`, if it has no weights yet but says what to train on."""
    if cards.verify(card) is not None or not card.tasks:
        return card
    made = made_from(card, course_of(plugins, card, seed=seed))
    trained = out / "students" / f"{card.name}-{identity(made)}"
    if (trained / "training.json").exists():
        return replace(card, weights=trained, sha256=None)
    click.echo(f"{card.name} has no weights yet: training it into {trained}.", err=True)
    return student(plugins, card, trained, seed=seed, workers=workers)


def course_of(plugins: Plugins, card: Card, *, seed: int = 0, workers: int | None = None) -> Course:
    """What the card says to train on."""
    if not (card.tasks and card.levels and card.count):
        raise UsageError(f"{card.name} does not say what to train on: give --task, --level and -n.")
    tasks = chosen_tasks(plugins, card.tasks)
    if not any(level in task.levels for task in tasks for level in card.levels):
        raise UnknownNameError("level", ",".join(card.levels), {level for task in tasks for level in task.levels})
    known = {f"{name}-{level}" for name, task in plugins.tasks.items() for level in task.levels}
    if unknown := card.shares.keys() - known:
        raise UnknownNameError("task and level", min(unknown), known)
    course = Course(tasks, card.levels, card.count, seed, workers or cores(), card.shares)
    if not any(course.plans(card)):
        none = sorted(name for name, share in card.shares.items() if not share)
        raise UsageError(f"{card.name}: the shares of {', '.join(none)} are 0: nothing is left to train on.")
    return course


def chosen_card(
    plugins: Plugins,
    *,
    model: str,
    tasks: Sequence[tuple[str, ...]],
    levels: Sequence[tuple[str, ...]],
    arm: str | None,
    count: int | None,
    overrides: Sequence[str],
) -> Card:
    """The card, trained on what was asked for instead of what it says."""
    card = cards.override(cards.find(plugins, model), overrides)
    return replace(
        card,
        arm=arm or card.arm,
        tasks=names(tasks) or card.tasks,
        levels=names(levels) or card.levels,
        count=count or card.count,
    )


def chosen_tasks(plugins: Plugins, chosen: Sequence[str]) -> tuple[Task[Any], ...]:
    return tuple(plugins.task(name) for name in chosen)


def known_level(task: Task[Any], level: str) -> str:
    if level not in task.levels:
        raise UnknownNameError(f"level of {task.name}", level, task.levels)
    return level
