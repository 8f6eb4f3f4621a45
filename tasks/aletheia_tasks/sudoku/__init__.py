"""Sudoku of 4, 6 or 9 rows."""

from aletheia_tasks.sudoku.problem import Problem
from aletheia_tasks.sudoku.task import Sudoku

__all__ = ["Problem", "Sudoku"]
