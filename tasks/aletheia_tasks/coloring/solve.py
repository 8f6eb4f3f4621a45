"""The verdict of CP-SAT; where it finds no colouring, a SAT solver has to agree."""

import time

from aletheia_plugins import AletheiaError, Solution, Verdict
from aletheia_tasks._common import satisfy
from aletheia_tasks.coloring.encode import clauses, clique
from aletheia_tasks.coloring.problem import Problem

__all__ = ["solve"]


def solve(problem: Problem, seconds: float) -> Solution:
    """UNSAT only if both solvers say so within `seconds`."""
    end = time.monotonic() + seconds
    verdict, colouring = _cp_sat(problem, seconds)
    if verdict is Verdict.UNSAT:
        second, _ = satisfy(clauses(problem), end - time.monotonic())
        if second is Verdict.SAT:
            raise AletheiaError("CP-SAT finds no colouring, but Glucose does; please report this graph")
        return Solution(second)
    if verdict is Verdict.UNKNOWN:
        return Solution(verdict)
    assignment = {f"v{vertex}": str(colour) for vertex, colour in enumerate(colouring, start=1)}
    wrong = problem.index.falsified(assignment)
    if wrong is not None:
        raise AletheiaError(f"CP-SAT's colouring falsifies the edge {wrong!r}; please report this graph")
    return Solution(verdict, assignment)


def _cp_sat(problem: Problem, seconds: float) -> tuple[Verdict, list[int]]:
    from ortools.sat.python import cp_model

    if problem.vertices and not problem.colours:
        return Verdict.UNSAT, []
    model = cp_model.CpModel()
    vertices = [model.new_int_var(1, problem.colours, "") for _ in range(problem.vertices)]
    for left, right in problem.edges:
        model.add(vertices[left - 1] != vertices[right - 1])
    for colour, vertex in enumerate(clique(problem)[: problem.colours], start=1):
        model.add(vertices[vertex - 1] == colour)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = max(seconds, 0)
    status = solver.solve(model)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Verdict.SAT, [solver.value(vertex) for vertex in vertices]
    return (Verdict.UNSAT if status == cp_model.INFEASIBLE else Verdict.UNKNOWN), []
