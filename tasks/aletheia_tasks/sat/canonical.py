"""A fingerprint of a formula that no renaming, polarity flip or reordering changes.

Colour refinement (Weisfeiler-Leman) on the graph of literals and clauses. Formulas that refinement cannot tell apart
share a fingerprint although they may differ.
"""

from aletheia_tasks._common import PRIME, digest
from aletheia_tasks.sat.problem import Problem

__all__ = ["canonical"]

ROUNDS = 3
SALT = 0x1B87_3593_CC9E_2D51 % PRIME
SCALE = 0x0A91_E6D3_5F2B_4C87 % PRIME


def canonical(problem: Problem) -> str:
    clauses = {frozenset(clause) for clause in problem.clauses}
    colours = _counted(problem.variables, clauses)
    for _ in range(ROUNDS):
        colours = _refined(colours, clauses)
    literals = sorted(colours[1:])
    return digest(problem.variables, sorted(map(len, clauses)), literals)


def _counted(variables: int, clauses: set[frozenset[int]]) -> list[int]:
    """Literal → a number that stands for how often it occurs. The place of -v is found from the end."""
    counts = [0] * (2 * variables + 1)
    for clause in clauses:
        for literal in clause:
            counts[literal] += 1
    return [(count + 3) * SCALE * (count + 5) ^ SALT for count in counts]


def _refined(colours: list[int], clauses: set[frozenset[int]]) -> list[int]:
    """Each literal's colour, from those of the clauses it is in and of its complement."""
    sums = [0] * len(colours)
    for clause in clauses:
        total = len(clause)
        for literal in clause:
            total += colours[literal]
        mixed = total * (total ^ SALT) % PRIME
        for literal in clause:
            sums[literal] += mixed
    # The list without its unused first place, read backwards, holds the complements.
    own = [(total + 3 * colour) % PRIME for total, colour in zip(sums, colours, strict=True)]
    return [0] + [(5 * mine + other * (other ^ SALT)) % PRIME for mine, other in zip(own[1:], own[:0:-1], strict=True)]
