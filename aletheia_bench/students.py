"""Trains the student that a card describes on a verified corpus. Knows corpora and contexts, not how a model learns."""

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aletheia_bench import corpus
from aletheia_bench.arms import foreign, unlearnt
from aletheia_bench.contexts import examples
from aletheia_bench.detours import detours
from aletheia_bench.hints import hinted
from aletheia_bench.locking import alone
from aletheia_bench.naming import renamer
from aletheia_bench.progress import progress
from aletheia_bench.shapes import facts
from aletheia_plugins import Backend, Card, Example, Task, Trainable, UsageError, generator

__all__ = ["RANK", "Course", "check", "learnt", "made_from", "train"]


MAY_CHANGE = ("tokens", "epochs", "checkpoint_seconds", "batch_size")
"""Options of a back-end that do not spoil what is half done."""
RANK = int(os.environ.get("RANK", "0"))
"""Which of the processes that learn together this is, as `accelerate launch` and torchrun say it."""
READY = "ready.json"
PAGE = 2_000_000
"""About as many characters are read, and then forgotten, together."""
SIZED = 30
"""How many traces make a page is told from so many of them."""


@dataclass(frozen=True, slots=True)
class Course:
    """What a student is trained on: `count` problems of each task at each of the levels that it has, or a multiple."""

    tasks: tuple[Task[Any], ...]
    levels: tuple[str, ...]
    count: int
    seed: int = 0
    workers: int = 1
    shares: Mapping[str, int] = field(default_factory=dict)
    """Multiples of `count`, by TASK-LEVEL; 0 leaves a level of a task out."""

    def plans(self, card: Card) -> Iterator[corpus.Plan]:
        for task in self.tasks:
            for level in self.levels:
                count = self.count * self.shares.get(f"{task.name}-{level}", 1)
                if level in task.levels and count:
                    yield corpus.Plan(task, level, count, seed=self.seed, arm=card.arm, disguises=card.disguises)


class _Pages(Sequence[list[Example]]):
    """The turns of the next few traces; those of each corpus are spread evenly over all pages."""

    def __init__(self, card: Card, tasks: Sequence[Task[Any]], paths: Sequence[Path]) -> None:
        self.card = card
        self.tasks = {task.name: task for task in tasks}
        self.corpora = [corpus.Records(path) for path in paths]
        places = [(which, n) for which, records in enumerate(self.corpora) for n in range(len(records))]
        places.sort(key=lambda place: place[1] / len(self.corpora[place[0]]))
        some = generator("page").sample(places, min(SIZED, len(places)))
        size = sum(map(self._size, some)) / max(1, len(some))
        many = max(1, round(PAGE / max(1, size)))
        self.pages = [places[start : start + many] for start in range(0, len(places), many)]
        """(corpus, record) of each trace of each page."""

    def _size(self, place: tuple[int, int]) -> int:
        """How many characters are read of a trace."""
        read = self._turns(self.corpora[place[0]][place[1]])
        return sum(len(e.prompt) + len(e.completion) + sum(len(lines) for _, lines in e.exercises) for e in read)

    def __len__(self) -> int:
        return len(self.pages)

    def __getitem__(self, number: Any) -> Any:
        return [example for which, place in self.pages[number] for example in self._turns(self.corpora[which][place])]

    def _turns(self, record: corpus.Record) -> Iterator[Example]:
        card, task, prompt, text = self.card, self.tasks[record["task"]], record["prompt"], record["completion"]
        csp = task.csp(task.loads(record["problem"])[0])
        rename = renamer(card.names, prompt, text, generator("names", record["id"]))
        backtracks = "\nbacktrack " in text or card.detours > 0  # what a student never does is not practised
        found = learnt(card, record)
        found += detours(found, prompt, csp, card.detours, generator("detours", record["id"]))
        for example in found:
            if not foreign(record["arm"]):
                example = hinted(example, prompt, csp, exercises=card.exercises, backtracks=backtracks)  # noqa: PLW2901
            yield rename(example)


def learnt(card: Card, record: corpus.Record) -> list[Example]:
    """The turns of a trace that are learnt; of more than `card.turns`, so many, always the same ones."""
    text = record["completion"]
    found = list(examples(card.context, record["prompt"], text, unlearnt=unlearnt(record["arm"], text)))
    if not 0 < card.turns < len(found):
        return found
    return generator("turns", record["id"]).sample(found, card.turns)


def check(card: Card) -> None:
    """Raises UsageError if the [data] of the card asks for what its context or arm cannot have."""
    for option in ("exercises", "turns"):
        if getattr(card, option) and card.context != "folded":
            raise UsageError(f"{card.name} has {option}, which need folded contexts: leave them out of its [data].")
    if card.detours and (card.context, card.arm) != ("folded", "backtracking"):
        raise UsageError(
            f"{card.name} has detours, which need folded contexts and the arm backtracking: "
            "leave them out of its [data]."
        )


