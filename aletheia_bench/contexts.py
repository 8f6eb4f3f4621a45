"""What a model reads at each turn. Knows the first word of a line, not tasks, models or what a step means.

cumulative    the problem, then all that was written so far
folded        the current segment, then the problem: every turn reads the clauses (edges, cells) in the light of the
              state, which a causal model cannot do if the state comes after them; earlier segments are dropped

A turn ends where the model ends it. In a folded context that is after each line that changes the assignment, so that
the next turn reads the problem in the light of the change.
"""

from collections.abc import Iterator
from typing import Protocol

from aletheia_bench.text import ANSWER, STATE
from aletheia_plugins import ContextKind, Example

__all__ = ["Context", "context", "examples", "turns"]

CHANGES = (STATE, "decide", "imply")
"""First words of the lines that change the assignment."""


class Context(Protocol):
    """Builds the prompt of the next turn from what was written."""

    @property
    def prompt(self) -> str: ...

    def extend(self, line: str) -> bool:
        """Take up one line that was written, with its newline; whether a turn ends after it."""
        ...


class _Cumulative:
    def __init__(self, problem: str) -> None:
        self.prompt = problem

    def extend(self, line: str) -> bool:
        self.prompt += line
        return line.startswith(ANSWER)


class _Folded:
    def __init__(self, problem: str) -> None:
        self.problem, self.segment, self.turn = problem, "", ""

    @property
    def prompt(self) -> str:
        return self.segment + self.problem + self.turn

    def extend(self, line: str) -> bool:
        self.turn += line
        if not line.startswith(CHANGES):
            return line.startswith(ANSWER)
        self.segment = line if line.startswith(STATE) else self.segment + self.turn
        self.turn = ""
        return True


def context(kind: ContextKind, problem: str) -> Context:
    """A fresh context of that kind for a problem's prompt."""
    return _Folded(problem) if kind == "folded" else _Cumulative(problem)


def examples(kind: ContextKind, problem: str, text: str) -> Iterator[Example]:
    """The turns of a trace as training examples: what the model would read, and what it should write."""
    current = context(kind, problem)
    prompt, turn = current.prompt, ""
    for line in text.splitlines(keepends=True):
        turn += line
        if current.extend(line):
            yield Example(prompt, turn)
            prompt, turn = current.prompt, ""


def turns(kind: ContextKind, text: str) -> int:
    """How many turns a trace has."""
    current = context(kind, "")
    return sum(map(current.extend, text.splitlines(keepends=True)))
