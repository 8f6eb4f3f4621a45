"""What is installed works as it is: `make check` runs this against the wheel, away from the source tree."""

import pytest

from aletheia_bench.cards import find, verify
from aletheia_plugins import load_plugins

PLUGINS = load_plugins([])
LEVELS = [(task, level) for task in PLUGINS.tasks.values() for level in task.levels]


def test_every_builtin_plugin_is_active():
    builtin = [report for report in PLUGINS.reports if report.distribution == "aletheia-bench"]
    assert [(report.name, report.status, report.error) for report in builtin] == [
        ("aletheia-models", "active", None),
        ("aletheia-tasks", "active", None),
    ]


def test_the_three_tasks_and_the_embedded_student_are_there():
    assert sorted(PLUGINS.tasks) == ["coloring", "sat", "sudoku"]
    assert "hf" in PLUGINS.backends
    assert "aletheia-tiny" in PLUGINS.cards


@pytest.mark.parametrize("name", ["aletheia-tiny", "aletheia-tiny-linearized", "aletheia-small"])
def test_the_weights_that_ship_are_those_of_their_card(name):
    card = find(PLUGINS, name)
    assert verify(card) == card.sha256


@pytest.mark.parametrize(("task", "level"), LEVELS, ids=[f"{task.name}-{level}" for task, level in LEVELS])
def test_every_level_makes_a_problem(task, level):
    problem = task.generate(level, split="test", seed=0, index=0)
    assert task.loads(task.dumps(problem)) == [problem]


def test_the_command_line_starts(python):
    code = "import sys; from aletheia_bench.cli import main; sys.argv = ['aletheia-bench', '--help']; main()"
    assert "run" in python(code)
