"""One evaluation from options to a measured run directory. Joins items, model, samples and report; decides nothing."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any

from aletheia_bench import cards, parity
from aletheia_bench.contexts import context
from aletheia_bench.evaluate import Limits, Sample, evaluate
from aletheia_bench.forced import Injection, injections
from aletheia_bench.instructions import instruction
from aletheia_bench.items import Item, from_file, generated
from aletheia_bench.progress import progress
from aletheia_bench.report import write
from aletheia_bench.results import Results
from aletheia_bench.runs import FORCED, Run, identity
from aletheia_bench.shapes import facts
from aletheia_plugins import Card, ContextKind, Encoding, Model, Task, UsageError
from aletheia_plugins.loading import Plugins

__all__ = ["Options", "named", "prepare", "resolved", "run"]

INCIDENTAL = ("concurrency", "key", "retries")
"""Options of a back-end that decide no sample: how hard an endpoint is asked, and in whose name."""
SAMPLE = 20
"""Items whose first turn is written twice more."""


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
    max_seconds: float | None = None
    backend: str = ""
    overrides: tuple[str, ...] = ()
    """Another back-end than the card's, and other options of its tables."""
    items: str = ""
    """A file or folder of problems instead of generated ones."""
    forced: int = 0
    """Items into whose completions errors are put. It decides no other sample."""


def run(
    options: Options, items: Sequence[Item], card: Card, model: Model, plugins: Plugins, *, out: Path, fresh: bool
) -> Results:
    """Evaluate, going on where the same options stopped before, and write the report."""
    task = plugins.task(options.task)
    hashes = {"weights": cards.verify(card) or "", "items": _digest(items)}
    settings = {
        name: {option: value for option, value in table.items() if option not in INCIDENTAL}
        for name, table in card.settings.items()
        if name not in ("architecture", "training")
    }
    words = instruction(task) if card.instructed else ""
    chosen = {name: value for name, value in asdict(options).items() if name != "forced"}
    chosen["overrides"] = [o for o in options.overrides if o.partition("=")[0].rpartition(".")[2] not in INCIDENTAL]
    decides = {
        **chosen, **hashes, "version": task.version, "backend": card.backend, "settings": settings,
        "instruction": words, "chat": card.chat, "base": card.base,
    }  # fmt: skip
    path = out / card.name / f"{task.name}-{options.level}-{identity(decides)}"
    with Run(path) as directory:
        if fresh:
            directory.clear()
            (path / FORCED).unlink(missing_ok=True)
        done = {(s["id"], s["epoch"]) for s in directory.samples() if s["finish"] != "error"}
        tries = [(item, epoch) for item in items for epoch in range(options.epochs)]
        todo = [(item, epoch) for item, epoch in tries if (item.id, epoch) not in done]
        config = {"run": named(asdict(options), card, plugins), **resolved(options.task, card, model, plugins, hashes)}
        if done and todo:
            config |= _earlier(directory.config(), config)
        if todo:
            directory.configure(config)
        limits = Limits(options.max_tokens, options.temperature, options.seed, words, options.max_seconds or inf)
        with progress(f"{card.name} on {task.name}-{options.level}") as show:
            for count, sample in enumerate(evaluate(model, todo, options.context, limits), len(done) + 1):
                directory.append(sample)
                show(count, len(tries))
        if todo:  # with the memory that it took
            flips = _flipped(model, items, options.context, words)
            directory.configure(config | {"model": {**facts(model, "facts", model.facts()), **flips}})
        elif options.forced > directory.config()["run"].get("forced", 0):
            directory.configure({**directory.config(), "run": config["run"]})
    if options.forced:
        _force(Run(path, FORCED), items, model, task, options, limits=limits)
    results = Results.of(Run(path), task)
    write(results, path, task)
    return results


