"""Names: a renamed problem is the same problem, and its trace is still right."""

from random import Random

import pytest
from hypothesis import given, strategies as st

from aletheia_bench.checker import review
from aletheia_bench.contexts import examples
from aletheia_bench.hints import hinted
from aletheia_bench.naming import renamer
from aletheia_bench.search import search
from aletheia_bench.text import render
from aletheia_plugins import WORD, Example
from aletheia_tasks import Coloring, Sat, Sudoku

SHOWN = Example(
    "state: | x1=0\nsat\n x1 ~x3 c1\n x3 c2\n",
    "imply c1 : x1=0 -> x3=0\n",
    hints=((7, ("imply", " x1=0", " x3=0")),),
    previews=((7, " c1"),),
    alternatives=("imply c2 : -> x3=1\n",),
    exercises=((2, "about c2 : x3=1\n"),),
)


def test_names_are_exchanged_throughout_and_keep_their_order():
    found = renamer({"x": 40, "c": 90}, SHOWN.prompt, SHOWN.completion, Random(1))(SHOWN)
    assert found == Example(
        "state: | x9=0\nsat\n x9 ~x37 c9\n x37 c33\n",
        "imply c9 : x9=0 -> x37=0\n",
        hints=((7, ("imply", " x9=0", " x37=0")),),
        previews=((7, " c9"),),
        alternatives=("imply c33 : -> x37=1\n",),
        exercises=((2, "about c33 : x37=1\n"),),
    )


@pytest.mark.parametrize("names", [{}, {"v": 9}, {"x": 1, "c": 1}, {"x": 2, "c": 2}])
def test_other_letters_too_few_names_and_just_enough_change_nothing_that_was_in_order(names):
    if names.get("x") == 2:  # x1 and x3 become x1 and x2
        assert (
            renamer(names, SHOWN.prompt, SHOWN.completion, Random(1))(SHOWN).completion == "imply c1 : x1=0 -> x2=0\n"
        )
    else:
        assert renamer(names, SHOWN.prompt, SHOWN.completion, Random(1))(SHOWN) == SHOWN


def test_cells_are_not_renamed():
    sudoku = Sudoku()
    prompt = sudoku.render(sudoku.generate("tiny", split="train", seed=1, index=0))
    assert renamer({"r": 50, "c": 50}, prompt, "", Random(1))(Example(prompt, "")).prompt == prompt


@given(st.sampled_from([Sat(), Coloring()]), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_renamed_trace_is_the_trace_of_the_renamed_problem(task, index, seed):
    """The clauses or edges of the renamed prompt, as a problem of their own with the names in order, give it back."""
    problem = task.generate("tiny", split="train", seed=0, index=index)
    prompt, text = task.render(problem), render(search(task.csp(problem)))
    there = renamer({"x": 30, "v": 30, "c": 80}, prompt, text, Random(seed))
    whole = there(Example(prompt, text))
    back = renamer(
        {letter: max(1, len(used(whole.prompt, letter))) for letter in "xvc"}, whole.prompt, whole.completion, Random(0)
    )
    assert back(whole) == Example(prompt, text)
    assert review(task, problem, back(whole).completion).valid
    for example in examples("folded", prompt, text):
        mine = hinted(example, prompt, task.csp(problem))
        assert back(there(mine)) == mine


def test_a_problem_that_does_not_name_all_its_variables_keeps_its_names():
    sat = Sat()
    prompt, text = sat.render(sat.loads("p cnf 3 1\n1 3 0\n")[0]), "state: -\ndecide x2=0\n"
    example = Example(prompt, text)
    assert renamer({"x": 30}, prompt, text, Random(1))(example) == example


def used(prompt: str, letter: str) -> set[str]:
    return {part for word in WORD.findall(prompt) for part in word.strip(" ~").split("-") if part.startswith(letter)}
