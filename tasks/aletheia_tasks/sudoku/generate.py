"""Random puzzles with one solution: clues are taken from a random full grid while the solution stays the only one."""

import atexit
import random
from functools import lru_cache
from typing import TYPE_CHECKING

from aletheia_plugins import Split, belongs, generator
from aletheia_tasks._common import Levels
from aletheia_tasks.sudoku.canonical import canonical
from aletheia_tasks.sudoku.encode import groups, rules
from aletheia_tasks.sudoku.problem import Problem

if TYPE_CHECKING:
    from pysat.solvers import Cadical153

__all__ = ["LEVELS", "problem"]

LEVELS = Levels("aletheia_tasks.sudoku")


def problem(level: str, split: Split, seed: int, index: int) -> Problem:
    parameters = LEVELS.parameters(level)
    rng = generator("sudoku", LEVELS.version, level, split, seed, index)
    size, (fewest, most) = parameters["size"], parameters["blanks"]
    dig = _dug_by_table if size == 4 else _dug
    while True:
        cells = dig(rng, size, rng.randint(fewest, most))
        puzzle = Problem(tuple(cells))
        if cells.count(0) >= fewest and belongs(canonical(puzzle), split):
            return puzzle


def _dug(rng: random.Random, size: int, blanks: int) -> list[int]:
    """A puzzle with `blanks` blanks, or with fewer if no further clue can be taken.

    The solver is asked for verdicts only, which do not depend on what it was asked before.
    """
    solver = _solver(size)
    cells = _full_grid(rng, size)
    known = {cell: cell * size + digit for cell, digit in enumerate(cells)}
    for cell in rng.sample(range(size * size), size * size):
        literal = known.pop(cell)
        if solver.solve(assumptions=[-literal, *known.values()]):
            known[cell] = literal
        elif size * size - len(known) == blanks:
            break
    return [cells[cell] if cell in known else 0 for cell in range(size * size)]


@lru_cache(maxsize=8)
def _solver(size: int) -> "Cadical153":
    """One for all puzzles of a size: to make one takes longer than to ask it."""
    from pysat.solvers import Cadical153

    solver = Cadical153(bootstrap_with=rules(size))
    atexit.register(solver.delete)  # later, the interpreter has taken down what its destructor needs
    return solver


def _full_grid(rng: random.Random, size: int) -> list[int]:
    """A random solved grid: always fills a cell with fewest candidates, in random order."""
    peers = _peers(size)
    cells = [0] * (size * size)
    free = [(2 << size) - 2] * (size * size)

    def fill(blank: list[int]) -> bool:
        if not blank:
            return True
        cell = min(blank, key=lambda place: free[place].bit_count())
        rest = [place for place in blank if place != cell]
        digits = [digit for digit in range(1, size + 1) if free[cell] >> digit & 1]
        rng.shuffle(digits)
        for digit in digits:
            touched = [peer for peer in peers[cell] if not cells[peer] and free[peer] >> digit & 1]
            cells[cell] = digit
            for peer in touched:
                free[peer] ^= 1 << digit
            if fill(rest):
                return True
            for peer in touched:
                free[peer] ^= 1 << digit
        cells[cell] = 0
        return False

    fill(rng.sample(range(size * size), size * size))
    return cells


@lru_cache(maxsize=8)
def _peers(size: int) -> list[list[int]]:
    return [
        sorted({peer for group in groups(size) if cell in group for peer in group} - {cell})
        for cell in range(size * size)
    ]


def _dug_by_table(rng: random.Random, size: int, blanks: int) -> list[int]:
    """The same where all full grids fit into a table."""
    grids, having = _table(size)
    cells = list(rng.choice(grids))
    masks = [having[cell][digit] for cell, digit in enumerate(cells)]
    order = rng.sample(range(size * size), size * size)
    for cell in order:
        left = -1
        mask, masks[cell] = masks[cell], -1
        for other in masks:
            left &= other
        if left.bit_count() > 1:
            masks[cell] = mask
            continue
        cells[cell] = 0
        blanks -= 1
        if not blanks:
            break
    return cells


@lru_cache(maxsize=8)
def _table(size: int) -> tuple[list[tuple[int, ...]], list[list[int]]]:
    """All full grids, and for each cell and digit those that have it there, one bit each."""
    grids: list[tuple[int, ...]] = [()]
    peers = _peers(size)
    for cell in range(size * size):
        grids = [
            (*grid, digit)
            for grid in grids
            for digit in range(1, size + 1)
            if all(grid[peer] != digit for peer in peers[cell] if peer < cell)
        ]
    having = [[0] * (size + 1) for _ in range(size * size)]
    for number, grid in enumerate(grids):
        for cell, digit in enumerate(grid):
            having[cell][digit] |= 1 << number
    return grids, having
