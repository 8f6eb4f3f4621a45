"""The built-in tasks, registered through the same door as a stranger's."""

from typing import Any

from aletheia_plugins import Task, hookimpl
from aletheia_tasks.coloring import Coloring
from aletheia_tasks.sat import Sat
from aletheia_tasks.sudoku import Sudoku

__all__ = ["Coloring", "Sat", "Sudoku", "aletheia_tasks"]


@hookimpl
def aletheia_tasks() -> list[type[Task[Any]]]:
    return [Sat, Coloring, Sudoku]
