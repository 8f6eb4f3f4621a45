"""Answers of models that never saw the grammar: found in any frame, and taken as they stand."""

import pytest
from hypothesis import given, strategies as st

from aletheia_bench.answers import find_answer
from aletheia_bench.instructions import instruction
from aletheia_bench.scoring import score
from aletheia_bench.text import render_step
from aletheia_tasks import aletheia_tasks

from .test_measures import sample

BITS = {"x1": ("0", "1"), "x2": ("0", "1")}
GRAPH = {"v1": ("1", "2", "3"), "v2": ("1", "2", "3")}
GRID = {"r1c1": ("4",), "r1c2": ("1", "2", "3", "4")}
RIGHT = "answer: SAT x1=1 x2=0"
TASKS = {task.name: task() for task in aletheia_tasks()}


def found(text, domains=BITS, **options):
    answer = find_answer(text, domains, **options)
    return render_step(answer) if answer else None


@pytest.mark.parametrize(
    "text",
    [
        "answer: SAT x1=1 x2=0",
        "**Answer:** SAT x1=1 x2=0",
        "**answer: SAT x1=1, x2=0**",
        "The answer is `x1=1`, `x2=0`.",
        "```\nanswer: SAT x1=1 x2=0\n```",
        'Here you go:\n```json\n{"x1": 1, "x2": 0}\n```',
        '{"answer": {"x1": true, "x2": false}}',
        "x1 = True\nx2 = False",
        "- **x1**: 1\n- **x2**: 0\n",
        "So X1 is 1 and x2 is 0, which satisfies every clause.",
        "Try x1=0. That fails. So x1 = 1 and x2 -> 0.",
        "First answer: x1=0 x2=0. No, wait. Final answer: x1=1 x2=0",
        "I set x1 to 1 and x2 to 0.\n\nI hope this answer helps!",
        "answer: SAT x1=1 x2=0 x9=1 x1=7",
        "answer: SAT x1=1 x2=0 (there is no other solution)",
        "Answer: x1=1, x2=0. With x1=0, clause 2 would not be satisfied.".replace("With x1=0, c", "C"),
        "**Answer:** x1=1, x2=0\nThis is not unsatisfiable.",
        "Clause 2 is not satisfied by x1=0. So x1=1 and x2=0.",
    ],
)
def test_an_assignment_is_found_in_any_frame(text):
    assert found(text) == RIGHT


@pytest.mark.parametrize(
    "text",
    [
        "answer: UNSAT",
        "**UNSATISFIABLE**",
        "The formula is not satisfiable.",
        "There is no solution.",
        "no such valid assignment exists, so: unsat",
        "It cannot be satisfied. x1=1 leads to a contradiction.",
        '{"satisfiable": false}',
        "It is not possible to satisfy all clauses.",
        "There is no assignment that satisfies all clauses.",
        "The graph cannot be coloured.",
    ],
)
def test_a_refutation_is_found_in_words(text):
    assert found(text) == "answer: UNSAT"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I don't know.",
        "x1=1",
        "{}",
        "x1=2 x2=3",
        "x12=1 x21=0",
        "UNSAT, as x1=1 x2=0",
        "Answer: SAT or UNSAT?",
        "No assignment has been made yet. Let me start.",
        "Clause 2 is not satisfied by x1=1.",
        "There is no assignment for x2 yet",
        "Reply with SAT or UNSAT",
        "The node is not colored yet",
        "¬x1 = 1 and ¬x2 = 0",
        "The formula is not unsatisfiable.",
    ],
)
def test_what_is_no_answer_is_none(text):
    assert found(text) is None


def test_a_claim_without_values_is_an_answer_and_no_solution():
    assert found("It is satisfiable.") == "answer: SAT"
    assert found("SAT, with x1=1") == "answer: SAT x1=1"


def test_values_are_those_of_the_problem_and_given_ones_need_not_be_said():
    assert found("v1: 3, v2: 1", GRAPH) == "answer: SAT v1=3 v2=1"
    assert found("v1: true, v2: 1", GRAPH) is None
    assert found("r1c2=3", GRID) == "answer: SAT r1c1=4 r1c2=3"


def test_what_was_said_to_the_model_is_not_its_answer():
    assert found("answer: UNSAT\n", given=["  answer: UNSAT"]) is None


def test_of_a_text_that_was_cut_off_only_a_marked_answer_counts():
    assert found("x1=1 x2=0 and now", marked=True) is None
    assert found("answer: x1=1 x2=0 and now", marked=True) == RIGHT


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_an_echo_of_instruction_and_prompt_is_no_answer(task):
    for index in range(20):
        problem = task.generate("tiny", split="test", seed=0, index=index)
        echo = instruction(task) + task.render(problem)
        told = sample(echo, finish="ended", problem=task.dumps(problem))
        assert score(task, told, lenient=True).outcome == "unparsed"


def test_leniency_is_for_strangers_and_a_strict_judge_follows():
    text = "So **x1 = 0, x2 = 1, x3 = 0**."
    lenient, strict = (score(TASKS["sat"], sample(text, finish="ended"), lenient=kind) for kind in (True, False))
    assert (lenient.outcome, strict.outcome) == ("solved", "unparsed")
    assert not lenient.certified
    wrong = text.replace("x2 = 1", "x2 = 0")
    assert score(TASKS["sat"], sample(wrong, finish="ended"), lenient=True).outcome == "wrong"


@given(st.text(), st.sampled_from([BITS, GRAPH, GRID]))
def test_any_text_has_an_answer_or_none(text, domains):
    answer = find_answer(text, domains)
    assert answer is None or all(lit.value in domains[lit.variable] for lit in answer.assignment)
