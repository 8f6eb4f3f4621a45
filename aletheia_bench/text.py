"""The trace grammar: one step a line, words separated by single spaces. Knows no task, no search and no model.

state: x4=0 | x1=1 x3=1 | x2=0                  literals by decision level, a decision after each |; - if empty
decide x5=1
imply ~x1 x3 : x1=1 -> x3=1                     constraint (or variable) : what it cites -> what follows
conflict ~x3 ~x1 x2 : x3=1 x1=1 x2=0            constraint (or variable) : what it cites
backtrack x2
answer: SAT x1=1 x2=0 ...                       or: answer: UNSAT
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from aletheia_plugins import (
    Answer,
    Backtrack,
    Conflict,
    Decide,
    Imply,
    Literal,
    State,
    Step,
    Trace,
    TraceError,
    Verdict,
    literal,
)

__all__ = [
    "ANSWER",
    "KEYWORDS",
    "STATE",
    "bare_lines",
    "parse",
    "parse_line",
    "render",
    "render_step",
    "segments",
    "split_lines",
    "step_in",
]

STATE, ANSWER = "state:", "answer:"

word = lru_cache(maxsize=1 << 16)(str)
"""The text of a literal; `literal` reads it back."""


def render(trace: Trace) -> str:
    """The text of a trace; every line ends in a newline."""
    return "".join([render_step(step) + "\n" for step in trace.steps])


def render_step(step: Step) -> str:
    """The line of a step, without a newline."""
    return WRITERS[type(step)](step)


def _state(levels: tuple[tuple[Literal, ...], ...]) -> str:
    if levels in ((), ((),)):
        return f"{STATE} -"
    root, *decided = levels
    return " ".join([STATE, *map(word, root), *(w for level in decided for w in ("|", *map(word, level)))])


def _because(name: str, cites: Iterable[Literal]) -> str:
    return " ".join([name, ":", *map(word, cites)])


def parse(text: str) -> Trace:
    """The trace that `text` writes. Raises TraceError at the first line that is none."""
    return Trace(tuple(parse_line(line, number) for number, line in enumerate(bare_lines(text), 1)))


def split_lines(text: str) -> list[str]:
    """The lines of a text, with their ends: a newline, and nothing else that Unicode takes for the end of one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def bare_lines(text: str) -> list[str]:
    """The same without their ends; a carriage return before the newline is a part of it."""
    return [line.removesuffix("\n").removesuffix("\r") for line in split_lines(text)]


def parse_line(line: str, number: int = 1) -> Step:
    """The step that one line writes, without its newline."""
    keyword, _, rest = line.partition(" ")
    reader = READERS.get(keyword)
    if reader is None:
        raise TraceError(f"expected a step ({', '.join(READERS)}), got {line[:60]!r}", number)
    try:
        return reader(rest)
    except ValueError as error:
        raise TraceError(str(error), number) from error


def step_in(line: str) -> Step | None:
    """The step that one line writes, without its newline; None if it writes none. Quick for any line."""
    keyword, _, rest = line.partition(" ")
    reader = READERS.get(keyword)
    if reader is None:
        return None
    try:
        return reader(rest)
    except ValueError:
        return None


def segments(text: str) -> Iterator[str]:
    """The parts of a trace text: each a state line and all that follows up to the next one."""
    segment: list[str] = []
    for line in split_lines(text):
        if line.startswith(STATE) and segment:
            yield "".join(segment)
            segment = []
        segment.append(line)
    yield "".join(segment)


def _read_state(rest: str) -> State:
    if rest == "-":
        return State(((),))
    levels: list[list[Literal]] = [[]]
    for text in rest.split(" "):
        if text == "|":
            levels.append([])
        else:
            levels[-1].append(literal(text))
    if any(not level or not level[0].equal for level in levels[1:]):
        raise ValueError("expected a decision after each | of a state")
    return State(tuple(map(tuple, levels)))


def _read_decide(rest: str) -> Decide:
    return Decide(_assignment(rest))


def _read_imply(rest: str) -> Imply:
    because, arrow, implied = rest.rpartition(" -> ")
    if not arrow:
        raise ValueError(f"expected 'imply NAME : CITES -> LITERAL', got 'imply {rest[:60]}'")
    return Imply(*_read_because(because), _assignment(implied))


def _read_conflict(rest: str) -> Conflict:
    return Conflict(*_read_because(rest))


def _read_because(text: str) -> tuple[str, tuple[Literal, ...]]:
    name, colon, cites = text.partition(" :")
    if not colon or name.split() != name.split(" ") or (cites and not cites.startswith(" ")):
        raise ValueError(f"expected 'NAME : CITES', got {text[:60]!r}")
    return name, tuple([literal(cite) for cite in cites[1:].split(" ")]) if cites else ()


def _read_backtrack(rest: str) -> Backtrack:
    if not rest.isalnum():
        raise ValueError(f"expected a variable after backtrack, got {rest[:60]!r}")
    return Backtrack(rest)


def _read_answer(rest: str) -> Answer:
    verdict, *assignment = rest.split(" ")
    if verdict not in (Verdict.SAT, Verdict.UNSAT) or (verdict == Verdict.UNSAT and assignment):
        raise ValueError(f"expected 'SAT' with an assignment or 'UNSAT' alone, got {rest[:60]!r}")
    return Answer(Verdict(verdict), tuple([_assignment(text) for text in assignment]))


def _assignment(text: str) -> Literal:
    found = literal(text)
    if not found.equal:
        raise ValueError(f"expected variable=value, got {text!r}")
    return found


WRITERS: Mapping[type[Step], Callable[[Any], str]] = {
    State: lambda step: _state(step.levels),
    Decide: lambda step: f"decide {word(step.literal)}",
    Imply: lambda step: f"imply {_because(step.name, step.cites)} -> {word(step.literal)}",
    Conflict: lambda step: f"conflict {_because(step.name, step.cites)}",
    Backtrack: lambda step: f"backtrack {step.variable}",
    Answer: lambda step: " ".join([ANSWER, step.verdict, *map(word, step.assignment)]),
}
READERS: Mapping[str, Callable[[str], Step]] = {
    STATE: _read_state,
    "decide": _read_decide,
    "imply": _read_imply,
    "conflict": _read_conflict,
    "backtrack": _read_backtrack,
    ANSWER: _read_answer,
}
KEYWORDS = frozenset(READERS)
"""First words of lines."""
