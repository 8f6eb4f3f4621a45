"""The completion of n queens, as a task for aletheia-bench."""

from typing import Any

from aletheia_nqueens.task import NQueens
from aletheia_plugins import Task, hookimpl

__all__ = ["NQueens", "aletheia_tasks"]


@hookimpl
def aletheia_tasks() -> list[type[Task[Any]]]:
    return [NQueens]
