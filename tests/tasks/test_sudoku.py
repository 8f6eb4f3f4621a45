"""Sudoku: its files, its uniqueness, its disguises, and its rules."""

import random

import pytest
from hypothesis import given, settings, strategies as st

from aletheia_plugins import ProblemFileError, Verdict
from aletheia_tasks.sudoku import Problem, Sudoku

task = Sudoku()

BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}
BLANKS = {"tiny": (8, 12), "small": (16, 24), "medium": (36, 53), "hard": (54, 64)}
FULL = Problem((1, 2, 3, 4, 3, 4, 1, 2, 2, 1, 4, 3, 4, 3, 2, 1))


def solutions(cells, size, most=2):
    """Up to `most` full grids, by trying the candidates of the cell with fewest."""
    height, width = BOXES[size]

    def candidates(place):
        row, column = divmod(place, size)
        top, left = row - row % height, column - column % width
        seen = {cells[row * size + i] for i in range(size)} | {cells[i * size + column] for i in range(size)}
        seen |= {cells[(top + i) * size + left + j] for i in range(height) for j in range(width)}
        return [digit for digit in range(1, size + 1) if digit not in seen]

    blanks = [place for place, value in enumerate(cells) if not value]
    if not blanks:
        return [tuple(cells)]
    place = min(blanks, key=lambda blank: len(candidates(blank)))
    found = []
    for digit in candidates(place):
        cells[place] = digit
        found += solutions(cells, size, most - len(found))
        cells[place] = 0
        if len(found) >= most:
            break
    return found


grids = (
    st.sampled_from([4, 6, 9])
    .flatmap(lambda size: st.lists(st.integers(0, size), min_size=size * size, max_size=size * size))
    .map(lambda cells: Problem(tuple(cells)))
)


# --- text ---


def test_a_row_a_line_is_the_prompt():
    problem = Problem((3, 0, 0, 1) + (0,) * 12)
    lines = task.render(problem).splitlines()
    assert lines[:2] == ["sudoku 4", " r1c1=3 r1c2 r1c3 r1c4=1"]
    assert lines[4] == " r4c1 r4c2 r4c3 r4c4"


@given(grids)
def test_a_grid_survives_its_file_format(problem):
    assert task.loads(task.dumps(problem)) == [problem]


def test_blanks_are_zeros_dots_or_stars_and_a_file_holds_several_puzzles():
    expected = Problem((1,) + (0,) * 14 + (4,))
    text = "# three\n1..............4\n\n1000000000000004 # the same\n1**************4\n"
    assert task.loads(text) == [expected] * 3


def test_a_grid_may_be_drawn_over_several_lines():
    drawn = "12 | 34\n34 | 12\n---+---\n21 | 43\n43 | 21\n" * 2
    assert task.loads(drawn) == [FULL, FULL]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing\n", "expected at least one puzzle, found none"),
        ("12345\n", "1: expected a row of 4, 6 or 9 cells or a grid of 16, 36 or 81, found 5"),
        ("\n1x34\n", "2: expected digits and blanks (0 . *), found 'x'"),
        ("1..............5\n", "1: expected digits 1 to 4, found 5"),
        ("1234\n3412\n", "2: expected 4 rows, found 2 and the end of the file"),
        ("1234\n341256\n", "2: expected a row of 4 cells, found 6"),
        ("1234\n3412\n2143\n4329\n", "4: expected digits 1 to 4, found 9"),
    ],
)
def test_a_malformed_file_says_what_was_expected_and_what_was_found(text, message):
    with pytest.raises(ProblemFileError) as caught:
        task.loads(text)
    assert str(caught.value) == message


# --- semantics ---


def test_a_clue_has_one_value_and_a_blank_has_all():
    domains = task.domains(Problem((3,) + (0,) * 15))
    assert domains["r1c1"] == ("3",)
    assert domains["r4c4"] == ("1", "2", "3", "4")


def test_rows_columns_and_boxes_are_named_from_one_on_in_reading_order():
    constraints = {c.name: c.variables for c in task.csp(Problem((0,) * 36)).constraints}
    assert len(constraints) == 18
    assert constraints["row 2"] == tuple(f"r2c{column}" for column in range(1, 7))
    assert constraints["column 6"] == tuple(f"r{row}c6" for row in range(1, 7))
    assert constraints["box 4"] == ("r3c4", "r3c5", "r3c6", "r4c4", "r4c5", "r4c6")


def test_a_value_twice_in_a_unit_falsifies_it():
    problem = Problem((0,) * 16)
    assert task.falsified(problem, {"r1c1": "1", "r1c4": "1"}) == "row 1"
    assert task.falsified(problem, {"r1c2": "1", "r4c2": "1"}) == "column 2"
    assert task.falsified(problem, {"r3c3": "1", "r4c4": "1"}) == "box 4"
    assert task.falsified(problem, {"r3c3": "1", "r4c4": "1"}, "row 3") is None
    assert task.falsified(problem, {"r3c3": "1", "r4c4": "1"}, "box 4") == "box 4"


