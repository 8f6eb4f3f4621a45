"""What the contract promises of every task, on the problems that the built-in ones generate; and some more."""

import pickle
import re
import subprocess
import sys

import pytest

from aletheia_bench.testing import check_task
from aletheia_plugins import Disguising, Drawing, Task, UnknownNameError, belongs
from aletheia_tasks import aletheia_tasks

KINDS = aletheia_tasks()
TASKS = [task() for task in KINDS]
LEVELS = [(task, level) for task in TASKS for level in task.levels]

every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
every_level = pytest.mark.parametrize(("task", "level"), LEVELS, ids=lambda part: getattr(part, "name", part))


def some(task: Task, level: str, count: int = 6, split: str = "train", seed: int = 1) -> list:
    return [task.generate(level, split=split, seed=seed, index=index) for index in range(count)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_keeps_the_contract(kind):
    check_task(kind)


@every_task
def test_it_knows_its_disguises_and_can_be_seen(task):
    assert isinstance(task, Disguising)
    assert isinstance(task, Drawing)


@every_level
def test_a_prompt_begins_with_the_task_and_its_other_lines_with_a_space(task, level):
    for problem in some(task, level):
        assert re.fullmatch(rf"{task.name}( \S+)*\n( \S+( \S+)*\n)*", task.render(problem))


@every_level
def test_a_problem_survives_pickling_after_use(task, level):
    problem = some(task, level, 1)[0]
    task.falsified(problem, {})
    copy = pickle.loads(pickle.dumps(problem))  # noqa: S301 - our own bytes
    assert copy == problem
    assert hash(copy) == hash(problem)
    assert task.falsified(copy, {}) is None


@every_task
@pytest.mark.parametrize("level", [0, 1])
def test_train_and_test_share_no_problem_in_any_disguise(task, level):
    """Of more problems than the kit looks at."""
    forms = {}
    for split in ("train", "test"):
        problems = some(task, task.levels[level], 200, split)
        forms[split] = {task.canonical(problem) for problem in problems}
        assert all(belongs(form, split) for form in forms[split])
    assert not forms["train"] & forms["test"]


@every_task
def test_a_level_that_does_not_exist_names_those_that_do(task):
    with pytest.raises(UnknownNameError) as caught:
        task.generate("mediun", split="train", seed=0, index=0)
    assert str(caught.value) == ("There is no level 'mediun'. Did you mean medium? Known: hard, medium, small, tiny.")


@every_task
def test_a_constraint_that_does_not_exist_is_a_key_error(task):
    problem = some(task, "tiny", 1)[0]
    for name in ("", "x1 x99", "v1 v99", "v1", "row 10", "clue r9c9", "clue", "box", "~", "\n", "empty"):
        with pytest.raises(KeyError):
            task.falsified(problem, {}, name)


def test_the_tasks_are_imported_without_a_solver():
    script = "import aletheia_tasks, sys; print(*{m.partition('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    assert not {"pysat", "ortools", "numpy", "torch"} & set(loaded)
