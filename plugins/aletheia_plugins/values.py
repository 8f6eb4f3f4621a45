"""The values that cross a seam: literals, constraints, steps, traces, verdicts, requests, completions, cards.

Knows nothing of text, search, files or models. Everything is frozen and slotted.
"""

import enum
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal as OneOf, Protocol

__all__ = [
    "CSP",
    "WORD",
    "Answer",
    "Assignment",
    "AtMost",
    "Backtrack",
    "Bounded",
    "Card",
    "Completion",
    "Conflict",
    "Constraint",
    "ContextKind",
    "Decide",
    "Domains",
    "Example",
    "Imply",
    "Literal",
    "Propagated",
    "Propagator",
    "Request",
    "Solution",
    "State",
    "Step",
    "Trace",
    "Verdict",
    "literal",
]

Assignment = Mapping[str, str]
"""Variable → value. Partial unless said otherwise."""

Domains = Mapping[str, tuple[str, ...]]
"""Variable → its possible values, in the order in which a search tries them. A variable with one value is given."""

ContextKind = OneOf["folded", "cumulative"]


@dataclass(frozen=True, slots=True)
class Literal:
    """`variable=value`, or, with `equal` false, `variable!=value`: that value is excluded."""

    variable: str
    value: str
    equal: bool = True

    def __str__(self) -> str:
        return f"{self.variable}{'=' if self.equal else '!='}{self.value}"


@lru_cache(maxsize=1 << 16)
def literal(text: str) -> Literal:
    """The literal that `text` writes, such as `x3=1` or `r1c2!=4`. Raises ValueError on anything else."""
    left, separator, value = text.partition("=")
    variable = left.removesuffix("!")
    if not separator or not variable.isalnum() or not value.isalnum():
        raise ValueError(f"expected variable=value or variable!=value, got {text!r}")
    return Literal(variable, value, equal=left == variable)


class Verdict(enum.StrEnum):
    SAT = "SAT"
    UNSAT = "UNSAT"
    UNKNOWN = "UNKNOWN"
    """Out of budget; never a synonym of UNSAT."""


@dataclass(frozen=True, slots=True)
class Solution:
    """What a solver says; `assignment` is complete when the verdict is SAT, else None."""

    verdict: Verdict
    assignment: Assignment | None = None


# --- constraint satisfaction problems ---


@dataclass(frozen=True, slots=True)
class AtMost:
    """At most `limit` of these (variable, value) pairs, all different, may hold: all that a search needs to know."""

    limit: int
    pairs: tuple[tuple[str, str], ...]


class Bounded(Protocol):
    """A constraint that is nothing but bounds: the search only counts."""

    @property
    def name(self) -> str:
        """How a trace cites it: words separated by single spaces."""
        ...

    def bounds(self, domains: Domains) -> Iterator[AtMost]:
        """Bounds that together hold exactly when the constraint does."""
        ...


Propagator = Callable[[Assignment], Mapping[str, Collection[str]] | None]
"""From what some of a constraint's variables are: for each of them the values that it can have beside that.

A value can be had if some complete choice of values from the domains has it, agrees with what is given, and satisfies
the constraint. None if there is no such choice at all. Only variables of the constraint are ever given.
"""


class Propagated(Protocol):
    """A constraint with a propagator of its own: what bounds cannot say, or not well."""

    @property
    def name(self) -> str:
        """How a trace cites it: words separated by single spaces."""
        ...

    @property
    def variables(self) -> tuple[str, ...]:
        """All that it is about, each once, in the order in which a trace cites them."""
        ...

    def propagator(self, domains: Domains) -> Propagator:
        """For these domains of its variables, and remembered by its hash; raises ValueError if they are none for it."""
        ...

    def __hash__(self) -> int: ...


Constraint = Bounded | Propagated
"""Something an assignment can falsify: hashable, compared by content."""


@dataclass(frozen=True, slots=True)
class CSP:
    """What the search sees. Constraints and variables are tried in their order here, those with bounds first.

    propagation: "unit" looks at one constraint at a time, as DPLL does (all variables have at most two values);
    "forward" looks at one variable at a time and at the values its assigned neighbours leave it.
    """

    domains: Domains
    constraints: tuple[Constraint, ...]
    propagation: OneOf["unit", "forward"]


# --- traces ---


@dataclass(frozen=True, slots=True)
class State:
    """All that the search knows besides the problem: literals by decision level.

    `levels[0]` holds without a decision; the first literal of each further level is its decision.
    """

    levels: tuple[tuple[Literal, ...], ...]


@dataclass(frozen=True, slots=True)
class Decide:
    literal: Literal


