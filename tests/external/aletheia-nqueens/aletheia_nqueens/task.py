"""The task `nqueens`: what aletheia-bench asks of a task, in terms of boards."""

import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import ClassVar

from aletheia_nqueens.board import Board, attack, read
from aletheia_plugins import (
    CSP,
    Assignment,
    Domains,
    Predicate,
    ProblemFileError,
    Solution,
    Split,
    UnknownNameError,
    Verdict,
    belongs,
    generator,
)

__all__ = ["NQueens"]

LEVELS = {"tiny": ((4, 5), (1, 2)), "small": ((6, 7), (1, 3)), "medium": ((8, 10), (1, 4))}
"""Level → fewest and most rows, fewest and most queens that stand."""


class NQueens:
    """Boards with some queens that do not attack each other; half of them cannot be completed."""

    name: ClassVar[str] = "nqueens"
    version: ClassVar[str] = "1"
    levels: ClassVar[tuple[str, ...]] = tuple(LEVELS)
    legend: ClassVar[str] = (
        "The first line has the size n of the board. The line after it has its rows: q1=3 is a queen that stands in "
        "column 3 of row 1, and q1 is a row whose queen is to be placed, in a column from 1 to n. No two queens may be "
        "in one column or on one diagonal. Variables are rows, literals are written q1=3, and constraints are named by "
        "two rows, such as q1 q3, or by a row that is left one column, or none."
    )

    def generate(self, level: str, *, split: Split, seed: int, index: int) -> Board:
        if level not in LEVELS:
            raise UnknownNameError("level", level, LEVELS)
        rng = generator(self.name, self.version, level, split, seed, index)
        sizes, counts = LEVELS[level]
        completable = rng.random() < 0.5
        while True:
            board = _random(rng, rng.randint(*sizes), rng.randint(*counts))
            if belongs(self.canonical(board), split) and board.completable() == completable:
                return board

    def loads(self, text: str) -> Sequence[Board]:
        boards = [read(content, line) for line, content in enumerate(text.splitlines(), start=1)]
        found = [board for board in boards if board]
        if not found:
            raise ProblemFileError("expected at least one board, found none")
        return found

    def dumps(self, problem: Board) -> str:
        return f"{problem}\n"

    def render(self, problem: Board) -> str:
        rows = (f" q{row}={queen}" if queen else f" q{row}" for row, queen in enumerate(problem.queens, start=1))
        return f"{self.name} {problem.size}\n{''.join(rows)}\n"

    def domains(self, problem: Board) -> Domains:
        every = tuple(map(str, range(1, problem.size + 1)))
        return {f"q{row}": (str(queen),) if queen else every for row, queen in enumerate(problem.queens, start=1)}

    def csp(self, problem: Board) -> CSP:
        domains = self.domains(problem)
        pairs = combinations(enumerate(domains), 2)
        safe = (Predicate(f"{one} {other}", (one, other), _safe(j - i)) for (i, one), (j, other) in pairs)
        return CSP(domains, tuple(safe), "forward")

    def falsified(self, problem: Board, assignment: Assignment, named: str | None = None) -> str | None:
        return problem.falsified(assignment) if named is None else problem.falsifies(assignment, named)

    def solve(self, problem: Board, *, seconds: float = 60.0) -> Solution:
        """What CP-SAT says."""
        from ortools.sat.python import cp_model

        if seconds <= 0:
            return Solution(Verdict.UNKNOWN)
        model, size = cp_model.CpModel(), problem.size
        columns = [model.new_int_var(queen or 1, queen or size, "") for queen in problem.queens]
        model.add_all_different(columns)
        model.add_all_different([column + row for row, column in enumerate(columns)])
        model.add_all_different([column - row for row, column in enumerate(columns)])
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.max_time_in_seconds = seconds
        status = solver.solve(model)
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            placed = {f"q{row}": str(solver.value(column)) for row, column in enumerate(columns, start=1)}
            return Solution(Verdict.SAT, placed)
        return Solution(Verdict.UNSAT if status == cp_model.INFEASIBLE else Verdict.UNKNOWN)

    def canonical(self, problem: Board) -> str:
        return problem.canonical()


@lru_cache(maxsize=64)
def _safe(rows: int) -> Callable[[str, str], bool]:
    """The same function for the same number of rows between two queens, so that constraints are equal by content."""
    return lambda one, other: not attack(rows, int(one), int(other))


def _random(rng: random.Random, size: int, count: int) -> Board:
    """`count` queens that do not attack each other, or fewer where there is no room."""
    squares = [(row, column) for row in range(size) for column in range(1, size + 1)]
    queens: dict[int, int] = {}
    for row, column in rng.sample(squares, len(squares)):
        if len(queens) == count:
            break
        if row not in queens and not any(attack(abs(row - r), column, c) for r, c in queens.items()):
            queens[row] = column
    return Board(tuple(queens.get(row, 0) for row in range(size)))
