"""Instructions: a model is told all that the grammar has, and how to read the task's problems."""

import functools

import pytest

from aletheia_bench.evaluate import Limits, evaluate
from aletheia_bench.instructions import instruction
from aletheia_bench.items import generated
from aletheia_bench.testing import Playback
from aletheia_bench.text import parse_line
from aletheia_tasks import aletheia_tasks

TASKS = [task() for task in aletheia_tasks()]
EXAMPLES = {"LITERAL ...": "x1=1", "VARIABLE=VALUE": "x2=0", "VARIABLE": "x2", "NAME": "c1"}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_it_has_the_legend_and_every_kind_of_step(task):
    said = instruction(task)
    assert task.legend in said
    for word in ("state:", "decide", "imply", "conflict", "backtrack", "answer: SAT", "answer: UNSAT"):
        assert f"\n{word}" in said


def test_the_steps_that_it_shows_are_steps():
    forms = [line.split("  ")[0] for line in instruction(TASKS[0]).splitlines() if "  " in line]
    assert len(forms) == 7
    for form in forms:
        line = functools.reduce(lambda text, pair: text.replace(*pair), EXAMPLES.items(), form)
        assert parse_line(line.replace("x2=0 ...", "x2=0")), line


def test_each_request_carries_it():
    asked = []

    class Told(Playback):
        def submit(self, request):
            asked.append(request.instruction)
            super().submit(request)

    item = next(generated(TASKS[0], "tiny", seed=0, limit=1))
    list(evaluate(Told([]), [(item, 0)], "cumulative", Limits(9, instruction="do this")))
    assert asked == ["do this"]
