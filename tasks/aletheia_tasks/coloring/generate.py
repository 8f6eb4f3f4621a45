"""Random graphs in pairs: one that can be coloured, one that cannot.

Up to `TABLE` vertices colourability is read off tables with one bit per colouring; for more, a SAT solver is asked.
"""

import random
from functools import lru_cache
from itertools import combinations
from typing import Any

from aletheia_plugins import Split, belongs, generator
from aletheia_tasks._common import Levels
from aletheia_tasks.coloring import encode
from aletheia_tasks.coloring.canonical import canonical
from aletheia_tasks.coloring.problem import Edge, Problem

__all__ = ["LEVELS", "problem"]

LEVELS = Levels("aletheia_tasks.coloring")
TABLE = 10

Pair = tuple[Problem, Problem]


def problem(level: str, split: Split, seed: int, index: int) -> Problem:
    return _pair(level, split, seed, index // 2)[index % 2]


@lru_cache(maxsize=64)
def _pair(level: str, split: Split, seed: int, number: int) -> Pair:
    """One graph that can be coloured and one that cannot, both in `split`, in random order."""
    parameters = LEVELS.parameters(level)
    rng = generator("coloring", LEVELS.version, level, split, seed, number)
    draw = _equally_dense if "probability" in parameters else _neighbours
    pair = draw(rng, parameters, split)
    return pair if rng.random() < 0.5 else (pair[1], pair[0])


def _neighbours(rng: random.Random, parameters: dict[str, Any], split: Split) -> Pair:
    """Two graphs that differ in the edge that makes one of them uncolourable."""
    colours = parameters["colours"]
    while True:
        vertices = rng.randint(*parameters["vertices"])
        edges = _edges(vertices)
        order = rng.sample(edges, len(edges))
        enough = _enough(vertices, colours, order)
        last = Problem(vertices, tuple(sorted(order[:enough])), colours)
        if not belongs(canonical(last), split):
            continue
        before = Problem(vertices, tuple(sorted(order[: enough - 1])), colours)
        if belongs(canonical(before), split):
            return before, last


def _equally_dense(rng: random.Random, parameters: dict[str, Any], split: Split) -> Pair:
    """A random graph that cannot be coloured, and one with a hidden colouring and as many edges.

    At the density of `hard`, chance alone makes fewer than one graph in 1,000 colourable.
    """
    vertices, colours = rng.randint(*parameters["vertices"]), parameters["colours"]
    while True:
        edges = [edge for edge in _edges(vertices) if rng.random() < parameters["probability"]]
        graph = Problem(vertices, tuple(edges), colours)
        if belongs(canonical(graph), split) and not _colourable(graph):
            break
    while True:
        hidden = [rng.randrange(colours) for _ in range(vertices + 1)]
        allowed = [(left, right) for left, right in _edges(vertices) if hidden[left] != hidden[right]]
        if len(allowed) >= len(edges):
            other = Problem(vertices, tuple(sorted(rng.sample(allowed, len(edges)))), colours)
            if belongs(canonical(other), split):
                return other, graph


def _enough(vertices: int, colours: int, order: list[Edge]) -> int:
    """How many edges, from the first in `order` on, make a graph that cannot be coloured."""
    if vertices > TABLE:
        return _enough_by_solver(vertices, colours, order)
    masks = _colourings(vertices, colours)
    left = masks[order[0]]
    for count, edge in enumerate(order):
        left &= masks[edge]
        if not left:
            return count + 1
    raise ValueError(f"{vertices} vertices can always be coloured with {colours} colours")


@lru_cache(maxsize=TABLE)
def _colourings(vertices: int, colours: int) -> dict[Edge, int]:
    """Edge → the colourings in which its ends differ, one bit each; the first vertex has always the first colour."""
    everything = (1 << colours ** (vertices - 1)) - 1
    having = [[everything] + [0] * (colours - 1)]
    for place in range(vertices - 1):
        block = colours**place
        first = everything // ((1 << block * colours) - 1) * ((1 << block) - 1)
        having.append([first << block * colour for colour in range(colours)])
    masks = {}
    for left, right in _edges(vertices):
        masks[left, right] = everything
        for one, other in zip(having[left - 1], having[right - 1], strict=True):
            masks[left, right] ^= one & other
    return masks


def _enough_by_solver(vertices: int, colours: int, order: list[Edge]) -> int:
    """The same by a solver that is asked only when an edge spoils the colouring it gave last."""
    from pysat.solvers import Glucose4

    with Glucose4(bootstrap_with=encode.coloured(vertices, colours)) as solver:
        colouring = [0] * (vertices + 1)
        for count, (left, right) in enumerate(order):
            solver.append_formula(encode.different(left, right, colours))
            if colouring[left] == colouring[right]:
                if not solver.solve():
                    return count + 1
                colouring = encode.decoded(solver.get_model() or [], vertices, colours)
    raise ValueError(f"{vertices} vertices can always be coloured with {colours} colours")


def _colourable(graph: Problem) -> bool:
    from pysat.solvers import Glucose4

    with Glucose4(bootstrap_with=encode.clauses(graph)) as solver:
        return bool(solver.solve())


@lru_cache
def _edges(vertices: int) -> list[Edge]:
    return list(combinations(range(1, vertices + 1), 2))
