"""A formula, and which of its clauses an assignment falsifies. Knows nothing of searches or solvers."""

from dataclasses import dataclass, field
from functools import lru_cache

from aletheia_plugins import Assignment

__all__ = ["Problem", "clause_names"]

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
    """The falsifiers of each clause by its name, and each clause under one of them."""

    __slots__ = ("_empty", "_watched", "_whole")

    def __init__(self, clauses: tuple[tuple[int, ...], ...]) -> None:
        self._whole: dict[str, tuple[Pair, ...]] = {}
        self._watched: dict[Pair, list[tuple[str, tuple[Pair, ...]]]] = {}
        self._empty: str | None = None
        for name, clause in zip(clause_names(len(clauses)), clauses, strict=True):
            pairs = self._whole[name] = falsifiers(clause)
            if pairs:
                self._watched.setdefault(pairs[0], []).append((name, pairs[1:]))
            else:
                self._empty = self._empty or name

    def falsified(self, assignment: Assignment) -> str | None:
        """The name of a clause whose literals are all false, if there is one."""
        watched = self._watched
        for pair in assignment.items():
            for name, rest in watched.get(pair, ()):
                for variable, value in rest:
                    if assignment.get(variable) != value:
                        break
                else:
                    return name
        return self._empty

    def falsifies(self, assignment: Assignment, named: str) -> str | None:
        """`named` if the literals of the clause of that name are all false."""
        for variable, value in self._whole[named]:
            if assignment.get(variable) != value:
                return None
        return named


@lru_cache(maxsize=256)
def clause_names(count: int) -> tuple[str, ...]:
    """Clauses are numbered from 1, as they are listed."""
    return tuple(f"c{number}" for number in range(1, count + 1))


@lru_cache(maxsize=1 << 16)
def falsifiers(clause: tuple[int, ...]) -> tuple[Pair, ...]:
    """The pairs that together make a clause false."""
    return tuple(dict.fromkeys((f"x{abs(literal)}", "0" if literal > 0 else "1") for literal in clause))
