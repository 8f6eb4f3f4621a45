"""What aletheia-bench expects of a task, and what is true of this one."""

# --8<-- [start:tests]
import pytest
from aletheia_bench.testing import check_task
from aletheia_plugins import ProblemFileError

from aletheia_kakuro import Kakuro

TASK = Kakuro()
(PUZZLE,) = TASK.loads("6 r1c1 r1c2\n9 r2c1 r2c2\n5 r1c1 r2c1\n10 r1c2 r2c2\n")


def test_it_keeps_the_contract():
    check_task(Kakuro)


@pytest.mark.parametrize(
    ("digits", "run"),
    [
        ({"r1c1": "2", "r1c2": "4"}, None),
        ({"r1c1": "3", "r1c2": "3"}, "run1"),  # the sum is right, the digits are equal
        ({"r1c1": "1", "r1c2": "4"}, "run1"),  # the digits differ, the sum is wrong
        ({"r1c2": "9"}, "run1"),  # nothing is left for r1c1
        ({"r1c2": "5"}, "run4"),  # as in 5 and 5
    ],
)
def test_a_run_is_falsified_once_no_different_digits_can_give_its_sum(digits, run):
    assert TASK.falsified(PUZZLE, digits) == run


def test_the_puzzle_has_its_solution():
    assert TASK.solve(PUZZLE).assignment == {"r1c1": "2", "r1c2": "4", "r2c1": "3", "r2c2": "6"}


def test_a_cell_twice_is_told_with_its_line():
    with pytest.raises(ProblemFileError, match=r"^2: expected a sum and cells"):
        TASK.loads("6 r1c1 r1c2\n9 r2c1 r2c1\n")


# --8<-- [end:tests]