def train(card: Card, backend: Backend, course: Course, out: Path) -> Card:
    """Build the corpora in `out`/corpus, train, and return the card with its new weights, which are in `out`.

    Both stations go on where an earlier call with the same arguments stopped.
    """
    if not isinstance(backend, Trainable):
        raise UsageError(f"The back-end {card.backend!r} of {card.name} cannot train; choose a card of one that can.")
    check(card)
    plans = list(course.plans(card))
    if not plans:
        raise UsageError(f"{card.name}: no task has a level named {' or '.join(course.levels)}.")
    backend.check(card)
    if RANK:
        return _learn_along(card, backend, course, out)
    out.mkdir(parents=True, exist_ok=True)
    with alone(out / ".lock", UsageError(f"Another training is at work in {out}: wait for it, or use another folder.")):
        _go_on(card, course, out)
        pages = _Pages(card, course.tasks, [_corpus(plan, out / "corpus", course.workers) for plan in plans])
        (out / "corpus" / READY).write_text(_ready(card, course), encoding="utf-8")
        with progress(f"training {card.name}") as show:
            figures = backend.fit(card, pages, out, seed=course.seed, workers=course.workers, progress=show)
        told = {**made_from(card, course), "machine": _machine(), **facts(backend, "fit", figures)}
        (out / "training.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return replace(card, weights=out, sha256=None)


def _learn_along(card: Card, backend: Trainable, course: Course, out: Path) -> Card:
    """Train as one of several processes, of which the first one makes the corpora and writes what comes of it."""
    ready = out / "corpus" / READY
    while not (ready.exists() and ready.read_text(encoding="utf-8") == _ready(card, course)):
        time.sleep(0.2)
    pages = _Pages(card, course.tasks, [_path(plan, out / "corpus") for plan in course.plans(card)])
    backend.fit(card, pages, out, seed=course.seed, workers=course.workers, progress=lambda *_, **__: None)
    return replace(card, weights=out, sha256=None)


def _ready(card: Card, course: Course) -> str:
    """Says that the corpora of a training are finished: they depend on nothing else."""
    return json.dumps(made_from(card, course))


def made_from(card: Card, course: Course) -> dict[str, Any]:
    """All that the weights of a student depend on, as JSON would have it."""
    return {
        "card": card.name,
        "arm": card.arm,
        "context": card.context,
        "chat": card.chat,
        "base": card.base,
        "tasks": {task.name: task.version for task in course.tasks},
        "traces": corpus.TRACES,
        "levels": list(course.levels),
        "count": course.count,
        "shares": dict(course.shares),
        "names": dict(card.names),
        "exercises": card.exercises,
        "detours": card.detours,
        "disguises": card.disguises,
        "turns": card.turns,
        "seed": course.seed,
        "settings": {name: dict(table) for name, table in card.settings.items() if name != "generation"},
    }


def _go_on(card: Card, course: Course, out: Path) -> None:
    """What is half done in `out` must have been begun with the same options, but for those that may change."""
    wanted = made_from(card, course)
    path = out / "corpus" / "options.json"
    if path.exists():
        begun = {"traces": 1, **_begun(path)}  # before they were numbered
        if other := next(_differences(begun, wanted), None):
            raise UsageError(f"{out} was begun with {other}: train into another folder, or delete it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(wanted), encoding="utf-8")
    new.replace(path)


def _begun(path: Path) -> dict[str, Any]:
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        begun = None
    if not isinstance(begun, dict):
        raise UsageError(f"{path} is damaged: delete {path.parents[1]}, or train into another folder.")
    return begun


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """The options, in tables of tables, that are not equal: name, and both values."""
    for name in sorted(before.keys() | now.keys()):
        then, wanted = before.get(name), now.get(name)
        if isinstance(then, Mapping) and isinstance(wanted, Mapping):
            yield from _differences(then, wanted)
        elif then != wanted and name not in MAY_CHANGE:
            yield f"{name} {then!r}, not {wanted!r}"


def _path(plan: corpus.Plan, folder: Path) -> Path:
    return folder / f"{plan.task.name}-{plan.level}-{plan.arm}.jsonl"


def _corpus(plan: corpus.Plan, folder: Path, workers: int) -> Path:
    path = _path(plan, folder)
    with progress(f"traces {plan.task.name} {plan.level}") as show:
        for done in corpus.build(plan, path, workers=workers):
            show(done, len(plan.indices()))
    return path


def _machine() -> str:
    return f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}"
