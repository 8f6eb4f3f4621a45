"""A fingerprint of a puzzle that no symmetry of Sudoku changes.

Colour refinement (Weisfeiler-Leman) on cells, lines, bands, boxes and digits. Puzzles that refinement cannot tell
apart share a fingerprint although they may differ.
"""

from functools import lru_cache

from aletheia_tasks._common import PRIME, digest
from aletheia_tasks.sudoku.problem import BOXES, Problem

__all__ = ["canonical"]

ROUNDS = 3
SALT = 0x1B87_3593_CC9E_2D51 % PRIME
CLUE = 0x0A91_E6D3_5F2B_4C87 % PRIME
COLUMN = 0x0137_5D8E_9F11_A3C5
"""Added to the sums of columns where a grid cannot be transposed: where its boxes are not square."""


@lru_cache(maxsize=16)
def canonical(problem: Problem) -> str:
    size = problem.size
    colours = [CLUE if value else SALT for value in problem.cells]
    for _ in range(ROUNDS):
        colours = _refined(size, problem.cells, colours)
    return digest(size, sum(colours))


def _refined(size: int, cells: tuple[int, ...], colours: list[int]) -> list[int]:
    """Each cell's colour, from those of the cells in its lines, bands, box, and of those with the same clue."""
    height, width = BOXES[size]
    rows = [sum(colours[start : start + size]) for start in range(0, size * size, size)]
    columns = [sum(colours[start::size]) for start in range(size)]
    rows = _lines(rows, height)
    columns = _lines(columns, width) if height == width else [total ^ COLUMN for total in _lines(columns, width)]
    boxes, digits = [0] * size, [0] * (size + 1)
    for colour, value, (_, _, box) in zip(colours, cells, _places(size), strict=True):
        boxes[box] += colour
        digits[value] += colour
    boxes = [5 * total * (total ^ SALT) % PRIME for total in boxes]
    digits = [7 * total * (total ^ SALT) % PRIME for total in digits]
    digits[0] = 0
    fresh = []
    for colour, value, (row, column, box) in zip(colours, cells, _places(size), strict=True):
        total = 3 * colour + rows[row] + columns[column] + boxes[box] + digits[value]
        fresh.append(total * (total ^ SALT) % PRIME)
    return fresh


def _lines(sums: list[int], thickness: int) -> list[int]:
    """A line's sum, mixed with the sums of the lines in the same band or stack."""
    mixed = [total * (total ^ CLUE) % PRIME for total in sums]
    found = []
    for place, total in enumerate(mixed):
        first = place - place % thickness
        band = sum(mixed[first : first + thickness])
        found.append((11 * total + band * (band ^ CLUE)) % PRIME)
    return found


@lru_cache(maxsize=8)
def _places(size: int) -> list[tuple[int, int, int]]:
    """Row, column and box of each cell."""
    height, width = BOXES[size]
    return [(r, c, r // height * height + c // width) for r in range(size) for c in range(size)]
