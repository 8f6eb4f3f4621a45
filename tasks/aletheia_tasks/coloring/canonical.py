"""A fingerprint of a graph that no relabelling changes.

Colour refinement (Weisfeiler-Leman) on the vertices, with edges told apart by how many triangles they are in. Graphs
that refinement cannot tell apart share a fingerprint although they may differ.
"""

from functools import lru_cache

from aletheia_tasks._common import PRIME, digest
from aletheia_tasks.coloring.problem import Problem

__all__ = ["canonical"]

ROUNDS = 4
SALT = 0x1B87_3593_CC9E_2D51 % PRIME
SCALE = 0x0A91_E6D3_5F2B_4C87 % PRIME


@lru_cache(maxsize=16)
def canonical(problem: Problem) -> str:
    neighbours = [0] * (problem.vertices + 1)
    for left, right in problem.edges:
        neighbours[left] |= 1 << right
        neighbours[right] |= 1 << left
    edges = [
        (left, right, ((neighbours[left] & neighbours[right]).bit_count() + 1) * SCALE) for left, right in problem.edges
    ]
    colours = [SALT] * (problem.vertices + 1)
    for _ in range(ROUNDS):
        colours = _refined(colours, edges)
    return digest(problem.vertices, problem.colours, sum(colours[1:]))


def _refined(colours: list[int], edges: list[tuple[int, int, int]]) -> list[int]:
    sums = [3 * colour for colour in colours]
    for left, right, weight in edges:
        sums[left] += colours[right] ^ weight
        sums[right] += colours[left] ^ weight
    return [total * (total ^ SALT) % PRIME for total in sums]
