"""Whether models read and write the same, and one model the same whoever is in its batch. Knows no back-end."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from aletheia_bench.contexts import examples
from aletheia_bench.search import search
from aletheia_bench.shapes import polled
from aletheia_bench.text import render
from aletheia_plugins import Completion, ContextKind, Encoding, Model, Request, Task, generator

__all__ = ["alone", "different", "encoded", "material", "together"]

TOKENS, SECONDS = 64, 60.0
"""The most that a completion has here."""


def material(
    tasks: Sequence[Task[Any]], level: str, kind: ContextKind, *, limit: int, seed: int = 0
) -> list[tuple[str, str]]:
    """(prompt, text), one test problem of each task in turn: a turn of its reference search, and all of it."""
    found = []
    for number in range(limit):
        task = tasks[number % len(tasks)]
        problem = task.generate(level, split="test", seed=seed, index=number // len(tasks))
        prompt, trace = task.render(problem), render(search(task.csp(problem)))
        turn = generator("parity", task.name, seed, number).choice(list(examples(kind, prompt, trace)))
        found.append((turn.prompt, prompt + trace))
    return found


def together(model: Model, prompts: Sequence[str], *, instruction: str = "") -> dict[str, Completion]:
    """Greedy completions by prompt, all submitted at once."""
    waiting = {str(number): prompt for number, prompt in enumerate(prompts)}
    for name, prompt in waiting.items():
        model.submit(Request(name, prompt, (), TOKENS, seconds=SECONDS, instruction=instruction))
    done: dict[str, Completion] = {}
    while waiting:
        done |= {waiting.pop(completion.id): completion for completion in polled(model, waiting)}
    return done


def alone(
    model: Model, prompts: Sequence[str], *, shuffle: int | None = None, instruction: str = ""
) -> dict[str, Completion]:
    """The same, one after the other; with `shuffle`, a seed, in another order."""
    order = list(prompts)
    if shuffle is not None:
        random.Random(shuffle).shuffle(order)
    done: dict[str, Completion] = {}
    for prompt in order:
        done |= together(model, [prompt], instruction=instruction)
    return done


def encoded(model: Encoding, wanted: Sequence[str]) -> dict[str, tuple[int, ...]]:
    return {text: tuple(model.encode(text)) for text in wanted}


def different(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Where two mappings from texts differ, in token ids or completions. A failure is like no other."""
    return [text for text in one if _failed(one[text], other[text]) or _tokens(one[text]) != _tokens(other[text])]


def _tokens(value: Any) -> Any:
    return (value.tokens, value.text) if isinstance(value, Completion) else value


def _failed(*values: Any) -> bool:
    return any(isinstance(value, Completion) and value.finish in ("error", "timeout") for value in values)
