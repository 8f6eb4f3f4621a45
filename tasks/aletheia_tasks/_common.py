"""What the tasks share: level files, digests, whole numbers in files, and a SAT solver with a time limit."""

import threading
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from importlib.resources import files
from typing import Any

from aletheia_plugins import ProblemFileError, UnknownNameError, Verdict

__all__ = ["PRIME", "Levels", "digest", "satisfy", "svg", "whole_number"]

LONGEST = 7
"""Digits of the largest number that a file may write: more than fit into memory as variables are a mistake."""
PRIME = (1 << 61) - 1
"""Colours of a refinement are numbers below this one."""


@dataclass(frozen=True)
class Levels:
    """The `levels.toml` of `package`: a version, and one table of parameters per level, easiest first."""

    package: str

    @cached_property
    def data(self) -> dict[str, Any]:
        return tomllib.loads((files(self.package) / "levels.toml").read_text(encoding="utf-8"))

    @property
    def version(self) -> str:
        return str(self.data["version"])

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.data["levels"])

    def parameters(self, level: str) -> dict[str, Any]:
        try:
            table: dict[str, Any] = self.data["levels"][level]
        except KeyError:
            raise UnknownNameError("level", level, self.names) from None
        return table


def digest(*parts: object) -> str:
    """A short text that depends on the content of `parts`, equal in all processes."""
    return blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def whole_number(word: str, line: int, what: str) -> int:
    """The number that `word` writes in plain digits, perhaps negative."""
    digits = word.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= LONGEST):
        raise ProblemFileError(f"expected {what}, found {word!r}", line)
    return int(word)


def satisfy(clauses: Sequence[Sequence[int]], seconds: float) -> tuple[Verdict, list[int]]:
    """What Glucose says of a CNF, with the literals of a model if there is one; UNKNOWN after `seconds`."""
    from pysat.solvers import Glucose4

    if not all(clauses):
        return Verdict.UNSAT, []
    if seconds <= 0:
        return Verdict.UNKNOWN, []
    with Glucose4(bootstrap_with=clauses) as solver:
        timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), solver.interrupt)
        timer.daemon = True
        timer.start()
        try:
            found = solver.solve_limited(expect_interrupt=True)
        finally:
            timer.cancel()
            timer.join()
        if found is None:
            return Verdict.UNKNOWN, []
        return (Verdict.SAT, list(solver.get_model() or ())) if found else (Verdict.UNSAT, [])


def svg(width: float, height: float, shapes: Sequence[str]) -> str:
    """A document of these shapes, with texts in the middle of where they are put."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
    font = 'font-family="sans-serif" font-size="12" text-anchor="middle" dominant-baseline="central"'
    return "\n".join([f'{head} height="{height:g}" {font}>', *shapes, "</svg>"]) + "\n"
