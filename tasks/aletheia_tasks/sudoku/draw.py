"""A grid with its clues, and what is filled in."""

from aletheia_plugins import Assignment
from aletheia_tasks._common import svg
from aletheia_tasks.sudoku.problem import BOXES, Problem

__all__ = ["draw"]

CELL = 30


def draw(problem: Problem, assignment: Assignment) -> str:
    """Clues are black, other values blue; a contradicted clue is red."""
    size = problem.size
    shapes = []
    for place, clue in enumerate(problem.cells):
        row, column = divmod(place, size)
        value = assignment.get(f"r{row + 1}c{column + 1}", str(clue) if clue else "")
        colour = "blue" if not clue else "black" if value == str(clue) else "red"
        x, y = CELL * column + CELL // 2 + 2, CELL * row + CELL // 2 + 2
        shapes.append(f'<text x="{x}" y="{y}" fill="{colour}">{value}</text>')
    height, width = BOXES[size]
    end = CELL * size + 2
    for line in range(size + 1):
        at = CELL * line + 2
        across, down = (3 if line % thickness == 0 else 1 for thickness in (height, width))
        shapes.append(f'<path d="M2 {at}H{end}" stroke="black" stroke-width="{across}"/>')
        shapes.append(f'<path d="M{at} 2V{end}" stroke="black" stroke-width="{down}"/>')
    return svg(end + 2, end + 2, shapes)
