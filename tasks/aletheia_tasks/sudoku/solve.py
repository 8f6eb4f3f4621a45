"""The verdict of CP-SAT; where it finds no solution, a SAT solver has to agree."""

import time

from aletheia_plugins import AletheiaError, Solution, Verdict
from aletheia_tasks._common import satisfy
from aletheia_tasks.sudoku.encode import clues, groups, rules
from aletheia_tasks.sudoku.problem import Problem

__all__ = ["solve"]


def solve(problem: Problem, seconds: float) -> Solution:
    """UNSAT only if both solvers say so within `seconds`."""
    end = time.monotonic() + seconds
    verdict, values = _cp_sat(problem, seconds)
    if verdict is Verdict.UNSAT:
        units = [[literal] for literal in clues(problem)]
        second, _ = satisfy(rules(problem.size) + units, end - time.monotonic())
        if second is Verdict.SAT:
            raise AletheiaError("CP-SAT finds no solution, but Glucose does; please report this grid")
        return Solution(second)
    if verdict is Verdict.UNKNOWN:
        return Solution(verdict)
    size = problem.size
    assignment = {f"r{cell // size + 1}c{cell % size + 1}": str(value) for cell, value in enumerate(values)}
    wrong = problem.falsified(assignment)
    if wrong is not None:
        raise AletheiaError(f"CP-SAT's solution falsifies {wrong!r}; please report this grid")
    return Solution(verdict, assignment)


def _cp_sat(problem: Problem, seconds: float) -> tuple[Verdict, list[int]]:
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    cells = [model.new_int_var(value or 1, value or problem.size, "") for value in problem.cells]
    for group in groups(problem.size):
        model.add_all_different([cells[cell] for cell in group])
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = max(seconds, 0)
    status = solver.solve(model)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Verdict.SAT, [solver.value(cell) for cell in cells]
    return (Verdict.UNSAT if status == cp_model.INFEASIBLE else Verdict.UNKNOWN), []
