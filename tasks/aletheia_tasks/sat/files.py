"""DIMACS CNF, as found in the wild."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain

from aletheia_plugins import ProblemFileError
from aletheia_tasks._common import whole_number
from aletheia_tasks.sat.problem import Problem

__all__ = ["dumps", "loads"]


COMMON = 256
"""Variables whose literals are looked up rather than parsed."""


def loads(text: str) -> Problem:
    """Reads comments anywhere, clauses over several lines, SATLIB's `%` at the end, and a missing last 0."""
    lines = _lines(text)
    start, header = next(lines, (0, []))
    variables = _header(header[:4], start)
    literals = _literals(min(variables, COMMON))
    clauses: list[tuple[int, ...]] = []
    open_clause: list[int] = []
    for line, words in chain([(start, header[4:])], lines):
        for word in words:
            literal = literals.get(word)
            if literal is None:
                literal = _literal(word, line, variables)
            if literal:
                open_clause.append(literal)
            else:
                clauses.append(tuple(open_clause))
                open_clause = []
    if open_clause:
        clauses.append(tuple(open_clause))
    return Problem(variables, tuple(clauses))


@lru_cache(maxsize=64)
def _literals(variables: int) -> dict[str, int]:
    """The usual spelling of each literal."""
    return {str(literal): literal for literal in range(-variables, variables + 1)}


def _literal(word: str, line: int, variables: int) -> int:
    """A literal of a large variable, or one that is written in an unusual way, such as 007."""
    literal = whole_number(word, line, "a literal")
    if abs(literal) > variables:
        raise ProblemFileError(f"expected variables 1 to {variables} as declared, found {word}", line)
    return literal


def dumps(problem: Problem) -> str:
    lines = [f"p cnf {problem.variables} {len(problem.clauses)}"]
    lines += map(_written, problem.clauses)
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=1 << 16)
def _written(clause: tuple[int, ...]) -> str:
    return " ".join(map(str, (*clause, 0)))


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """The words of each line that is no comment, up to a line that starts with `%`."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if words and words[0].startswith("%"):
            return
        if words and words[0] != "c":
            yield number, words


def _header(words: Sequence[str], line: int) -> int:
    """The number of variables that the line `p cnf VARIABLES CLAUSES` declares; its second number is not checked."""
    expected = "the header 'p cnf VARIABLES CLAUSES'"
    if words[:2] != ["p", "cnf"]:
        found = words[0] if words else "the end of the file"
        raise ProblemFileError(f"expected {expected}, found {found!r}", line or None)
    if len(words) < 4:
        raise ProblemFileError(f"expected {expected}, found an incomplete one", line)
    variables, clauses = (whole_number(word, line, expected) for word in words[2:])
    if min(variables, clauses) < 0:
        raise ProblemFileError(f"expected {expected}, found a negative number", line)
    return variables
