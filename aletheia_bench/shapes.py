"""Looks at what tasks, back-ends and models return, before it is used: what is none of it names whose doing that is.

Knows what the contract says of each value, not whether it is a good one: that is for `aletheia_bench.testing`.
"""

import json
import reprlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from math import isfinite
from pathlib import Path
from typing import Any

from aletheia_plugins import CSP, AletheiaError, Backend, Card, Completion, Describing, Model, Solution, Split, Task
from aletheia_plugins.loading import defect, printable

__all__ = ["described", "facts", "generated", "opened", "polled", "posed", "reread", "solved", "written"]

METHODS = tuple(name for name in vars(Model) if not name.startswith("_"))
DESCRIBED = {field.name for field in fields(Card)} - {"name", "backend", "source"}
"""Fields of a card that a back-end can fill."""
FINISHES = ("stop", "length", "timeout", "error")
PARTS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "text": ("a text", lambda value: isinstance(value, str)),
    "tokens": ("a tuple of ids", lambda value: isinstance(value, tuple | list)),
    "prompt_tokens": ("a whole number", lambda value: isinstance(value, int) and value >= 0),
    "finish": (" or ".join(FINISHES), lambda value: value in FINISHES),
    "seconds": ("a number of seconds", lambda value: isinstance(value, int | float) and isfinite(value) and value >= 0),
    "error": ("a text", lambda value: isinstance(value, str)),
}
"""Part of a completion → what it must be."""


def generated(task: Task[Any], level: str, split: Split, seed: int, index: int) -> Any:
    """A problem of the task's own type."""
    problem = task.generate(level, split=split, seed=seed, index=index)
    if problem is None:
        raise _wrong(task, "generate", problem, "a problem")
    return problem


def written(task: Task[Any], method: str, problem: Any) -> str:
    """The text that `dumps`, `canonical` or `render` makes of a problem."""
    found: object = getattr(task, method)(problem)
    if not isinstance(found, str):
        raise _wrong(task, method, found, "a text")
    return found


def reread(task: Task[Any], native: str) -> Any:
    """The problem that `dumps` wrote."""
    found: object = task.loads(native)
    if not isinstance(found, Sequence) or len(found) != 1:
        raise _wrong(task, "loads", found, "a list of the one problem that `dumps` wrote")
    return found[0]


def posed(task: Task[Any], problem: Any) -> CSP:
    """What the search sees of a problem."""
    found: object = task.csp(problem)
    if not isinstance(found, CSP):
        raise _wrong(task, "csp", found, "a CSP")
    domains: object = found.domains
    if not isinstance(domains, Mapping) or not domains:
        raise _wrong(task, "csp", domains, "a mapping from variables to their values, as domains")
    return found


def solved(task: Task[Any], problem: Any) -> Solution:
    """What the task's solver says."""
    found: object = task.solve(problem)
    if not isinstance(found, Solution):
        raise _wrong(task, "solve", found, "a Solution")
    return found


def opened(backend: Backend, card: Card) -> Model:
    """The card's model."""
    model = backend.open(card)
    if missing := [name for name in METHODS if not callable(getattr(model, name, None))]:
        raise _wrong(backend, "open", model, f"a model: it lacks {', '.join(missing)}")
    return model


def polled(model: Model, queued: Collection[str]) -> Sequence[Completion]:
    """What is done of the requests that are queued: one completion at least, and none twice."""
    found: object = model.poll()
    if not isinstance(found, Sequence) or not all(isinstance(each, Completion) for each in found):
        raise _wrong(model, "poll", found, "a list of completions")
    if not found:
        raise _wrong(model, "poll", found, f"what became of {len(queued)} requests, {min(queued)!r} among them")
    names = [each.id for each in found]
    if wrong := [name for name in names if name not in queued or names.count(name) > 1]:
        raise _wrong(model, "poll", wrong[0], "the id of a request that is queued, once")
    for each in found:
        for part, (expected, holds) in PARTS.items():
            if not holds(value := getattr(each, part)):
                raise _wrong(model, "poll", value, f"{expected}, as {part} of {each.id!r}")
    return found


def facts(source: Model | Backend, method: str, found: object) -> dict[str, Any]:
    """What `method` says for people to read, as a file can keep it."""
    if not isinstance(found, Mapping):
        raise _wrong(source, method, found, "a mapping")
    try:
        json.dumps(dict(found))
    except (TypeError, ValueError) as error:
        raise _wrong(source, method, found, "what JSON can hold") from error
    return dict(found)


def described(backend: Describing, where: str) -> dict[str, Any]:
    """The fields of the card that BACKEND:WHERE stands for."""
    found: object = backend.describe(where)
    if not isinstance(found, Mapping):
        raise _wrong(backend, "describe", found, "a mapping")
    if unknown := [key for key in found if key not in DESCRIBED]:
        raise _wrong(backend, "describe", unknown[0], f"a field of a card: {', '.join(sorted(DESCRIBED))}")
    if not isinstance(found.get("weights"), Path | None):
        raise _wrong(backend, "describe", found["weights"], "a Path, as weights")
    return dict(found)


def _wrong(source: object, method: str, found: object, expected: str) -> AletheiaError:
    return AletheiaError(f"`{method}` returns {printable(reprlib.repr(found))}, and not {expected}: {defect(source)}")
