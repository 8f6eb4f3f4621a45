"""Kakuro, a whole task in one module: a crossword of sums. docs/write-a-task.md goes through it piece by piece."""

# --8<-- [start:imports]
import re
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from itertools import combinations, groupby, permutations
from random import Random
from typing import ClassVar

from aletheia_plugins import CSP, Assignment, Domains, Solution, Split, Table, Verdict, belongs, generator
from aletheia_plugins.errors import ProblemFileError, UnknownNameError

# --8<-- [end:imports]

# --8<-- [start:problem]
Run = tuple[str, ...]
"""Its cells, such as ("r1c1", "r1c2")."""


@dataclass(frozen=True, slots=True)
class Puzzle:
    """Each run with its sum."""

    runs: tuple[tuple[Run, int], ...]

    def named(self) -> dict[str, tuple[Run, int]]:
        return {f"run{number}": run for number, run in enumerate(self.runs, start=1)}

    def mirrored(self) -> "Puzzle":
        """Its solutions have 10 - d wherever those of this one have the digit d."""
        return Puzzle(tuple((run, 10 * len(run) - total) for run, total in self.runs))


# --8<-- [end:problem]


# --8<-- [start:fillings]
def fillings(run: Run, total: int, assignment: Assignment) -> list[set[int]]:
    """The sets of different digits that its open cells can have."""
    known = [int(assignment[cell]) for cell in run if cell in assignment]
    return combined(len(run), total, frozenset(known)) if len(set(known)) == len(known) else []


@cache
def combined(count: int, total: int, known: frozenset[int]) -> list[set[int]]:
    """What is added to the known digits in sets of so many with this sum."""
    every = [set(some) for some in combinations(range(1, 10), count) if sum(some) == total]
    return [some - known for some in every if some >= known]


# --8<-- [end:fillings]

# --8<-- [start:border]
LEVELS = {"tiny": (3, 3, 0), "small": (4, 4, 2), "medium": (5, 5, 6)}
"""Level → rows, columns, black cells."""


def border(rng: Random, rows: int, columns: int, blacks: int) -> tuple[Puzzle, Puzzle]:
    """A puzzle with a solution and one without, which differ by one in the sums of two runs that cross.

    Digits that fill the grid give the first sums. From there some runs go up and others down until there is no
    solution. Each cell keeps a digit that fits both its runs, so that this is not seen at a glance.
    """
    upper, left = rng.sample(range(9), 9), rng.sample(range(9), 9)
    runs = drawn(rng, rows, columns, blacks)
    sums = {run: sum((upper[int(cell[1])] + left[int(cell[3])]) % 9 + 1 for cell in run) for run in runs}
    step = {run: rng.choice((-1, 1)) for run in runs}
    crossing = [pair for pair in combinations(runs, 2) if {*pair[0]} & {*pair[1]} and step[pair[0]] == step[pair[1]]]
    while solvable(sums, {}):
        before = sums
        ways = (sums | {run: sums[run] + step[run] for run in pair} for pair in rng.sample(crossing, len(crossing)))
        sums = next((way for way in ways if all(choices(way, {}).values())), {})
        if not sums:
            return border(rng, rows, columns, blacks)
    return Puzzle(tuple(before.items())), Puzzle(tuple(sums.items()))


def drawn(rng: Random, rows: int, columns: int, blacks: int) -> list[Run]:
    """The runs of a grid with so many black cells, none of which leaves a cell alone."""
    grid = [[f"r{row}c{column}" for column in range(1, columns + 1)] for row in range(1, rows + 1)]
    while True:
        black = rng.sample([cell for row in grid for cell in row], blacks)
        lines = [groupby(line, black.__contains__) for line in (*grid, *zip(*grid, strict=True))]
        runs = [tuple(cells) for line in lines for is_black, cells in line if not is_black]
        if min(map(len, runs)) > 1:
            return runs


def solvable(sums: dict[Run, int], assignment: Assignment) -> bool:
    left = choices(sums, assignment)
    cell = min(left, key=lambda cell: len(left[cell]), default="")
    return not left or any(solvable(sums, {**assignment, cell: str(digit)}) for digit in left[cell])


def choices(sums: dict[Run, int], assignment: Assignment) -> dict[str, set[int]]:
    """Open cell → the digits that fit both its runs."""
    left: dict[str, set[int]] = {}
    for run, total in sums.items():
        fit = set[int]().union(*fillings(run, total, assignment))
        left |= {cell: left.get(cell, fit) & fit for cell in run if cell not in assignment}
    return left


# --8<-- [end:border]


