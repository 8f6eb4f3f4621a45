"""Propositional satisfiability: formulas in conjunctive normal form."""

from aletheia_tasks.sat.problem import Problem
from aletheia_tasks.sat.task import Sat

__all__ = ["Problem", "Sat"]
