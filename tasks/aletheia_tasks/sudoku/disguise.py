"""Puzzles in other words."""

from random import Random

from aletheia_tasks.sudoku.problem import BOXES, Problem

__all__ = ["disguise"]


def disguise(problem: Problem, rng: Random) -> Problem:
    """Digits renamed, lines and bands permuted, and transposed where the boxes are square."""
    size = problem.size
    height, width = BOXES[size]
    digits = [0, *rng.sample(range(1, size + 1), size)]
    rows, columns = _permuted(rng, size, height), _permuted(rng, size, width)
    grid = [[digits[problem.cells[row * size + column]] for column in columns] for row in rows]
    if height == width and rng.random() < 0.5:
        grid = [list(column) for column in zip(*grid, strict=True)]
    return Problem(tuple([value for row in grid for value in row]))


def _permuted(rng: Random, size: int, thickness: int) -> list[int]:
    """Lines in another order, those of a band side by side."""
    bands = [rng.sample(range(first, first + thickness), thickness) for first in range(0, size, thickness)]
    return [line for band in rng.sample(bands, len(bands)) for line in band]
