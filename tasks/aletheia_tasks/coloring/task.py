"""The task `coloring`: what a plugin implements, in terms of the modules beside this one."""

from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import ClassVar

from aletheia_plugins import CSP, Assignment, Domains, NotEqual, Solution, Split
from aletheia_tasks.coloring import canonical, disguise, draw, files, generate, solve
from aletheia_tasks.coloring.problem import Edge, Problem

__all__ = ["Coloring"]


class Coloring:
    """Graphs near the threshold of being colourable, half of them not."""

    name: ClassVar[str] = "coloring"
    version: ClassVar[str] = generate.LEVELS.version
    levels: ClassVar[tuple[str, ...]] = generate.LEVELS.names
    legend: ClassVar[str] = (
        "The first line has the number of colours, 1 and up. Each line after it has the edges of a vertex, such as "
        "v1-v2, and the vertex. Two vertices of an edge must not have the same colour. Variables are vertices, "
        "literals are written v1=2, and constraints are named by an edge or by a vertex."
    )

    def generate(self, level: str, *, split: Split, seed: int, index: int) -> Problem:
        return generate.problem(level, split, seed, index)

    def loads(self, text: str) -> Sequence[Problem]:
        return [files.loads(text)]

    def dumps(self, problem: Problem) -> str:
        return files.dumps(problem)

    def render(self, problem: Problem) -> str:
        """The number of colours, then for each vertex its edges and, last, itself.

        An edge is one word that says whose it is, and the vertex stands behind its edges, so that a causal model has
        read them when it comes to the vertex.
        """
        names = _names(problem.vertices)
        lists: list[list[str]] = [[] for _ in names]
        for left, right in problem.edges:
            lists[left - 1].append(f"{names[left - 1]}-{names[right - 1]}")
            lists[right - 1].append(f"{names[right - 1]}-{names[left - 1]}")
        lines = [" ".join([*edges, name]) for edges, name in zip(lists, names, strict=True)]
        return "\n ".join([f"coloring {problem.colours}", *lines]) + "\n"

    def domains(self, problem: Problem) -> Domains:
        return dict.fromkeys(_names(problem.vertices), _colours(problem.colours))

    def csp(self, problem: Problem) -> CSP:
        return CSP(self.domains(problem), tuple(map(_constraint, problem.edges)), "forward")

    def falsified(self, problem: Problem, assignment: Assignment, named: str | None = None) -> str | None:
        if named is None:
            return problem.index.falsified(assignment)
        return problem.index.falsifies(assignment, named)

    def solve(self, problem: Problem, *, seconds: float = 60.0) -> Solution:
        return solve.solve(problem, seconds)

    def canonical(self, problem: Problem) -> str:
        return canonical.canonical(problem)

    def disguise(self, problem: Problem, rng: Random) -> Problem:
        return disguise.disguise(problem, rng)

    def draw(self, problem: Problem, assignment: Assignment) -> str:
        return draw.draw(problem, assignment)


@lru_cache(maxsize=256)
def _names(vertices: int) -> tuple[str, ...]:
    return tuple(f"v{number}" for number in range(1, vertices + 1))


@lru_cache(maxsize=256)
def _colours(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, count + 1))


@lru_cache(maxsize=1 << 16)
def _constraint(edge: Edge) -> NotEqual:
    left, right = f"v{edge[0]}", f"v{edge[1]}"
    return NotEqual(f"{left}-{right}", left, right)