@dataclass(frozen=True, slots=True)
class Imply:
    """`literal` follows: with `cites`, each other value of its variable is excluded or falsifies what is named.

    `name` is a constraint, or the variable itself if different constraints exclude its values.
    """

    name: str
    cites: tuple[Literal, ...]
    literal: Literal


@dataclass(frozen=True, slots=True)
class Conflict:
    """`cites` falsify the constraint `name`, or leave the variable `name` without a value."""

    name: str
    cites: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Backtrack:
    """Undo the latest decision, which is on `variable`."""

    variable: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict, with a complete assignment if it is SAT."""

    verdict: Verdict
    assignment: tuple[Literal, ...] = ()


Step = State | Decide | Imply | Conflict | Backtrack | Answer


@dataclass(frozen=True, slots=True)
class Trace:
    """The steps of a search; without an `Answer` at the end the search ran out of budget."""

    steps: tuple[Step, ...]

    @property
    def verdict(self) -> Verdict:
        last = self.steps[-1] if self.steps else None
        return last.verdict if isinstance(last, Answer) else Verdict.UNKNOWN


# --- models ---


WORD = re.compile(r"\n| ?[^ \n]+")
"""A word of a prompt or a trace, with the space before it; a newline is a word too."""


@dataclass(frozen=True, slots=True)
class Example:
    """One training example: loss on `completion`; on the prompt only where there is a hint, if the recipe wants it."""

    prompt: str
    completion: str
    hints: tuple[tuple[int, tuple[str, ...]], ...] = ()
    """(n, words): what could be said at the n-th `WORD` of the prompt: a kind, and what it rests on."""
    previews: tuple[tuple[int, str], ...] = ()
    """(n, word): what the completion would begin with, or could name or say, if the prompt ended at its n-th word."""
    alternatives: tuple[str, ...] = ()
    """Other completions that are as right; they begin with the same word."""
    unlearnt: frozenset[int] = frozenset()
    """Lines of the completion, counted from 0, that are read but not learnt."""
    exercises: tuple[tuple[int, str], ...] = ()
    """(n, lines): something to practise behind the prompt that is not asked for; its first n words are given."""


@dataclass(frozen=True, slots=True)
class Request:
    """Continue `prompt` until a text in `stop` was written (and is included), the model ends, or `max_tokens`.

    `seconds` that its completion may take, as the completion counts them.
    """

    id: str
    prompt: str
    stop: tuple[str, ...]
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    seconds: float = math.inf
    instruction: str = ""
    """What is to be said before the prompt."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote for the request `id`.

    finish: "stop" (a stop text, or the model's own end), "length" (max_tokens, or no room in the context), "timeout",
    or "error"; with the cause in `error`, where there is more to say. `tokens`: their ids, -1 for one whose id the
    back-end is not told. `seconds` is the share of wall time that this request took.
    """

    id: str
    text: str
    tokens: tuple[int, ...]
    prompt_tokens: int
    finish: OneOf["stop", "length", "timeout", "error"]
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A model, described by data. `settings` holds the back-end's own tables, unread by the harness."""

    name: str
    backend: str
    source: Path
    """The TOML file; relative paths in it are relative to its folder."""
    context: ContextKind = "folded"
    arm: str = "backtracking"
    max_tokens: int = 4096
    """Completion tokens that one item may use."""
    instructed: bool = False
    """It was not trained on traces: each prompt begins with what they are."""
    chat: bool = False
    """Each prompt is a user's message in its chat template, if it has one."""
    base: str = ""
    """The model that it is trained from: a path, or what a hub calls it."""
    control: str | None = None
    """The card of the student to compare with."""
    tasks: tuple[str, ...] = ()
    """What it is trained on: `count` problems of each of these tasks at each of these levels."""
    levels: tuple[str, ...] = ()
    count: int = 0
    shares: Mapping[str, int] = field(default_factory=dict)
    """For a task and level, such as sudoku-small: how many times `count` problems of it, where not once; 0 is none."""
    names: Mapping[str, int] = field(default_factory=dict)
    """For letters of names, such as x of x3: how many names there are, of which each problem is given some anew."""
    exercises: int = 0
    """Names that it practises reading at each turn, beside the turn itself."""
    detours: int = 0
    """Wrong decisions from which it practises to return, for each trace."""
    disguises: int = 0
    """Every other problem is seen in that one of so many disguises that is hardest to read."""
    turns: int = 0
    """Turns of a trace that are learnt, beside detours: of one that has more, so many, drawn at random; 0: all."""
    weights: Path | None = None
    """A folder of weights, or a file."""
    sha256: str | None = None
    """Of the weights, as the harness's `cards.digest` computes it."""
    settings: Mapping[str, Any] = field(default_factory=dict)
