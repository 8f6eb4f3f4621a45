"""Sudoku as text: a puzzle a line, or a row a line."""

from aletheia_plugins import ProblemFileError
from aletheia_tasks.sudoku.problem import BOXES, Problem

__all__ = ["dumps", "loads"]

BLANKS = "0.*"
SEPARATORS = str.maketrans("", "", " \t|+-")


def loads(text: str) -> list[Problem]:
    """Blanks are 0, . or *; separators between rows and boxes do not matter; # starts a comment."""
    puzzles: list[Problem] = []
    rows: list[list[int]] = []
    line = 0
    for line, content in enumerate(text.splitlines(), start=1):
        cells = _cells(content, line)
        if rows and cells and len(cells) != len(rows[0]):
            raise ProblemFileError(f"expected a row of {len(rows[0])} cells, found {len(cells)}", line)
        if len(cells) in BOXES:
            rows.append(cells)
            if len(rows) == len(cells):
                puzzles.append(_puzzle([cell for row in rows for cell in row], line))
                rows = []
        elif cells:
            puzzles.append(_puzzle(cells, line))
    if rows:
        raise ProblemFileError(f"expected {len(rows[0])} rows, found {len(rows)} and the end of the file", line)
    if not puzzles:
        raise ProblemFileError("expected at least one puzzle, found none")
    return puzzles


def dumps(problem: Problem) -> str:
    return "".join(str(value) if value else "." for value in problem.cells) + "\n"


def _cells(content: str, line: int) -> list[int]:
    cells = []
    for character in content.partition("#")[0].strip().translate(SEPARATORS):
        if character not in BLANKS and character not in "123456789":
            raise ProblemFileError(f"expected digits and blanks ({' '.join(BLANKS)}), found {character!r}", line)
        cells.append(0 if character in BLANKS else int(character))
    return cells


def _puzzle(cells: list[int], line: int) -> Problem:
    if len(cells) not in (16, 36, 81):
        raise ProblemFileError(f"expected a row of 4, 6 or 9 cells or a grid of 16, 36 or 81, found {len(cells)}", line)
    puzzle = Problem(tuple(cells))
    if max(cells) > puzzle.size:
        raise ProblemFileError(f"expected digits 1 to {puzzle.size}, found {max(cells)}", line)
    return puzzle
