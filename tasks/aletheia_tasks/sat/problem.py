"""A formula, and which of its clauses an assignment falsifies. Knows nothing of searches or solvers."""

from dataclasses import dataclass, field
from functools import lru_cache

from aletheia_plugins import Assignment

__all__ = ["Problem"]

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Problem:
    """Clauses over the variables 1 .. `variables`, with literals as in DIMACS: 3 is x3, -3 is ~x3."""

    variables: int
    clauses: tuple[tuple[int, ...], ...]
    _index: "Index | None" = field(default=None, init=False, repr=False, compare=False)

    @property
    def index(self) -> "Index":
        """Made once and kept here, since to look it up by content would cost more than to use it."""
        if self._index is None:
            object.__setattr__(self, "_index", Index(self.clauses))
        assert self._index is not None
        return self._index


class Index:
    """The clauses by name, and each clause under one of the pairs that make its literals false."""

    __slots__ = ("_sorted", "_watched", "_whole")

    def __init__(self, clauses: tuple[tuple[int, ...], ...]) -> None:
        self._whole: dict[str, tuple[Pair, ...]] = {}
        self._sorted: dict[str, str] = {}
        self._watched: dict[Pair, list[tuple[str, tuple[Pair, ...]]]] = {}
        for clause in clauses:
            name, pairs = _falsifiers(clause)
            self._whole[name] = pairs
            if pairs:
                self._watched.setdefault(pairs[0], []).append((name, pairs[1:]))

    def falsified(self, assignment: Assignment) -> str | None:
        """The name of a clause whose literals are all false, if there is one."""
        if "empty" in self._whole:
            return "empty"
        watched = self._watched
        for pair in assignment.items():
            for name, rest in watched.get(pair, ()):
                for variable, value in rest:
                    if assignment.get(variable) != value:
                        break
                else:
                    return name
        return None

    def falsifies(self, assignment: Assignment, named: str) -> str | None:
        """The full name of the clause `named` if its literals are all false; they may be named in any order."""
        name = named if named in self._whole else self._reordered(named)
        for variable, value in self._whole[name]:
            if assignment.get(variable) != value:
                return None
        return name

    def _reordered(self, named: str) -> str:
        if not self._sorted:
            self._sorted = {" ".join(sorted(name.split(" "))): name for name in self._whole}
        return self._sorted[" ".join(sorted(named.split(" ")))]


@lru_cache(maxsize=1 << 16)
def _falsifiers(clause: tuple[int, ...]) -> tuple[str, tuple[Pair, ...]]:
    """A clause's name, and the pairs that together make it false."""
    words = [f"x{literal}" if literal > 0 else f"~x{-literal}" for literal in clause]
    pairs = (((word[1:], "1") if word[0] == "~" else (word, "0")) for word in words)
    return " ".join(words) or "empty", tuple(dict.fromkeys(pairs))
