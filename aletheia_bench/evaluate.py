"""Lets a model write its way through items. Knows contexts and budgets; judges nothing.

An item is a conversation of turns: each turn's prompt depends on what the model wrote before, so that all items go on
side by side and the model's slots stay busy.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from math import inf
from types import MappingProxyType
from typing import Literal as OneOf, NotRequired, TypedDict

from aletheia_bench.contexts import Context, context
from aletheia_bench.items import Item
from aletheia_bench.shapes import polled
from aletheia_bench.text import ANSWER, split_lines
from aletheia_plugins import Completion, ContextKind, Model, Request

__all__ = ["Limits", "Sample", "evaluate"]

Finish = OneOf["answered", "ended", "truncated", "timeout", "error"]


Begun = Mapping[str, str]
NOTHING: Begun = MappingProxyType({})


class Sample(TypedDict):
    """What a model did with an item: one line of samples.jsonl."""

    id: str
    epoch: int
    problem: str
    verdict: str
    reference: dict[str, int | str]
    completion: str
    finish: Finish
    turns: int
    prompt_tokens: int
    tokens: int
    seconds: float
    error: str
    forced: NotRequired[dict[str, str | int]]
    """The error that was put into it: its kind, the wrong literal, and its line."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one item may use, how its tokens are chosen, and what is said before each prompt."""

    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    instruction: str = ""
    seconds: float = inf
    """As its completions count them: an item's share of the machine's time."""


@dataclass(slots=True)
class _Episode:
    """One item while it is being solved."""

    item: Item
    epoch: int
    context: Context
    text: str = ""
    finish: Finish | None = None
    turns: int = 0
    prompt_tokens: int = 0
    tokens: int = 0
    seconds: float = 0.0
    error: str = ""

    def request(self, limits: Limits) -> Request:
        """The next turn. Its seed depends on item, epoch and turn alone, so that a resumed run draws the same."""
        name = f"{self.item.id}/{self.epoch}"
        seed = blake2b(f"{limits.seed}/{name}/{self.turns}".encode(), digest_size=7).digest()
        number = int.from_bytes(seed, "big")
        tokens, seconds = limits.max_tokens - self.tokens, limits.seconds - self.seconds
        return Request(name, self.context.prompt, (), tokens, limits.temperature, number, seconds, limits.instruction)

    def take(self, completion: Completion, limits: Limits) -> None:
        """Add a turn, line by line; what stands after an answer is dropped. An answer that was cut off is none."""
        self.turns += 1
        self.prompt_tokens += completion.prompt_tokens
        self.tokens += max(1, len(completion.tokens))  # an end costs something, or a budget would not end it
        self.seconds += completion.seconds
        for line in split_lines(completion.text):
            self.text += line
            self.context.extend(line)
            if line.startswith(ANSWER) and (line.endswith("\n") or completion.finish == "stop"):
                self.finish = "answered"
                return
        self.finish = self._ending(completion, limits)

    def _ending(self, completion: Completion, limits: Limits) -> Finish | None:
        self.error = completion.error
        if completion.finish in ("error", "timeout"):
            return "error" if completion.finish == "error" else "timeout"
        if completion.finish == "length" or self.tokens >= limits.max_tokens:
            return "truncated"
        return None if completion.text.endswith("\n") else "ended"

    def sample(self) -> Sample:
        return {
            "id": self.item.id,
            "epoch": self.epoch,
            "problem": self.item.native,
            "verdict": str(self.item.verdict),
            "reference": self.item.reference,
            "completion": self.text,
            "finish": self.finish or "error",
            "turns": self.turns,
            "prompt_tokens": self.prompt_tokens,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 6),
            "error": self.error,
        }


def evaluate(
    model: Model, items: Iterable[tuple[Item, int]], kind: ContextKind, limits: Limits, *, begun: Begun = NOTHING
) -> Iterator[Sample]:
    """A sample for each (item, epoch), in the order in which they end.

    `begun`: lines with which the completion of an item begins, by its id; the model goes on from there.
    """
    going: dict[str, _Episode] = {}
    for item, epoch in items:
        episode = _Episode(item, epoch, context(kind, item.prompt))
        for line in split_lines(begun.get(item.id, "")):
            episode.text += line
            episode.context.extend(line)
        request = episode.request(limits)
        going[request.id] = episode
        model.submit(request)
    while going:
        for completion in polled(model, going):
            episode = going[completion.id]
            episode.take(completion, limits)
            if episode.finish is None:
                model.submit(episode.request(limits))
            else:
                yield going.pop(completion.id).sample()
