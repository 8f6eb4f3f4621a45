"""What aletheia-bench expects of a task, on boards that this one makes."""

import itertools
import random
from collections import Counter

import pytest
from aletheia_nqueens import NQueens
from aletheia_nqueens.board import Board, attack
from hypothesis import given, settings, strategies as st

from aletheia_bench.checker import review
from aletheia_bench.search import search
from aletheia_bench.testing import check_task
from aletheia_bench.text import render
from aletheia_plugins import ProblemFileError, UnknownNameError, Verdict, belongs

TASK = NQueens()
every_level = pytest.mark.parametrize("level", TASK.levels)


def some(level, count, split="train", seed=1):
    return [TASK.generate(level, split=split, seed=seed, index=index) for index in range(count)]


def images(board):
    """Its eight mirror images and rotations, as full grids."""
    grid = [[column == queen for column in range(1, board.size + 1)] for queen in board.queens]
    for _ in range(4):
        grid = [list(row) for row in zip(*grid[::-1], strict=True)]
        for image in (grid, grid[::-1]):
            yield Board(tuple(row.index(True) + 1 if True in row else 0 for row in image))


def possible(board, one, other, assignment):
    """Whether two queens can stand as assigned, whatever the open one does: by trying."""
    domains = TASK.domains(board)
    choices = [[assignment[v]] if v in assignment else domains[v] for v in (one, other)]
    rows = int(other[1:]) - int(one[1:])
    return any(not attack(rows, int(a), int(b)) for a, b in itertools.product(*choices))


@every_level
def test_half_of_the_boards_can_be_completed_and_the_solver_says_which(level):
    verdicts = Counter(TASK.solve(board).verdict for board in some(level, 60))
    assert verdicts.total() == 60
    assert set(verdicts) == {Verdict.SAT, Verdict.UNSAT}
    assert 15 <= verdicts[Verdict.SAT] <= 45


@every_level
def test_every_trace_is_accepted_and_has_the_solvers_verdict(level):
    for number, board in enumerate(some(level, 60)):
        trace = search(TASK.csp(board), rng=random.Random(number) if number % 2 else None)
        assert trace.verdict is TASK.solve(board).verdict
        found = review(TASK, board, render(trace))
        assert found.valid, found.judgements[found.first_fault]


def test_a_board_without_queens_is_completed():
    assert search(TASK.csp(Board((0,) * 8))).verdict is TASK.solve(Board((0,) * 8)).verdict is Verdict.SAT


def test_queens_that_attack_each_other_from_the_start_are_a_conflict():
    board = TASK.loads("1 . 3 .")[0]
    text = render(search(TASK.csp(board)))
    assert text == "state: q1=1 q3=3\nconflict q1 q3 : q1=1 q3=3\nanswer: UNSAT\n"
    assert review(TASK, board, text).valid


@given(st.sampled_from(TASK.levels), st.integers(0, 40), st.data())
@settings(max_examples=150)
def test_an_assignment_falsifies_exactly_the_pairs_that_no_choice_can_mend(level, index, data):
    board = TASK.generate(level, split="train", seed=2, index=index)
    domains = TASK.domains(board)
    chosen = data.draw(st.lists(st.sampled_from(list(domains)), unique=True))
    assignment = {variable: data.draw(st.sampled_from(domains[variable])) for variable in chosen}
    wrong = set()
    for constraint in TASK.csp(board).constraints:
        falsified = not possible(board, *constraint.variables, assignment)
        assert TASK.falsified(board, assignment, constraint.name) == (constraint.name if falsified else None)
        wrong |= {constraint.name} if falsified else set()
    found = TASK.falsified(board, assignment)
    assert found in wrong if wrong else found is None


def test_a_queen_that_stands_cannot_be_moved():
    board = Board((1, 0, 0, 0))
    assert TASK.falsified(board, {"q1": "2"}) == TASK.falsified(board, {"q1": "2"}, "given q1") == "given q1"
    assert TASK.falsified(board, {}, "given q1") is None


@pytest.mark.parametrize("name", ["", "q1", "q2 q1", "q1 q9", "given q2", "given", "\n"])
def test_a_constraint_that_does_not_exist_is_a_key_error(name):
    with pytest.raises(KeyError):
        TASK.falsified(Board((1, 0, 0, 0)), {}, name)


@every_level
def test_a_board_has_the_same_form_as_its_images_and_another_than_any_other_board(level):
    boards = some(level, 40)
    for board in boards:
        assert {TASK.canonical(image) for image in images(board)} == {TASK.canonical(board)}
    for one, other in itertools.combinations(boards, 2):
        assert (TASK.canonical(one) == TASK.canonical(other)) == (other in set(images(one)))


@every_level
def test_train_and_test_share_no_board_in_any_disguise(level):
    forms = {split: {TASK.canonical(board) for board in some(level, 100, split)} for split in ("train", "test")}
    assert all(belongs(form, split) for split, found in forms.items() for form in found)
    assert not forms["train"] & forms["test"]


@every_level
def test_a_board_survives_its_file_format_and_is_made_again_from_the_same_arguments(level):
    boards = some(level, 20)
    assert [TASK.loads(TASK.dumps(board)) for board in boards] == [[board] for board in boards]
    assert some(level, 20) == boards != some(level, 20, seed=2)


def test_a_file_has_comments_and_blank_lines():
    assert TASK.loads("# two boards\n\n1 . . .\n. . 2 . . # the second\n") == [
        Board((1, 0, 0, 0)),
        Board((0, 0, 2, 0, 0)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected at least one board, found none"),
        ("1 . .", "1: expected 4 to 30 rows, found 3"),
        ("# one\n1 . . 5", "2: expected a column from 1 to 4 or a dot, found '5'"),
        ("1 . . x", "1: expected a column from 1 to 4 or a dot, found 'x'"),
        ("1 . . ²", "1: expected a column from 1 to 4 or a dot, found '²'"),
    ],
)
def test_what_is_no_board_is_told_with_its_line(text, message):
    with pytest.raises(ProblemFileError) as caught:
        TASK.loads(text)
    assert str(caught.value) == message


def test_a_prompt_has_the_rows_in_order():
    assert TASK.render(Board((0, 4, 0, 3))) == "nqueens 4\n q1 q2=4 q3 q4=3\n"


def test_a_level_that_does_not_exist_names_those_that_do():
    with pytest.raises(UnknownNameError) as caught:
        TASK.generate("hard", split="train", seed=0, index=0)
    assert str(caught.value) == "There is no level 'hard'. Known: medium, small, tiny."


def test_no_time_at_all_is_unknown():
    assert TASK.solve(Board((1, 0, 0, 0)), seconds=0).verdict is Verdict.UNKNOWN


def test_it_conforms():
    check_task(NQueens)
