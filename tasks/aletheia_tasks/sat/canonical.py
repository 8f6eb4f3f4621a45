"""A fingerprint of a formula that no renaming, polarity flip or reordering changes.

Colour refinement (Weisfeiler-Leman) on the graph of literals and clauses. Formulas that refinement cannot tell apart
share a fingerprint although they may differ.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

from aletheia_tasks._common import PRIME, digest
from aletheia_tasks.sat.problem import Problem

__all__ = ["canonical"]

Clauses = Sequence[tuple[int, ...]]

ROUNDS = 2
SALT = 0x1B87_3593_CC9E_2D51 % PRIME
SCALE = 0x0A91_E6D3_5F2B_4C87 % PRIME


@lru_cache(maxsize=16)
def canonical(problem: Problem) -> str:
    clauses = set(map(_sorted, problem.clauses))
    triples = [clause for clause in clauses if len(clause) == 3]
    others = [clause for clause in clauses if len(clause) != 3]
    counts = Counter(chain.from_iterable(clauses))
    # The place of a negative literal is found from the end.
    literals = chain(range(problem.variables + 1), range(-problem.variables, 0))
    colours = [_counted(counts[literal]) for literal in literals]
    for _ in range(ROUNDS):
        colours = _refined(colours, triples, others)
    whole = sum([colour * (colour ^ SALT) % PRIME for colour in colours])
    return digest(problem.variables, len(clauses), () in clauses, whole)


@lru_cache(maxsize=1 << 16)
def _sorted(clause: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(clause)))


@lru_cache(maxsize=1 << 10)
def _counted(count: int) -> int:
    """The first colour of a literal that occurs so often."""
    return (count + 3) * SCALE * (count + 5) % PRIME ^ SALT


def _refined(colours: list[int], triples: Clauses, others: Clauses) -> list[int]:
    """Each literal's colour, from those of the clauses it is in and of its complement."""
    sums = [3 * colour for colour in colours]
    for a, b, c in triples:
        total = colours[a] + colours[b] + colours[c]
        mixed = total * (total ^ SALT) % PRIME
        sums[a] += mixed
        sums[b] += mixed
        sums[c] += mixed
    for clause in others:
        total = len(clause)
        for literal in clause:
            total += colours[literal]
        mixed = total * (total ^ SALT) % PRIME
        for literal in clause:
            sums[literal] += mixed
    # The list without its unused first place, read backwards, holds the complements.
    fresh = [(5 * own + other * (other ^ SALT)) % PRIME for own, other in zip(sums[1:], sums[:0:-1], strict=True)]
    return [0, *fresh]
