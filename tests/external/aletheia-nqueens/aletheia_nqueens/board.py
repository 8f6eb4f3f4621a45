"""A board with some queens on it, and what is wrong with more of them. Knows nothing of searches or solvers."""

from dataclasses import dataclass
from itertools import combinations

from aletheia_plugins import Assignment, ProblemFileError

__all__ = ["Board", "attack", "read"]

SMALLEST, LARGEST = 4, 30
"""Rows. On fewer than four, one queen can attack a whole row."""


def attack(rows: int, one: int, other: int) -> bool:
    """Whether queens in these columns attack each other, so many rows apart."""
    return one == other or abs(one - other) == rows


@dataclass(frozen=True, slots=True)
class Board:
    """For each row the column of the queen that stands there, counted from 1, or 0."""

    queens: tuple[int, ...]

    @property
    def size(self) -> int:
        return len(self.queens)

    def falsified(self, assignment: Assignment) -> str | None:
        """The name of two queens that attack each other, or of one that was moved, if there is one."""
        columns = self._columns(assignment)
        for row in columns:
            if self._moved(row, columns):
                return f"given q{row}"
        for upper, lower in combinations(sorted(columns), 2):
            if attack(lower - upper, columns[upper], columns[lower]):
                return f"q{upper} q{lower}"
        return None

    def falsifies(self, assignment: Assignment, named: str) -> str | None:
        """`named` if it is two queens, as in `q1 q3`, or a given one, `given q2`, and wrong. Otherwise a KeyError."""
        columns = self._columns(assignment)
        for row, queen in enumerate(self.queens, start=1):
            if queen and named == f"given q{row}":
                return named if self._moved(row, columns) else None
        for upper, lower in combinations(range(1, self.size + 1), 2):
            if named == f"q{upper} q{lower}":
                both = upper in columns and lower in columns
                return named if both and attack(lower - upper, columns[upper], columns[lower]) else None
        raise KeyError(named)

    def _columns(self, assignment: Assignment) -> dict[int, int]:
        """Row → column, of all queens that stand or are placed."""
        rows = {f"q{row}": row for row in range(1, self.size + 1)}
        columns = {row: queen for row, queen in enumerate(self.queens, start=1) if queen}
        return columns | {rows[variable]: int(value) for variable, value in assignment.items()}

    def _moved(self, row: int, columns: dict[int, int]) -> bool:
        return bool(self.queens[row - 1]) and columns[row] != self.queens[row - 1]

    def completable(self) -> bool:
        """Whether all other queens can be placed: row by row, with a bit for each column and diagonal."""
        every = (1 << self.size) - 1

        def place(row: int, columns: int, left: int, right: int) -> bool:
            if row == self.size:
                return True
            free = every & ~(columns | left | right)
            if queen := self.queens[row]:
                free &= 1 << queen - 1
            while free:
                bit = free & -free
                if place(row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1):
                    return True
                free ^= bit
            return False

        return place(0, 0, 0, 0)

    def canonical(self) -> str:
        """The smallest of its eight mirror images and rotations, as a text."""
        squares = [(row, queen) for row, queen in enumerate(self.queens, start=1) if queen]
        images = []
        for _ in range(4):
            squares = [(column, self.size + 1 - row) for row, column in squares]
            images += [sorted(squares), sorted((column, row) for row, column in squares)]
        return f"{self.size} {min(images)}"

    def __str__(self) -> str:
        return " ".join(str(queen) if queen else "." for queen in self.queens)


def read(content: str, line: int) -> Board | None:
    """The board that a line writes; None if there is none on it. Raises ProblemFileError."""
    words = content.partition("#")[0].split()
    if not words:
        return None
    size = len(words)
    if not SMALLEST <= size <= LARGEST:
        raise ProblemFileError(f"expected {SMALLEST} to {LARGEST} rows, found {size}", line)
    for word in words:
        if word != "." and not (len(word) <= 2 and word.isascii() and word.isdigit() and 1 <= int(word) <= size):
            raise ProblemFileError(f"expected a column from 1 to {size} or a dot, found {word!r}", line)
    return Board(tuple(0 if word == "." else int(word) for word in words))
