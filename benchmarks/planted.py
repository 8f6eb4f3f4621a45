"""Planted 3-SAT: formulas of 50 variables and 200 clauses that a hidden assignment satisfies.

python benchmarks/planted.py FOLDER: writes 100 of them as DIMACS files, for `run --task sat --items FOLDER`. A clause
is three variables with random signs, drawn anew where the hidden assignment falsifies it.
"""

import sys
from pathlib import Path
from random import Random

from pysat.formula import CNF

ITEMS, VARIABLES, CLAUSES = 100, 50, 200


def formula(rng: Random) -> CNF:
    hidden = [rng.choice((v, -v)) for v in range(1, VARIABLES + 1)]
    clauses: list[list[int]] = []
    while len(clauses) < CLAUSES:
        clause = [rng.choice((v, -v)) for v in sorted(rng.sample(range(1, VARIABLES + 1), 3))]
        if any(literal in hidden for literal in clause):
            clauses.append(clause)
    return CNF(from_clauses=clauses)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(ITEMS):
        formula(Random(number)).to_file(str(folder / f"planted-{number:03}.cnf"))


if __name__ == "__main__":
    main()
