"""What a model reads at each turn. Knows the first and last word of a line, not tasks, models or what a step means.

cumulative    the problem, then all that was written so far
folded        a state line, then the problem: every turn reads the clauses (edges, cells) in the light of the state,
              which a causal model cannot do if the state comes after them

The state line of a folded context is the last one that the model wrote, with what it has decided and implied since:
each turn depends on the problem and on one line, and the next state line is the beginning of this one and a literal.
A turn ends where the model ends it. In a folded context that is after each line that changes the assignment, so that
the next turn reads the problem in the light of the change.
"""

from collections.abc import Iterator
from typing import Protocol

from aletheia_bench.text import ANSWER, STATE, split_lines
from aletheia_plugins import ContextKind, Example

__all__ = ["Context", "context", "examples"]

EMPTY = f"{STATE} -\n"
CHANGES = {"decide": " | ", "imply": " "}
"""First words of the lines that add their last word to the assignment, and what stands before it in a state line."""


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
        self.problem, self.state, self.turn = problem, "", ""

    @property
    def prompt(self) -> str:
        return self.state + self.problem + self.turn

    def extend(self, line: str) -> bool:
        first, _, rest = line.partition(" ")
        if first == STATE:
            self.state = line
        elif first in CHANGES:
            held = STATE if self.state in ("", EMPTY) else self.state.rstrip("\n")
            self.state = f"{held}{CHANGES[first]}{rest.rpartition(' ')[2]}"
        else:
            self.turn += line
            return first == ANSWER
        self.turn = ""
        return True


def context(kind: ContextKind, problem: str) -> Context:
    """A fresh context of that kind for a problem's prompt."""
    return _Folded(problem) if kind == "folded" else _Cumulative(problem)


def examples(
    kind: ContextKind, problem: str, text: str, *, unlearnt: frozenset[int] = frozenset()
) -> Iterator[Example]:
    """The turns of a trace as training examples: what the model would read, and what it should write.

    Nothing is learnt from the lines of these numbers, and there is no example that has no other line.
    """
    current = context(kind, problem)
    prompt, turn = current.prompt, list[int]()
    lines = split_lines(text)
    for number, line in enumerate(lines):
        turn.append(number)
        if current.extend(line):
            quiet = frozenset(place for place, n in enumerate(turn) if n in unlearnt)
            if len(quiet) < len(turn):
                yield Example(prompt, "".join([lines[n] for n in turn]), unlearnt=quiet)
            prompt, turn = current.prompt, []
