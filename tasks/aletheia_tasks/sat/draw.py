"""A formula as a table: a clause a row, a variable a column."""

from aletheia_plugins import Assignment
from aletheia_tasks._common import svg
from aletheia_tasks.sat.problem import Problem, clause_names

__all__ = ["draw"]

CELL = 24
GREEN, RED, GREY = "#2a9d3a", "#d03b3b", "#888888"


def draw(problem: Problem, assignment: Assignment) -> str:
    """+ is a variable, - its complement: green where true, red where false. The name of a falsified clause is red."""
    shapes = [_text(column, 0, f"x{column}") for column in range(1, problem.variables + 1)]
    for row, (name, clause) in enumerate(zip(clause_names(len(problem.clauses)), problem.clauses, strict=True), 1):
        falsified = problem.index.falsifies(assignment, name)
        shapes.append(_text(0, row, name, RED if falsified else "black"))
        shapes += [_text(abs(lit), row, "+" if lit > 0 else "-", _colour(lit, assignment)) for lit in clause]
    return svg(CELL * (problem.variables + 1), CELL * (len(problem.clauses) + 1), shapes)


def _colour(literal: int, assignment: Assignment) -> str:
    value = assignment.get(f"x{abs(literal)}")
    return GREY if value is None else GREEN if (value == "1") == (literal > 0) else RED


def _text(column: int, row: int, text: str, colour: str = "black") -> str:
    return f'<text x="{CELL * column + CELL // 2}" y="{CELL * row + CELL // 2}" fill="{colour}">{text}</text>'
