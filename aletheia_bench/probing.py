"""Asks a model what it would write in each state of a bank. Joins bank, model and directory; measures nothing.

config.toml      the options (re-runnable: aletheia-bench --config FILE probes), versions, hashes, the machine
probes.jsonl     one line per state, appended and flushed as it is answered, each with a checksum
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TypedDict

from aletheia_bench import cards
from aletheia_bench.evaluation import named, resolved
from aletheia_bench.instructions import instruction
from aletheia_bench.probes import Probe, probes
from aletheia_bench.progress import progress
from aletheia_bench.runs import Run, identity
from aletheia_bench.text import ANSWER
from aletheia_plugins import Card, ContextKind, Model, Scoring, Task, UsageError
from aletheia_plugins.loading import Plugins

__all__ = ["PROBES", "WORDS", "Answered", "Options", "ask", "bank", "probe"]

PROBES = "probes.jsonl"
WORDS = ("conflict", "decide", "imply", ANSWER)
"""First words of the steps that the grammar allows in a state of the bank."""
CHUNK = 32
"""States that a model is asked about at a time."""


class Answered(TypedDict):
    """A state, and what a model would write in it: one line of probes.jsonl."""

    id: str
    item: str
    problem: str
    state: list[str]
    dead: bool
    traces: list[str]
    prompts: list[str]
    log_likelihoods: list[list[float] | None]
    """Of `WORDS`, after each prompt; none after one that leaves no room for them."""
    p: list[float | None]
    """Of a conflict, if it must be one of these words."""


@dataclass(frozen=True, slots=True)
class Options:
    """What decides the answers; any difference is another directory."""

    task: str
    level: str
    model: str
    count: int
    seed: int
    context: ContextKind
    backend: str = ""
    overrides: tuple[str, ...] = ()


def bank(task: Task[Any], level: str, *, kind: ContextKind, seed: int, count: int) -> list[Probe]:
    """The states of a level; raises UsageError if it has none that is dead."""
    found: list[Probe] = []
    with progress(f"states of {task.name}-{level}") as show:
        for each in probes(task, level, kind=kind, seed=seed, limit=count):
            found.append(each)
            show(len(found), count)
    if not found:
        raise UsageError(
            f"No state of {task.name}-{level} with a conflict to claim was reached in two ways: choose another level."
        )
    return found


def ask(model: Scoring, states: Sequence[Probe], *, instruction: str = "") -> Iterator[Answered]:
    """What the model would write in each state, in their order."""
    for first in range(0, len(states), CHUNK):
        part = states[first : first + CHUNK]
        prompts = [prompt for each in part for prompt in each.prompts]
        rows = iter(model.likelihoods(prompts, WORDS, instruction=instruction))
        for each in part:
            found = [next(rows) for _ in each.prompts]
            yield {
                "id": each.id,
                "item": each.item,
                "problem": each.native,
                "state": list(each.state),
                "dead": each.dead,
                "traces": list(each.traces),
                "prompts": list(each.prompts),
                "log_likelihoods": [None if row is None else list(row) for row in found],
                "p": [None if row is None else _first(row) for row in found],
            }


def _first(logarithms: Sequence[float]) -> float | None:
    """The share of the first one; None where all are impossible."""
    top = max(logarithms)
    if top == -math.inf:
        return None
    weights = [math.exp(value - top) for value in logarithms]
    return weights[0] / sum(weights)


def probe(
    options: Options,
    states: Sequence[Probe],
    card: Card,
    plugins: Plugins,
    *,
    open_model: Callable[[], Model],
    out: Path,
    fresh: bool,
) -> Run:
    """The directory with all answers; the model is opened only if some are missing."""
    task = plugins.task(options.task)
    hashes = {"weights": cards.verify(card) or "", "probes": _digest(states)}
    settings = {name: table for name, table in card.settings.items() if name not in ("architecture", "training")}
    words = instruction(task) if card.instructed else ""
    decides = {
        **asdict(options), **hashes, "version": task.version, "backend": card.backend, "settings": settings,
        "instruction": words, "chat": card.chat, "base": card.base, "words": WORDS,
    }  # fmt: skip
    path = out / card.name / f"probes-{task.name}-{options.level}-{identity(decides)}"
    with Run(path, PROBES) as directory:
        if fresh:
            directory.clear()
        done = {line["id"] for line in directory.lines()}
        todo = [each for each in states if each.id not in done]
        if todo:
            model = open_model()
            if not isinstance(model, Scoring):
                raise UsageError(
                    f"{card.name} runs on {card.backend}, which tells no probabilities of texts: "
                    "choose a model, or a --backend, that does, such as hf, lora or gguf."
                )
            told = resolved(task.name, card, model, plugins, hashes)
            directory.configure({"probes": named(asdict(options), card, plugins), **told})
            with progress(f"{card.name} on states of {task.name}-{options.level}") as show:
                for number, answered in enumerate(ask(model, todo, instruction=words), len(done) + 1):
                    directory.append(answered)
                    show(number, len(states))
    return directory


def _digest(states: Sequence[Probe]) -> str:
    texts = (text for each in states for text in (each.id, each.native, str(each.dead), *each.traces, *each.prompts))
    return sha256("\x1f".join(texts).encode()).hexdigest()
