"""A complete UNSAT trace as a clausal refutation that checkers written by others accept. Knows CSPs and traces only.

The CNF is the direct encoding (Walsh, "SAT v CSP", 2000), but a variable of two values is one Boolean variable, so
that the CNF of a formula is the formula. A constraint that is not bounds is written as all the smallest choices of
values with which it cannot hold: so unit propagation sees whatever its propagator does. The proof is DRUP (Heule, Hunt
and Wetzler, 2013): each backtrack adds the clause that its decisions may not all be taken, which unit propagation
confirms.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations

from aletheia_bench.network import bounded, propagated
from aletheia_plugins import CSP, Backtrack, Decide, Domains, Literal, Propagated, State, Trace, UsageError, Verdict

__all__ = ["cnf", "dimacs", "drup"]

LIMIT = 20_000
"""Choices of values for some of a constraint's variables that are looked at, at most."""

Clauses = list[tuple[int, ...]]
Code = Mapping[tuple[str, str], int]
"""The DIMACS literal that says that a variable has a value."""


def cnf(csp: CSP) -> tuple[Clauses, Code]:
    """Clauses that are satisfiable exactly when the CSP is. Raises UsageError where one constraint needs too many."""
    code = _code(csp)
    clauses = list(_domains(csp, code))
    for constraint in bounded(csp):
        for bound in constraint.bounds(csp.domains):
            held = [code[pair] for pair in bound.pairs]
            clauses += [tuple(-lit for lit in some) for some in combinations(held, bound.limit + 1)]
    for other in propagated(csp):
        clauses += [tuple(-code[pair] for pair in wrong.items()) for wrong in _nogoods(other, csp.domains)]
    return clauses, code


def _nogoods(constraint: Propagated, domains: Domains) -> list[dict[str, str]]:
    """The choices of values with which it cannot hold, but could with any one of them less."""
    propagate = constraint.propagator(domains)
    found: list[dict[str, str]] = [{}] if propagate({}) is None else []
    possible: list[dict[str, str]] = [] if found else [{}]
    for variable in constraint.variables:
        wider = []
        for choice in possible:
            left = propagate(choice) or {}
            for value in domains[variable]:
                more = choice | {variable: value}
                if value in left[variable]:
                    wider.append(more)
                elif all(propagate({v: x for v, x in more.items() if v != less}) is not None for less in choice):
                    found.append(more)
        possible += wider
        if len(possible) > LIMIT:
            raise UsageError(
                f"The constraint {constraint.name!r} leaves more than {LIMIT:,} choices open, too many to write it as "
                "clauses for a proof: leave --proof out, or choose a level of smaller problems."
            )
    return found


def _code(csp: CSP) -> Code:
    code: dict[tuple[str, str], int] = {}
    last = 0
    for variable, values in csp.domains.items():
        if len(values) == 2:
            last += 1
            code[variable, values[0]], code[variable, values[1]] = -last, last
        else:
            for value in values:
                last += 1
                code[variable, value] = last
    return code


def _domains(csp: CSP, code: Code) -> Iterator[tuple[int, ...]]:
    """At least one and at most one value for each variable of other than two."""
    for variable, values in csp.domains.items():
        if len(values) != 2:
            choices = [code[variable, value] for value in values]
            yield tuple(choices)
            yield from ((-left, -right) for left, right in combinations(choices, 2))


def drup(trace: Trace, code: Code) -> Clauses:
    """The lemmas of a complete UNSAT trace, the empty clause last. Raises ValueError for any other trace."""
    if trace.verdict is not Verdict.UNSAT:
        raise ValueError(f"only an UNSAT trace is a refutation; this one says {trace.verdict}")
    lemmas: Clauses = []
    decisions: list[Literal] = []
    for step in trace.steps:
        match step:
            case State(levels):
                decisions = [level[0] for level in levels[1:]]
            case Decide(literal):
                decisions.append(literal)
            case Backtrack():
                lemmas.append(tuple(-code[lit.variable, lit.value] for lit in decisions))
            case _:
                pass
    return [*lemmas, ()]


def dimacs(clauses: Clauses, code: Code | None = None) -> str:
    """The text of clauses: a CNF file if the `code` of its literals is given, else a proof."""
    header = [f"p cnf {max(map(abs, code.values()), default=0)} {len(clauses)}"] if code is not None else []
    return "\n".join([*header, *(" ".join(map(str, (*clause, 0))) for clause in clauses)]) + "\n"
