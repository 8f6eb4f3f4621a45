"""One evaluation from options to a measured run directory. Joins items, model, samples and report; decides nothing."""

import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aletheia_bench import cards
from aletheia_bench.evaluate import Limits, evaluate
from aletheia_bench.items import Item, from_file, generated
from aletheia_bench.progress import progress
from aletheia_bench.report import Results, write
from aletheia_bench.runs import Run, identity
from aletheia_plugins import Card, ContextKind, Model, Task, UsageError
from aletheia_plugins.loading import Plugins

__all__ = ["Options", "run"]


@dataclass(frozen=True, slots=True)
class Options:
    """What decides a run's samples; any difference is another run."""

    task: str
    level: str
    model: str
    limit: int
    seed: int
    epochs: int
    context: ContextKind
    max_tokens: int
    temperature: float
    items: str = ""
    """A file or folder of problems instead of generated ones."""


def run(options: Options, card: Card, model: Model, plugins: Plugins, out: Path, *, fresh: bool) -> Results:
    """Evaluate, going on where the same options stopped before, and write the report."""
    task = plugins.task(options.task)
    hashes = _hashes(options, card)
    name = f"{task.name}-{options.level}-{identity({**asdict(options), **hashes, 'version': task.version})}"
    path = out / card.name / name
    with Run(path) as directory:
        if fresh:
            directory.clear()
        directory.configure(_config(options, card, model, plugins, hashes))
        done = {(sample["id"], sample["epoch"]) for sample in directory.samples()}
        todo = [(item, epoch) for item, epoch in _work(task, options) if (item.id, epoch) not in done]
        limits = Limits(options.max_tokens, options.temperature, options.seed)
        with progress(f"{card.name} on {task.name}-{options.level}") as show:
            for count, sample in enumerate(evaluate(model, todo, options.context, limits), 1):
                directory.append(sample)
                show(len(done) + count, len(done) + len(todo))
        results = Results.of(directory, task)
        write(results, path)
    return results


def _work(task: Task[Any], options: Options) -> Iterator[tuple[Item, int]]:
    if options.items:
        items = from_file(task, Path(options.items))
    else:
        items = generated(task, options.level, seed=options.seed, limit=options.limit)
    taken = 0
    for taken, item in enumerate(items, 1):
        for epoch in range(options.epochs):
            yield item, epoch
        if taken == options.limit:
            break
    if not taken:
        raise UsageError(f"{options.items}: no problems in it.")


def _hashes(options: Options, card: Card) -> dict[str, str]:
    hashes = {"weights": cards.verify(card) or ""}
    if options.items:
        path = Path(options.items)
        hashes["items"] = cards.digest(path) if path.exists() else ""
    return hashes


def _config(options: Options, card: Card, model: Model, plugins: Plugins, hashes: Mapping[str, str]) -> dict[str, Any]:
    chosen = asdict(options) | {"model": _spec(card, plugins)}
    return {
        "run": {key: value for key, value in chosen.items() if value != ""},
        "card": {"name": card.name, "backend": card.backend, "arm": card.arm, "context": card.context},
        "hashes": {key: value for key, value in hashes.items() if value},
        "versions": {
            "task": plugins.task(options.task).version,
            "aletheia-bench": version("aletheia-bench"),
            "python": platform.python_version(),
            "ortools": version("ortools"),
            "python-sat": version("python-sat"),
        },
        "model": dict(model.facts()),
        "machine": {"system": platform.platform(), "processor": platform.machine()},
        "plugins": {r.name: f"{r.distribution} {r.version}" for r in plugins.reports if r.status == "active"},
    }


def _spec(card: Card, plugins: Plugins) -> str:
    """What `--model` must be given to find the card again."""
    if plugins.cards.get(card.source.stem) == card.source:
        return card.source.stem
    return str(card.source) if card.source.suffix == ".toml" else f"{card.backend}:{card.source}"