def _force(run: Run, items: Sequence[Item], model: Model, task: Task[Any], options: Options, *, limits: Limits) -> None:
    """Put errors into the completions of the run, and let the model go on; what was done before is kept."""
    completions = {s["id"]: s["completion"] for s in Run(run.path).samples() if s["epoch"] == 0}
    found = dict(injections(task, items, completions, options.forced))
    with run as directory:
        before = list(directory.samples())
        done = {s["id"]: s for s in before if s["finish"] != "error" and _same_error(s, found)}
        if len(done) < len(before):  # of another time, when other errors were chosen
            directory.clear()
            for sample in done.values():
                directory.append(sample)
        todo = {name: each for name, each in found.items() if name not in done}
        begun = {name: error.text for name, (_, error) in todo.items()}
        tries = [(replace(item, id=name), 0) for name, (item, _) in todo.items()]
        with progress(f"forced errors on {task.name}-{options.level}") as show:
            for count, sample in enumerate(evaluate(model, tries, options.context, limits, begun=begun), 1):
                directory.append({**sample, "forced": todo[sample["id"]][1].facts()})
                show(count, len(tries))


def _same_error(sample: Sample, found: Mapping[str, tuple[Item, Injection]]) -> bool:
    return sample["id"] in found and sample["completion"].startswith(found[sample["id"]][1].text)


def prepare(task: Task[Any], level: str, *, seed: int, limit: int, path: Path | None) -> list[Item]:
    """The items of a task: generated ones of a level, or, with `path`, those of a file or folder."""
    source = from_file(task, path) if path else generated(task, level, seed=seed, limit=limit)
    items: list[Item] = []
    with progress(f"items of {task.name}-{level}") as show:
        for item in islice(source, limit):
            items.append(item)
            show(len(items), limit)
    if not items:
        raise UsageError(f"{path}: no problems in it.")
    return items


def _earlier(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What was otherwise when the samples that are there already were made, such as threads or a version."""
    facts = {**before.get("model", {}), **before.get("versions", {}), **before.get("earlier", {})}
    new = {**now["model"], **now["versions"]}
    changed = {key: value for key, value in facts.items() if key in new and new[key] != value and key != "memory_bytes"}
    return {"earlier": changed} if changed else {}


def _flipped(model: Model, items: Sequence[Item], kind: ContextKind, words: str) -> dict[str, str]:
    """How many first turns are written otherwise side by side than one by one: rounding depends on the batch.

    A model that is elsewhere is not asked twice more.
    """
    if not isinstance(model, Encoding):
        return {}
    prompts = [context(kind, item.prompt).prompt for item in items[:SAMPLE]]
    alone, together = (how(model, prompts, instruction=words) for how in (parity.alone, parity.together))
    return {"flipped": f"{len(parity.different(alone, together))} of {len(alone)}"}


def _digest(items: Sequence[Item]) -> str:
    return sha256("\x1f".join(text for item in items for text in (item.id, item.native)).encode()).hexdigest()


def named(options: Mapping[str, Any], card: Card, plugins: Plugins) -> dict[str, Any]:
    """The options that are set, as the command line takes them."""
    chosen = {**options, "model": _spec(card, plugins)}
    return {key: value for key, value in chosen.items() if value not in ("", None, ())}


def resolved(task: str, card: Card, model: Model, plugins: Plugins, hashes: Mapping[str, str]) -> dict[str, Any]:
    """What there is to know of an evaluation besides its options."""
    return {
        "card": {
            "name": card.name,
            "backend": card.backend,
            "arm": card.arm,
            "context": card.context,
            "instructed": card.instructed,
            "chat": card.chat,
            **({"base": card.base} if card.base else {}),
        },
        "hashes": {key: value for key, value in hashes.items() if value},
        "versions": {
            "task": plugins.task(task).version,
            "aletheia-bench": version("aletheia-bench"),
            "python": platform.python_version(),
            "ortools": version("ortools"),
            "python-sat": version("python-sat"),
        },
        "model": facts(model, "facts", model.facts()),
        "machine": {"system": platform.platform(), "processor": platform.machine()},
        "plugins": {r.name: r.release for r in plugins.reports if r.status == "active"},
    }


def _spec(card: Card, plugins: Plugins) -> str:
    """What `--model` must be given to find the card again."""
    if plugins.cards.get(card.source.stem) == card.source:
        return card.source.stem
    return str(card.source) if card.source.suffix == ".toml" else f"{card.backend}:{card.source}"