def test_a_contradicted_clue_is_falsified_under_its_own_name():
    problem = Problem((3,) + (0,) * 15)
    assert task.falsified(problem, {"r1c1": "2"}) == "clue r1c1"
    assert task.falsified(problem, {"r1c1": "2"}, "clue r1c1") == "clue r1c1"
    assert task.falsified(problem, {"r1c1": "3"}, "clue r1c1") is None
    assert task.falsified(problem, {}, "clue r1c1") is None
    with pytest.raises(KeyError):
        task.falsified(problem, {}, "clue r1c2")


def test_clues_that_contradict_each_other_leave_no_solution():
    assert task.solve(Problem((3, 3) + (0,) * 14)).verdict is Verdict.UNSAT


# --- generation ---


@pytest.mark.parametrize("level", task.levels)
def test_a_generated_puzzle_has_one_solution_by_two_methods(level):
    low, high = BLANKS[level]
    for index in range(60 if level == "tiny" else 8):
        problem = task.generate(level, split="train", seed=5, index=index)
        found = solutions(list(problem.cells), problem.size)
        solution = task.solve(problem)
        assert low <= problem.cells.count(0) <= high
        assert len(found) == 1
        assert tuple(map(int, solution.assignment.values())) == found[0]
        assert not another(problem, found[0])


def another(problem, solution):
    """Whether a SAT solver finds a second solution."""
    from pysat.solvers import Glucose4

    from aletheia_tasks.sudoku.encode import clues, rules

    full = clues(Problem(solution))
    with Glucose4(bootstrap_with=[*rules(problem.size), [-literal for literal in full]]) as solver:
        return solver.solve(assumptions=clues(problem))


def test_the_numbers_of_blanks_spread_over_the_range_of_a_level():
    for level in ("tiny", "small"):
        low, high = BLANKS[level]
        puzzles = [task.generate(level, split="train", seed=5, index=index) for index in range(150)]
        assert {puzzle.cells.count(0) for puzzle in puzzles} == set(range(low, high + 1))


def test_full_grids_are_diverse():
    """Every digit is about as often in every cell of what is generated."""
    corners = [0] * 10
    for index in range(300):
        corners[task.generate("medium", split="train", seed=5, index=index).cells[0]] += 1
    assert min(corners[1:]) > 3


# --- disguises ---


@given(grids, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_a_disguise_changes_nothing_canonical(problem, rng):
    assert task.canonical(task.disguise(problem, rng)) == task.canonical(problem)


@pytest.mark.parametrize("level", task.levels)
def test_a_disguised_puzzle_of_a_level_is_recognised(level):
    rng = random.Random(0)
    for index in range(10):
        problem = task.generate(level, split="train", seed=6, index=index)
        assert task.canonical(task.disguise(problem, rng)) == task.canonical(problem)


def test_a_clue_that_moves_or_changes_is_no_disguise():
    blank = [0] * 16
    forms = set()
    for places in ({0: 1, 1: 2}, {0: 1, 2: 2}, {0: 1, 5: 2}, {0: 1, 10: 2}, {0: 1, 10: 1}):
        forms.add(task.canonical(Problem(tuple(places.get(i, value) for i, value in enumerate(blank)))))
    assert len(forms) == 5


def test_a_transposed_grid_is_a_disguise_only_where_boxes_are_square():
    def transposed(problem):
        size = problem.size
        return Problem(tuple(problem.cells[column * size + row] for row in range(size) for column in range(size)))

    for level, same in (("tiny", True), ("small", False), ("hard", True)):
        problem = task.generate(level, split="train", seed=7, index=0)
        assert (task.canonical(transposed(problem)) == task.canonical(problem)) is same


# --- instances made by others ---


def published(instances):
    return {path.name: task.loads(path.read_text()) for path in sorted((instances / "sudoku").glob("*.txt"))}


def test_every_published_puzzle_is_read(instances):
    assert {name: len(puzzles) for name, puzzles in published(instances).items()} == {
        "4x4.txt": 400,
        "hardest.txt": 10,
        "sudoku-easy50.txt": 50,
        "sudoku-top95.txt": 95,
    }


def test_the_hardest_published_puzzles_have_a_solution_by_two_methods(instances):
    for problem in published(instances)["hardest.txt"][:4]:
        values = tuple(map(int, task.solve(problem).assignment.values()))
        assert solutions(list(problem.cells), 9) == [values]


@pytest.mark.heavy
def test_every_published_puzzle_has_one_solution(instances):
    for puzzles in published(instances).values():
        for problem in puzzles:
            values = tuple(map(int, task.solve(problem).assignment.values()))
            assert task.falsified(problem, task.solve(problem).assignment) is None
            assert not another(problem, values)
