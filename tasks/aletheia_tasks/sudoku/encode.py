"""Sudoku as a CNF: the number cell * size + digit says that a cell, counted from 0, has that digit."""

from functools import lru_cache
from itertools import combinations

from aletheia_tasks.sudoku.problem import BOXES, Problem

__all__ = ["clues", "groups", "rules"]


def clues(problem: Problem) -> list[int]:
    size = problem.size
    return [cell * size + value for cell, value in enumerate(problem.cells) if value]


@lru_cache(maxsize=8)
def groups(size: int) -> list[list[int]]:
    """The rows, columns and boxes, as lists of cells."""
    height, width = BOXES[size]
    grid = [list(range(start, start + size)) for start in range(0, size * size, size)]
    boxes = [
        [cell for row in grid[top : top + height] for cell in row[left : left + width]]
        for top in range(0, size, height)
        for left in range(0, size, width)
    ]
    return grid + [list(column) for column in zip(*grid, strict=True)] + boxes


@lru_cache(maxsize=8)
def rules(size: int) -> list[list[int]]:
    """Every cell has one digit, and every digit is once in each group."""
    digits = range(1, size + 1)
    ones = [[cell * size + digit for digit in digits] for cell in range(size * size)]
    ones += [[cell * size + digit for cell in group] for group in groups(size) for digit in digits]
    return ones + [[-a, -b] for one in ones for a, b in combinations(one, 2)]
