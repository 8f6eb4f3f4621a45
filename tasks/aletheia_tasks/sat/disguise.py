"""Formulas in other words."""

from random import Random

from aletheia_tasks.sat.problem import Problem

__all__ = ["disguise"]


def disguise(problem: Problem, rng: Random) -> Problem:
    """Variables renamed, polarities flipped, clauses and literals reordered, a clause repeated."""
    names = rng.sample(range(1, problem.variables + 1), problem.variables)
    signed = [name * rng.choice((-1, 1)) for name in names]
    clauses = [
        [signed[abs(literal) - 1] * (1 if literal > 0 else -1) for literal in clause] for clause in problem.clauses
    ]
    clauses += rng.sample(clauses, min(1, len(clauses)))
    rng.shuffle(clauses)
    return Problem(problem.variables, tuple(tuple(rng.sample(clause, len(clause))) for clause in clauses))
