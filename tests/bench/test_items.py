"""Items: what a run evaluates, from the generator or from files of others, with a verdict that two methods agree on."""

import pytest

from aletheia_bench.items import from_file, generated
from aletheia_plugins import (
    AletheiaError,
    CorpusError,
    ProblemFileError,
    Solution,
    UsageError,
    Verdict,
    belongs,
)
from aletheia_tasks import Coloring, Sat, Sudoku, aletheia_tasks

TASKS = [task() for task in aletheia_tasks()]
UNSAT = "p cnf 1 2\n1 0\n-1 0\n"
FREE = "p cnf 2 1\n1 2 0\n"


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_generated_items_are_test_problems_with_their_verdict_and_difficulty(task):
    items = list(generated(task, "tiny", seed=1, limit=6))
    assert [item.id for item in items] == [f"{task.name}-tiny-test-1-{index}" for index in range(6)]
    for item in items:
        assert belongs(task.canonical(item.problem), "test")
        assert task.loads(item.native) == [item.problem]
        assert item.prompt == task.render(item.problem)
        assert item.verdict is task.solve(item.problem).verdict
        assert set(item.reference) == {"verdict", "steps", "decisions", "conflicts", "backtracks"}


def test_more_items_start_with_the_same_ones():
    assert list(generated(Sat(), "tiny", seed=1, limit=5))[:2] == list(generated(Sat(), "tiny", seed=1, limit=2))


def test_a_file_with_several_problems_gives_several_items(tmp_path):
    path = tmp_path / "two.txt"
    path.write_text(f"{'.' * 16}\n1234341221434321\n")
    assert [item.id for item in from_file(Sudoku(), path)] == ["two-0", "two-1"]


def test_a_folder_is_read_file_by_file_in_alphabetical_order(tmp_path):
    (tmp_path / "b.cnf").write_text(UNSAT)
    (tmp_path / "a.cnf").write_text(FREE)
    items = list(from_file(Sat(), tmp_path))
    assert [(item.verdict, item.reference["verdict"]) for item in items] == [("SAT", "SAT"), ("UNSAT", "UNSAT")]


def test_files_of_one_name_in_two_folders_are_two_items(tmp_path):
    for name in ("easy/1.cnf", "hard/1.cnf", "hard/1.dimacs"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(FREE)
    assert len({item.id for item in from_file(Sat(), tmp_path)}) == 3


def test_a_malformed_file_is_named_with_its_line(tmp_path):
    path = tmp_path / "bad.cnf"
    path.write_text("c a comment\np cnf 2 1\n1 seven 0\n")
    with pytest.raises(ProblemFileError) as caught:
        list(from_file(Sat(), path))
    assert str(caught.value).startswith(f"{path}:3: ")
    assert "'seven'" in str(caught.value)


def test_a_file_that_is_no_text_is_a_sentence(tmp_path):
    path = tmp_path / "picture.cnf"
    path.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(UsageError) as caught:
        list(from_file(Sat(), path))
    assert str(caught.value).startswith(f"{path} cannot be read: ")


class Contrary(Coloring):
    """Its solver contradicts every search."""

    def solve(self, problem, *, seconds=60.0):
        other = {Verdict.SAT: Verdict.UNSAT, Verdict.UNSAT: Verdict.SAT}
        return Solution(other[super().solve(problem, seconds=seconds).verdict])


class Hasty(Coloring):
    """Its solver never has the time."""

    def solve(self, problem, *, seconds=60.0):
        return Solution(Verdict.UNKNOWN)


class Lying(Coloring):
    """Falsifies nothing, as if every assignment were fine."""

    def falsified(self, problem, assignment, named=None):
        return None


def test_a_solver_and_a_search_that_disagree_are_a_defect():
    with pytest.raises(AletheiaError) as caught:
        list(generated(Contrary(), "tiny", seed=0, limit=1))
    assert str(caught.value).startswith("coloring-tiny-test-0-0: the solver says ")


def test_a_solver_without_time_leaves_the_word_to_the_verified_search():
    theirs = [item.verdict for item in generated(Hasty(), "tiny", seed=0, limit=4)]
    assert theirs == [item.verdict for item in generated(Coloring(), "tiny", seed=0, limit=4)]


def test_a_reference_trace_that_the_checker_rejects_is_a_defect_of_the_task():
    with pytest.raises(CorpusError) as caught:
        list(generated(Lying(), "tiny", seed=0, limit=6))
    assert "the checker rejects the reference trace: a defect of task coloring; " in str(caught.value)