# --8<-- [start:head]
class Kakuro:
    """Puzzles at the border of what can be solved; half of them have a solution."""

    # --8<-- [end:head]

    # --8<-- [start:levels]
    name: ClassVar[str] = "kakuro"
    version: ClassVar[str] = "1"
    levels: ClassVar[tuple[str, ...]] = tuple(LEVELS)
    legend: ClassVar[str] = (
        "Each line has a sum, the cells of a run, and its name. The cells take different digits from 1 to 9 with that "
        "sum. Variables are cells, literals are written r2c1=7, and constraints are named by a run or a cell."
    )
    # --8<-- [end:levels]

    # --8<-- [start:generate]
    def generate(self, level: str, *, split: Split, seed: int, index: int) -> Puzzle:
        if level not in LEVELS:
            raise UnknownNameError("level", level, LEVELS)
        rng = generator(self.name, self.version, level, split, seed, index)
        while True:
            puzzle = rng.choice(border(rng, *LEVELS[level]))
            if belongs(self.canonical(puzzle), split):
                return puzzle

    # --8<-- [end:generate]

    # --8<-- [start:texts]
    def loads(self, text: str) -> list[Puzzle]:
        lines = text.splitlines()
        for number, line in enumerate(lines or [""], start=1):
            if not re.fullmatch(r"(?!.*(r.c.).*\1)[0-9]{1,2}( r[1-9]c[1-9]){1,8}", line):
                raise ProblemFileError(f"expected a sum and cells, as in 17 r1c1 r1c2, found {line!r}", number)
        return [Puzzle(tuple((tuple(run), int(total)) for total, *run in map(str.split, lines)))]

    def dumps(self, problem: Puzzle) -> str:
        return "".join(f"{total} {' '.join(run)}\n" for run, total in problem.runs)

    def render(self, problem: Puzzle) -> str:
        lines = [f" {total} {' '.join(run)} {name}\n" for name, (run, total) in problem.named().items()]
        return "".join(["kakuro\n", *lines])

    # --8<-- [end:texts]

    # --8<-- [start:csp]
    def domains(self, problem: Puzzle) -> Domains:
        return dict.fromkeys([cell for run, _ in problem.runs for cell in run], tuple("123456789"))

    def csp(self, problem: Puzzle) -> CSP:
        tables = [Table(name, run, orders(len(run), total)) for name, (run, total) in problem.named().items()]
        return CSP(self.domains(problem), tuple(tables), "forward")

    # --8<-- [end:csp]

    # --8<-- [start:falsified]
    def falsified(self, problem: Puzzle, assignment: Assignment, named: str | None = None) -> str | None:
        runs = problem.named()
        for name in runs if named is None else [named]:
            if not fillings(*runs[name], assignment):
                return name
        return None

    # --8<-- [end:falsified]

    # --8<-- [start:solve]
    def solve(self, problem: Puzzle, *, seconds: float = 60.0) -> Solution:
        from ortools.sat.python import cp_model

        model, solver = cp_model.CpModel(), cp_model.CpSolver()
        digits = {cell: model.new_int_var(1, 9, cell) for cell in self.domains(problem)}
        for run, total in problem.runs:
            model.add_all_different([digits[cell] for cell in run])
            model.add(sum(digits[cell] for cell in run) == total)
        solver.parameters.num_workers, solver.parameters.max_time_in_seconds = 1, seconds
        status = solver.solve(model) if seconds > 0 else cp_model.UNKNOWN
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return Solution(Verdict.SAT, {cell: str(solver.value(digit)) for cell, digit in digits.items()})
        return Solution(Verdict.UNSAT if status == cp_model.INFEASIBLE else Verdict.UNKNOWN)

    # --8<-- [end:solve]

    # --8<-- [start:canonical]
    def canonical(self, problem: Puzzle) -> str:
        return min(fingerprint(problem), fingerprint(problem.mirrored()))

    def disguise(self, problem: Puzzle, rng: Random) -> Puzzle:
        shown = rng.choice((problem, problem.mirrored()))
        return Puzzle(tuple(rng.sample(shown.runs, len(shown.runs))))

    # --8<-- [end:canonical]


# --8<-- [start:orders]
@cache
def orders(count: int, total: int) -> tuple[Run, ...]:
    return tuple(order for order in permutations("123456789", count) if sum(map(int, order)) == total)


# --8<-- [end:orders]


# --8<-- [start:fingerprint]
def fingerprint(problem: Puzzle) -> str:
    """Tells runs apart by their sums, then by those of the runs that they cross, and that these cross, and so on."""
    looks = {run: str((total, len(run))) for run, total in problem.runs}
    for _ in problem.runs:
        seen = {run: sorted(looks[other] for other in looks if {*run} & {*other}) for run in looks}
        looks = {run: blake2b(f"{looks[run]} {seen[run]}".encode(), digest_size=8).hexdigest() for run in looks}
    return " ".join(sorted(looks.values()))


# --8<-- [end:fingerprint]
