"""What the contract promises of every task, on the problems that the built-in ones generate."""

import json
import pickle
import random
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings, strategies as st

from aletheia_plugins import Task, UnknownNameError, Verdict, belongs
from aletheia_tasks import aletheia_tasks

TASKS = [task() for task in aletheia_tasks()]
LEVELS = [(task, level) for task in TASKS for level in task.levels]

every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
every_level = pytest.mark.parametrize(("task", "level"), LEVELS, ids=lambda part: getattr(part, "name", part))


def some(task: Task, level: str, count: int = 6, split: str = "train", seed: int = 1) -> list:
    return [task.generate(level, split=split, seed=seed, index=index) for index in range(count)]


@every_level
def test_a_prompt_is_words_separated_by_single_spaces_on_lines_that_all_but_the_first_indent(task, level):
    for problem in some(task, level):
        prompt = task.render(problem)
        assert re.fullmatch(rf"{task.name}( \S+)*\n( \S+( \S+)*\n)*", prompt)


@every_level
def test_a_prompt_tells_different_problems_apart(task, level):
    problems = some(task, level, 20)
    assert len({task.render(problem) for problem in problems}) == len(set(problems))


@every_level
def test_variables_and_values_are_letters_and_digits(task, level):
    for problem in some(task, level, 3):
        for variable, values in task.domains(problem).items():
            assert re.fullmatch("[A-Za-z0-9]+", variable)
            assert values
            assert all(re.fullmatch("[A-Za-z0-9]+", value) for value in values)


@every_level
def test_the_search_sees_the_same_domains_and_constraints_with_a_name_each(task, level):
    for problem in some(task, level, 3):
        csp = task.csp(problem)
        names = [constraint.name for constraint in csp.constraints]
        assert list(csp.domains.items()) == list(task.domains(problem).items())
        assert len(set(names)) == len(names)
        for name in names:
            assert re.fullmatch(r"\S+( \S+)*", name)
            assert task.falsified(problem, {}, name) is None


@every_task
@given(level=st.integers(0, 2), index=st.integers(0, 60), share=st.floats(0, 1), seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_an_assignment_falsifies_what_exceeds_a_bound_and_nothing_else(task, level, index, share, seed):
    """The native check and the bounds that the search sees are written apart and must agree."""
    problem = task.generate(task.levels[level], split="train", seed=2, index=index)
    rng = random.Random(seed)
    csp = task.csp(problem)
    assigned = [(variable, rng.choice(csp.domains[variable])) for variable in csp.domains if rng.random() < share]
    rng.shuffle(assigned)
    assignment = dict(assigned)
    broken = {
        constraint.name
        for constraint in csp.constraints
        for bound in constraint.bounds(csp.domains)
        if sum(assignment.get(variable) == value for variable, value in bound.pairs) > bound.limit
    }
    for constraint in csp.constraints:
        expected = constraint.name if constraint.name in broken else None
        assert task.falsified(problem, assignment, constraint.name) == expected
    found = task.falsified(problem, assignment)
    assert found in broken if broken else found is None


@every_level
def test_a_problem_survives_its_file_format(task, level):
    for problem in some(task, level):
        assert task.loads(task.dumps(problem)) == [problem]


@every_level
def test_a_problem_survives_pickling_after_use(task, level):
    problem = some(task, level, 1)[0]
    task.falsified(problem, {})
    copy = pickle.loads(pickle.dumps(problem))  # noqa: S301 - our own bytes
    assert copy == problem
    assert hash(copy) == hash(problem)
    assert task.falsified(copy, {}) is None


@every_level
def test_a_solution_is_complete_and_falsifies_nothing(task, level):
    for problem in some(task, level, 4):
        solution = task.solve(problem, seconds=20)
        assert solution.verdict in (Verdict.SAT, Verdict.UNSAT)
        if solution.verdict is Verdict.SAT:
            domains = task.domains(problem)
            assert set(solution.assignment) == set(domains)
            assert all(value in domains[variable] for variable, value in solution.assignment.items())
            assert task.falsified(problem, solution.assignment) is None


@every_task
def test_no_time_at_all_is_unknown_and_never_unsatisfiable(task):
    for problem in some(task, task.levels[-1], 2):
        solution = task.solve(problem, seconds=0)
        assert solution.verdict is Verdict.UNKNOWN
        assert solution.assignment is None


@every_task
@pytest.mark.parametrize("level", [0, 1])
def test_train_and_test_share_no_problem_in_any_disguise(task, level):
    forms = {}
    for split in ("train", "test"):
        problems = some(task, task.levels[level], 200, split)
        forms[split] = {task.canonical(problem) for problem in problems}
        assert all(belongs(form, split) for form in forms[split])
    assert not forms["train"] & forms["test"]


@every_level
def test_neighbouring_seeds_and_indices_have_nothing_in_common(task, level):
    first, second = (some(task, level, 8, seed=seed) for seed in (3, 4))
    if level != "tiny":  # whose problems are so few that some come twice
        assert len({*first, *second}) == 16
    assert first != second
    assert first[1:] != second[:-1]


@every_task
def test_another_process_makes_the_same_problems_in_another_order(task):
    """Nothing depends on hash seeds, or on what a shared solver was asked before."""
    script = (
        "import sys, json; from aletheia_tasks import aletheia_tasks\n"
        "task = {t.name: t for t in aletheia_tasks()}[sys.argv[1]]()\n"
        "asked = [(l, i) for l in task.levels for i in range(6)][::-1]\n"
        "made = [task.generate(l, split='train', seed=1, index=i) for l, i in asked]\n"
        "json.dump([(task.dumps(p), task.canonical(p)) for p in made][::-1], sys.stdout)"
    )
    command = [sys.executable, "-c", script, task.name]
    elsewhere = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    here = [problem for level in task.levels for problem in some(task, level)]
    assert elsewhere == [[task.dumps(problem), task.canonical(problem)] for problem in here]


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
