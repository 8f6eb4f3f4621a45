"""Graphs in other words."""

from random import Random

from aletheia_tasks.coloring.problem import Problem

__all__ = ["disguise"]


def disguise(problem: Problem, rng: Random) -> Problem:
    """Vertices renamed."""
    names = rng.sample(range(1, problem.vertices + 1), problem.vertices)
    renamed = [(names[left - 1], names[right - 1]) for left, right in problem.edges]
    edges = sorted((min(edge), max(edge)) for edge in renamed)
    return Problem(problem.vertices, tuple(edges), problem.colours)
