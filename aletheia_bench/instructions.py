"""What a model that was never trained on traces is told before a problem. Knows the grammar's words, no task."""

from typing import Any

from aletheia_plugins import Task

__all__ = ["instruction"]

GRAMMAR = """\
Solve the problem below by writing down a search, one step a line, and nothing else.

{legend}

The steps are:
state: LITERAL ... | LITERAL ...     all that is known; each | begins with a guess. If nothing is known: state: -
decide VARIABLE=VALUE                a guess
imply NAME : LITERAL ... -> VARIABLE=VALUE     what the constraint NAME forces, because of the literals
conflict NAME : LITERAL ...          the literals break the constraint NAME
backtrack VARIABLE                   after a conflict: take back the last guess, on VARIABLE, then write the state

Begin with a state. The last line is the answer, one of:
answer: SAT VARIABLE=VALUE ...       with the value of every variable
answer: UNSAT                        if there is no solution

"""


def instruction(task: Task[Any]) -> str:
    """The same text for all problems of a task."""
    return GRAMMAR.format(legend=task.legend)
