"""A graph to colour, and which of its edges an assignment falsifies. Knows nothing of searches or solvers."""

from dataclasses import dataclass, field, replace
from functools import lru_cache

from aletheia_plugins import Assignment

__all__ = ["Edge", "Problem"]

Edge = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Problem:
    """Colour the vertices 1 .. `vertices` with 1 .. `colours`.

    Edges name the smaller vertex first and are sorted, each once, without loops.
    """

    vertices: int
    edges: tuple[Edge, ...]
    colours: int
    _index: "Index | None" = field(default=None, init=False, repr=False, compare=False)

    def with_colours(self, colours: int) -> "Problem":
        """The same graph: files of graphs say nothing of colours."""
        return replace(self, colours=colours)

    @property
    def index(self) -> "Index":
        """Made once and kept here, since to look it up by content would cost more than to use it."""
        if self._index is None:
            object.__setattr__(self, "_index", Index(self.vertices, self.edges))
        assert self._index is not None
        return self._index


class Index:
    """For each vertex its neighbours, as the bits of a number."""

    __slots__ = ("_neighbours", "_numbers")

    def __init__(self, vertices: int, edges: tuple[Edge, ...]) -> None:
        self._numbers = _numbers(vertices)
        neighbours = [0] * (vertices + 1)
        for left, right in edges:
            neighbours[left] |= 1 << right
            neighbours[right] |= 1 << left
        self._neighbours = neighbours

    def falsified(self, assignment: Assignment) -> str | None:
        """The name of an edge whose ends have the same colour, if there is one."""
        numbers, neighbours = self._numbers, self._neighbours
        coloured: dict[str, int] = {}
        for variable, colour in assignment.items():
            vertex = numbers.get(variable, 0)
            same = coloured.get(colour, 0)
            clash = neighbours[vertex] & same
            if clash:
                return _edge_name(vertex, clash.bit_length() - 1)
            coloured[colour] = same | 1 << vertex
        return None

    def falsifies(self, assignment: Assignment, named: str) -> str | None:
        """The full name of the edge `named` if its ends have the same colour; they may be named in any order."""
        left, separator, right = named.partition("-")
        u, v = self._numbers.get(left, 0), self._numbers.get(right, 0)
        if not separator or not self._neighbours[u] >> v & 1:
            raise KeyError(named)
        colour = assignment.get(left)
        return _edge_name(u, v) if colour is not None and colour == assignment.get(right) else None


def _edge_name(u: int, v: int) -> str:
    return f"v{u}-v{v}" if u < v else f"v{v}-v{u}"


@lru_cache(maxsize=256)
def _numbers(vertices: int) -> dict[str, int]:
    return {f"v{vertex}": vertex for vertex in range(1, vertices + 1)}
