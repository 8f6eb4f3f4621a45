"""Graph colouring with a given number of colours."""

from aletheia_tasks.coloring.problem import Problem
from aletheia_tasks.coloring.task import Coloring

__all__ = ["Coloring", "Problem"]
