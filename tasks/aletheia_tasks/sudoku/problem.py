"""A grid to fill, and which of its rules an assignment falsifies. Knows nothing of searches or solvers."""

from dataclasses import dataclass
from functools import lru_cache

from aletheia_plugins import Assignment

__all__ = ["BOXES", "Problem"]

BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}
"""Size of the grid → rows and columns of a box."""


@dataclass(frozen=True, slots=True)
class Problem:
    """`cells` row by row, 0 where blank: 16, 36 or 81 of them."""

    cells: tuple[int, ...]

    @property
    def size(self) -> int:
        return {16: 4, 36: 6, 81: 9}[len(self.cells)]

    def falsified(self, assignment: Assignment) -> str | None:
        """The name of a clue that is contradicted, or of a unit in which a value occurs twice, if there is one."""
        places = _places(self.size)
        cells = self.cells
        taken: dict[str, int] = {}
        for variable, value in assignment.items():
            cell, units = places.get(variable, (-1, 0))
            if cell < 0:
                continue
            if cells[cell] and str(cells[cell]) != value:
                return f"clue {variable}"
            before = taken.get(value, 0)
            if before & units:
                return _unit_name(self.size, before & units)
            taken[value] = before | units
        return None

    def falsifies(self, assignment: Assignment, named: str) -> str | None:
        """`named` if it is the name of a rule or clue that the assignment falsifies."""
        kind, _, variable = named.partition(" ")
        if kind == "clue":
            clue = self.cells[_places(self.size)[variable][0]]
            if not clue:
                raise KeyError(named)
            return named if assignment.get(variable, str(clue)) != str(clue) else None
        values = [assignment[variable] for variable in _units(self.size)[named] if variable in assignment]
        return named if len(set(values)) < len(values) else None


@lru_cache(maxsize=8)
def _places(size: int) -> dict[str, tuple[int, int]]:
    """Cell name → its place, and its row, column and box as bits of a number."""
    rows, columns = BOXES[size]
    places = {}
    for row in range(size):
        for column in range(size):
            box = row // rows * rows + column // columns
            units = 1 << row | 1 << size + column | 1 << 2 * size + box
            places[f"r{row + 1}c{column + 1}"] = (row * size + column, units)
    return places


def _unit_name(size: int, units: int) -> str:
    """The name of the first of these units."""
    number = (units & -units).bit_length() - 1
    return f"{('row', 'column', 'box')[number // size]} {number % size + 1}"


@lru_cache(maxsize=8)
def _units(size: int) -> dict[str, list[str]]:
    """Unit name → the names of its cells."""
    found: dict[str, list[str]] = {}
    for variable, (_, units) in _places(size).items():
        for number in range(3 * size):
            if units >> number & 1:
                found.setdefault(_unit_name(size, 1 << number), []).append(variable)
    return found
