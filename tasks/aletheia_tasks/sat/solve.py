"""The verdict of an established SAT solver."""

from aletheia_plugins import AletheiaError, Solution, Verdict
from aletheia_tasks._common import satisfy
from aletheia_tasks.sat.problem import Problem

__all__ = ["solve"]


def solve(problem: Problem, seconds: float) -> Solution:
    verdict, model = satisfy(problem.clauses, seconds)
    if verdict is not Verdict.SAT:
        return Solution(verdict)
    true = set(model)
    assignment = {f"x{v}": "1" if v in true else "0" for v in range(1, problem.variables + 1)}
    wrong = problem.index.falsified(assignment)
    if wrong is not None:
        raise AletheiaError(f"Glucose's assignment falsifies the clause {wrong!r}; please report this formula")
    return Solution(verdict, assignment)
