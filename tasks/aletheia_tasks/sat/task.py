"""The task `sat`: what a plugin implements, in terms of the modules beside this one."""

from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import ClassVar

from aletheia_plugins import CSP, Assignment, Clause, Domains, Solution, Split
from aletheia_tasks.sat import canonical, disguise, draw, files, generate, solve
from aletheia_tasks.sat.problem import Problem, clause_names

__all__ = ["Sat"]


class Sat:
    """3-SAT near its threshold, in pairs of which one is satisfiable and which differ in one literal."""

    name: ClassVar[str] = "sat"
    version: ClassVar[str] = generate.LEVELS.version
    levels: ClassVar[tuple[str, ...]] = generate.LEVELS.names
    legend: ClassVar[str] = (
        "Each line is a clause and its name. x1 means that x1 is 1, ~x1 that it is 0; at least one literal of each "
        "clause must hold. In the steps, literals are written x1=0 or x1=1, and constraints are the clauses' names."
    )

    def generate(self, level: str, *, split: Split, seed: int, index: int) -> Problem:
        return generate.problem(level, split, seed, index)

    def loads(self, text: str) -> Sequence[Problem]:
        return [files.loads(text)]

    def dumps(self, problem: Problem) -> str:
        return files.dumps(problem)

    def render(self, problem: Problem) -> str:
        """One clause a line, its name last; the number of variables only where the clauses do not tell it.

        The name stands behind the literals so that a causal model has read the clause when it comes to the name.
        """
        clauses = problem.clauses
        occurring = len(set(map(abs, {literal for clause in clauses for literal in clause})))
        header = "sat" if occurring == problem.variables else f"sat {problem.variables}"
        named = map(_line, clauses, clause_names(len(clauses)))
        return "\n ".join([header, *named]) + "\n"

    def domains(self, problem: Problem) -> Domains:
        return dict.fromkeys(_variables(problem.variables), ("0", "1"))

    def csp(self, problem: Problem) -> CSP:
        """Without tautologies, which no assignment falsifies."""
        constraints = map(_constraint, problem.clauses, clause_names(len(problem.clauses)))
        return CSP(self.domains(problem), tuple([c for c in constraints if c is not None]), "unit")

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
def _variables(count: int) -> tuple[str, ...]:
    return tuple(f"x{number}" for number in range(1, count + 1))


@lru_cache(maxsize=1 << 16)
def _line(clause: tuple[int, ...], name: str) -> str:
    return " ".join([*(f"x{literal}" if literal > 0 else f"~x{-literal}" for literal in clause), name])


@lru_cache(maxsize=1 << 16)
def _constraint(clause: tuple[int, ...], name: str) -> Clause | None:
    literals = dict.fromkeys(clause)
    if any(-literal in literals for literal in literals):
        return None
    return Clause(name, tuple((f"x{abs(literal)}", "0" if literal > 0 else "1") for literal in literals))
