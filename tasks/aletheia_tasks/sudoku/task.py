"""The task `sudoku`: what a plugin implements, in terms of the modules beside this one."""

from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import ClassVar

from aletheia_plugins import CSP, AllDifferent, Assignment, Domains, Solution, Split
from aletheia_tasks.sudoku import canonical, disguise, draw, files, generate, solve
from aletheia_tasks.sudoku.problem import BOXES, Problem

__all__ = ["Sudoku"]


class Sudoku:
    """Grids with exactly one solution."""

    name: ClassVar[str] = "sudoku"
    version: ClassVar[str] = generate.LEVELS.version
    levels: ClassVar[tuple[str, ...]] = generate.LEVELS.names
    legend: ClassVar[str] = (
        "The first line has the size n. Each line after it is a row of cells: r1c2=3 is given, r1c2 is to be found. "
        "No row, column or box may have a value twice. Variables are cells, literals are written r1c2=3, and "
        "constraints are named like row 1, column 2, box 3, or by a cell that they leave one value, or none."
    )

    def generate(self, level: str, *, split: Split, seed: int, index: int) -> Problem:
        return generate.problem(level, split, seed, index)

    def loads(self, text: str) -> Sequence[Problem]:
        return files.loads(text)

    def dumps(self, problem: Problem) -> str:
        return files.dumps(problem)

    def render(self, problem: Problem) -> str:
        """One row of the grid a line: clues as assignments, blanks as names."""
        size = problem.size
        words = [f"{name}={value}" if value else name for name, value in zip(_names(size), problem.cells, strict=True)]
        rows = [" ".join(words[start : start + size]) for start in range(0, size * size, size)]
        return "\n ".join([f"sudoku {size}", *rows]) + "\n"

    def domains(self, problem: Problem) -> Domains:
        """A clue's cell has one value."""
        single = _digits(problem.size)
        domains = _blank_domains(problem.size).copy()
        for name, value in zip(domains, problem.cells, strict=True):
            if value:
                domains[name] = single[value]
        return domains

    def csp(self, problem: Problem) -> CSP:
        return CSP(self.domains(problem), _constraints(problem.size), "forward")

    def falsified(self, problem: Problem, assignment: Assignment, named: str | None = None) -> str | None:
        """As a whole: rules named `row 1`, `column 2`, `box 3`, and clues named `clue r1c1`."""
        return problem.falsified(assignment) if named is None else problem.falsifies(assignment, named)

    def solve(self, problem: Problem, *, seconds: float = 60.0) -> Solution:
        return solve.solve(problem, seconds)

    def canonical(self, problem: Problem) -> str:
        return canonical.canonical(problem)

    def disguise(self, problem: Problem, rng: Random) -> Problem:
        return disguise.disguise(problem, rng)

    def draw(self, problem: Problem, assignment: Assignment) -> str:
        return draw.draw(problem, assignment)


@lru_cache(maxsize=8)
def _names(size: int) -> tuple[str, ...]:
    return tuple(f"r{row}c{column}" for row in range(1, size + 1) for column in range(1, size + 1))


@lru_cache(maxsize=8)
def _digits(size: int) -> list[tuple[str, ...]]:
    """Digit → the domain of a cell that has it; 0 → that of a blank."""
    every = tuple(str(digit) for digit in range(1, size + 1))
    return [every, *((digit,) for digit in every)]


@lru_cache(maxsize=8)
def _blank_domains(size: int) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(_names(size), _digits(size)[0])


@lru_cache(maxsize=8)
def _constraints(size: int) -> tuple[AllDifferent, ...]:
    rows, columns = BOXES[size]
    grid = [_names(size)[start : start + size] for start in range(0, size * size, size)]
    boxes = [
        tuple(name for row in grid[top : top + rows] for name in row[left : left + columns])
        for top in range(0, size, rows)
        for left in range(0, size, columns)
    ]
    kinds = {"row": grid, "column": list(zip(*grid, strict=True)), "box": boxes}
    return tuple(AllDifferent(f"{k} {i}", unit) for k, units in kinds.items() for i, unit in enumerate(units, start=1))
