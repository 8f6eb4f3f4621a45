"""Colouring as a CNF: the number (vertex - 1) * colours + colour says that a vertex has that colour."""

from collections.abc import Sequence

from aletheia_tasks.coloring.problem import Problem

__all__ = ["clauses", "clique", "coloured", "decoded", "different"]


def clauses(problem: Problem) -> list[list[int]]:
    """Satisfiable exactly if `problem` is: a clique is coloured in advance, since colours are alike."""
    found = coloured(problem.vertices, problem.colours)
    for left, right in problem.edges:
        found += different(left, right, problem.colours)
    found += [
        [(vertex - 1) * problem.colours + colour]
        for colour, vertex in enumerate(clique(problem)[: problem.colours], start=1)
    ]
    return found


def clique(problem: Problem) -> list[int]:
    """Vertices that are all adjacent to each other, found by taking the busiest one each time."""
    neighbours: dict[int, set[int]] = {}
    for left, right in problem.edges:
        neighbours.setdefault(left, set()).add(right)
        neighbours.setdefault(right, set()).add(left)
    chosen: list[int] = []
    candidates = set(neighbours)
    while candidates:
        chosen.append(max(candidates, key=lambda vertex: (len(neighbours[vertex] & candidates), -vertex)))
        candidates &= neighbours[chosen[-1]]
    return chosen


def coloured(vertices: int, colours: int) -> list[list[int]]:
    """Each vertex has a colour, perhaps several."""
    return [list(range(vertex * colours + 1, (vertex + 1) * colours + 1)) for vertex in range(vertices)]


def different(left: int, right: int, colours: int) -> list[list[int]]:
    return [[-(left - 1) * colours - colour, -(right - 1) * colours - colour] for colour in range(1, colours + 1)]


def decoded(model: Sequence[int], vertices: int, colours: int) -> list[int]:
    """Vertex → its colour in `model`; the first place is unused."""
    colouring = [0] * (vertices + 1)
    for number in model:
        if 0 < number <= vertices * colours:
            colouring[(number - 1) // colours + 1] = (number - 1) % colours + 1
    return colouring
