"""The checker: one trace for each fault, what it believes, and what it is made of."""

import ast
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from aletheia_bench import checker
from aletheia_bench.checker import Fault, Judgement, Review, review
from aletheia_bench.search import search
from aletheia_bench.text import render, split_lines
from aletheia_plugins import CSP, Answer, Clause, Literal, State, Trace, Verdict
from aletheia_tasks.coloring import Coloring, Problem as Graph
from aletheia_tasks.sat import Problem as Formula, Sat
from aletheia_tasks.sudoku import Problem as Grid, Sudoku

from .naive import Toy, accepts

SAT = Sat(), Formula(2, ((1, 2), (1, -2), (-1, 2)))
UNSAT = Sat(), Formula(2, ((1, 2), (1, -2), (-1, 2), (-1, -2)))
PATH = Coloring(), Graph(3, ((1, 2), (2, 3)), 3)
GRID = Sudoku(), Grid((1, 2, 3, 4, 3, 4, 1, 2, 2, 1, 4, 3, 4, 3, 0, 0))
GIVEN = "state: " + " ".join(
    f"r{row + 1}c{column + 1}={value}"
    for row in range(4)
    for column, value in enumerate(GRID[1].cells[4 * row : 4 * row + 4])
    if value
)

SOLVED = """\
state: -
decide x1=0
imply c1 : x1=0 -> x2=1
conflict c2 : x1=0 x2=1
backtrack x1
state: x1=1
imply c3 : x1=1 -> x2=1
answer: SAT x1=1 x2=1
"""
REFUTED = SOLVED.replace("answer: SAT x1=1 x2=1\n", "conflict c4 : x1=1 x2=1\nanswer: UNSAT\n")


def faults(item, text):
    """The faulty lines, by their number from 0."""
    found = enumerate(review(*item, text).judgements)
    return {number: judgement.fault for number, judgement in found if judgement.fault}


def instead(text, line, *others):
    """The text with other lines in place of one."""
    assert text.count(f"{line}\n") == 1
    return text.replace(f"{line}\n", "".join(f"{other}\n" for other in others))


# --- what is right ---


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (SAT, SOLVED),
        (UNSAT, REFUTED),
        (PATH, "state: -\ndecide v2=1\ndecide v1=3\ndecide v3=3\nanswer: SAT v1=3 v2=1 v3=3\n"),
        (
            GRID,
            f"{GIVEN}\nimply column 3 : r1c3=3 r2c3=1 r3c3=4 -> r4c3=2\nimply row 4 : r4c1=4 r4c2=3 r4c3=2 -> r4c4=1\n"
            + render(search(GRID[0].csp(GRID[1]))).splitlines()[-1],
        ),
    ],
    ids=["satisfiable", "refuted", "without propagation", "sudoku"],
)
def test_a_right_trace_has_no_fault(item, text):
    found = review(*item, text)
    assert found.valid
    assert found.first_fault is None
    assert [judgement.line for judgement in found.judgements] == [
        line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")
    ]


def test_a_reason_may_be_cited_in_any_order_and_with_more_than_is_needed():
    text = instead(SOLVED, "conflict c2 : x1=0 x2=1", "conflict c2 : x2=1 x1=0")
    assert review(*SAT, text).valid
    more = "state: -\ndecide v1=1\ndecide v3=2\nimply v2 : v3=2 v1=1 v1=1 -> v2=3\nanswer: SAT v1=1 v2=3 v3=2\n"
    assert review(*PATH, more).valid


def test_a_conflict_may_name_a_variable_that_has_no_value_left():
    text = "state: -\ndecide x1=0\nconflict x2 : x1=0\nbacktrack x1\nstate: x1=1\nconflict x2 : x1=1\nanswer: UNSAT\n"
    assert review(*UNSAT, text).valid


CLASH = "state: -\ndecide v1=1\ndecide v2=1\n"


@pytest.mark.parametrize(
    "conflict", ["v1 : v1=1 v2=1", "v1 : v2=1 v1=1", "v2 : v1=1 v2=1", "v3 : v1=1 v2=1", "v1-v2 : v1=1 v2=1"]
)
def test_a_conflict_may_name_a_variable_that_what_is_cited_leaves_no_value(conflict):
    assert faults(PATH, f"{CLASH}conflict {conflict}\n") == {4: Fault.INCOMPLETE}


@pytest.mark.parametrize(
    ("conflict", "fault"),
    [
        ("v1 : v1=1", Fault.SATISFIED),
        ("v1 : v2=1", Fault.SATISFIED),
        ("v3 : v2=1", Fault.SATISFIED),
        ("v1 : v1=1 v2=2", Fault.STALE),
        ("v1 : v1=2 v2=2", Fault.STALE),
        ("v3 : v3=1 v2=1", Fault.STALE),
    ],
)
def test_a_variable_whose_value_nothing_that_is_cited_excludes_is_in_no_conflict(conflict, fault):
    assert faults(PATH, f"{CLASH}conflict {conflict}\n")[3] is fault


@given(st.sampled_from(["coloring", "sudoku"]), st.integers(0, 5), st.randoms(use_true_random=False))
def test_what_the_search_says_of_a_clash_is_right_whatever_was_decided(name, index, rng):
    task = {"coloring": Coloring(), "sudoku": Sudoku()}[name]
    problem = task.generate("tiny", split="train", seed=0, index=index)
    domains = task.domains(problem)
    clues = tuple(Literal(v, values[0]) for v, values in domains.items() if len(values) == 1)
    decided = [
        Literal(v, rng.choice(values)) for v, values in domains.items() if len(values) > 1 and rng.random() < 0.5
    ]
    start = State((clues, *((lit,) for lit in decided)))
    lines = [render(Trace((State((clues,)),))), *(f"decide {lit}\n" for lit in decided)]
    step = search(task.csp(problem), start=start, rng=rng, max_steps=2).steps[1]
    assert review(task, problem, "".join([*lines, render(Trace((step,)))])).judgements[len(decided) + 1].fault is None


def test_an_exclusion_that_the_state_holds_counts_as_a_reason():
    problem = Coloring(), Graph(3, ((1, 2), (1, 3), (2, 3)), 3)
    text = (
        "state: -\ndecide v1=1\nconflict v1-v2 : v1=1 v2=1\nbacktrack v1\nstate: v1!=1\n"
        "decide v2=2\nimply v1 : v1!=1 v2=2 -> v1=3\n"
    )
    assert faults(problem, text) == {2: Fault.STALE, 7: Fault.INCOMPLETE}


# --- one fault each ---


def test_a_line_that_is_no_step_is_a_fault_of_grammar():
    assert faults(SAT, instead(SOLVED, "backtrack x1", "so x1 was wrong", "backtrack x1")) == {4: Fault.GRAMMAR}


@pytest.mark.parametrize(
    ("line", "others", "place"),
    [
        ("decide x1=0", ("state: -", "decide x1=0"), 1),
        ("backtrack x1", ("decide x2=0", "backtrack x1"), 4),
        ("answer: SAT x1=1 x2=1", ("answer: SAT x1=1 x2=1", "answer: SAT x1=1 x2=1"), 8),
    ],
    ids=["a state where none is due", "a decision in a conflict", "an answer after an answer"],
)
def test_a_step_that_may_not_stand_there_is_misplaced(line, others, place):
    assert faults(SAT, instead(SOLVED, line, *others))[place] is Fault.PLACE


def test_a_backtrack_without_a_conflict_is_misplaced():
    assert faults(SAT, instead(SOLVED, "conflict c2 : x1=0 x2=1")) == {3: Fault.PLACE}


def test_a_backtrack_without_a_decision_is_misplaced():
    text = instead(REFUTED, "answer: UNSAT", "backtrack x1", "state: x1=1", "answer: UNSAT")
    assert faults(UNSAT, text)[8] is Fault.PLACE


def test_a_trace_that_does_not_begin_with_a_state_is_misplaced_up_to_the_first():
    assert faults(SAT, instead(SOLVED, "state: -")) == dict.fromkeys(range(4), Fault.PLACE) | {4: Fault.STATE}


@pytest.mark.parametrize("step", ["decide x3=0", "decide x1=2", "imply c1 : x3=0 -> x2=1", "conflict c1 : x2=7"])
def test_a_literal_that_the_problem_does_not_have_is_unknown(step):
    assert faults(SAT, instead(SOLVED, "decide x1=0", step, "decide x1=0")) == {1: Fault.UNKNOWN}


@pytest.mark.parametrize("step", ["decide x1=1", "decide x1=0", "imply c2 : -> x1=1"])
def test_a_variable_that_has_a_value_is_assigned(step):
    text = f"state: -\ndecide x1=0\n{step}\n"
    assert faults(SAT, text)[2] is Fault.ASSIGNED


def test_a_value_that_was_refuted_is_excluded():
    text = (
        "state: -\ndecide v1=1\ndecide v2=1\nconflict v1-v2 : v1=1 v2=1\nbacktrack v2\n"
        "state: | v1=1 v2!=1\ndecide v2=1\n"
    )
    assert faults(PATH, text) == {6: Fault.EXCLUDED, 7: Fault.INCOMPLETE}


@pytest.mark.parametrize("name", ["c4", "c0", "c01", "C1", "x1 x2", "clause 1", "x3"])
def test_a_constraint_that_the_problem_does_not_have_is_hallucinated(name):
    text = instead(SOLVED, "conflict c2 : x1=0 x2=1", f"conflict {name} : x1=0 x2=1")
    assert faults(SAT, text) == {3: Fault.HALLUCINATED}
    text = instead(SOLVED, "imply c1 : x1=0 -> x2=1", f"imply {name} : x1=0 -> x2=1")
    assert faults(SAT, text) == {2: Fault.HALLUCINATED}


def test_what_the_state_does_not_hold_is_stale():
    text = instead(SOLVED, "imply c3 : x1=1 -> x2=1", "imply c1 : x1=0 -> x2=1")
    assert faults(SAT, text) == {6: Fault.STALE}
    text = instead(SOLVED, "imply c3 : x1=1 -> x2=1", "conflict c2 : x1=0 x2=1")
    assert faults(SAT, text)[6] is Fault.STALE


def test_an_exclusion_that_follows_but_is_not_in_the_state_is_stale():
    text = "state: -\ndecide v1=1\nconflict v2 : v2!=1 v2!=2 v2!=3\nbacktrack v1\nstate: v1!=1\n"
    assert faults(PATH, text) == {2: Fault.STALE, 5: Fault.INCOMPLETE}


@pytest.mark.parametrize(
    "claim", ["conflict c3 : x1=0 x2=1", "conflict c2 : x1=0", "conflict c2 :", "conflict x2 : x2=1"]
)
def test_a_conflict_that_is_none_is_satisfied(claim):
    assert faults(SAT, instead(SOLVED, "conflict c2 : x1=0 x2=1", claim)) == {3: Fault.SATISFIED}


@pytest.mark.parametrize(
    "implied",
    ["c1 : x1=0 -> x2=0", "c1 : -> x2=1", "c3 : x1=0 -> x2=1", "x2 : -> x2=1", "x1 : x1=0 -> x2=1"],
    ids=["another value", "nothing cited", "another clause", "variable, nothing cited", "another variable"],
)
def test_a_value_that_its_reason_does_not_force_lacks_a_reason(implied):
    text = f"state: -\ndecide x1=0\nimply {implied}\n"
    assert faults(SAT, text)[2] is Fault.REASON


def test_a_value_that_one_of_several_reasons_excludes_is_not_forced():
    text = "state: -\ndecide v1=1\ndecide v3=2\nimply v1-v2 : v1=1 v3=2 -> v2=3\n"
    assert faults(PATH, text) == {3: Fault.REASON, 4: Fault.INCOMPLETE}


@pytest.mark.parametrize("target", ["x1", "x3"])
def test_a_backtrack_to_another_than_the_latest_decision_misses_its_target(target):
    text = f"state: -\ndecide x1=0\ndecide x2=1\nconflict c2 : x1=0 x2=1\nbacktrack {target}\nstate: | x1=0 x2=0\n"
    assert faults(SAT, text) == {4: Fault.TARGET, 6: Fault.INCOMPLETE}


@pytest.mark.parametrize("state", ["state: -", "state: x1=0", "state: x1!=0", "state: | x1=1", "state: x1=1 x2=1"])
def test_a_state_that_the_search_is_not_in_is_not_restored(state):
    assert faults(SAT, instead(SOLVED, "state: x1=1", state))[5] is Fault.STATE


@pytest.mark.parametrize("state", ["state: -", GIVEN + " r4c3=2", GIVEN.replace("r1c1=1 r1c2=2", "r1c2=2 r1c1=1")])
def test_a_trace_begins_with_what_is_given_and_nothing_else(state):
    assert faults(GRID, state)[0] is Fault.STATE
    assert faults(GRID, GIVEN) == {1: Fault.INCOMPLETE}


@pytest.mark.parametrize(
    "answer",
    ["x1=1", "x1=1 x2=0", "x1=1 x2=1 x2=1", "x1=1 x1=1", "x2=1 x2=0 x1=1", ""],
)
def test_an_answer_that_is_not_the_whole_assignment_is_no_solution(answer):
    text = instead(SOLVED, "answer: SAT x1=1 x2=1", f"answer: SAT {answer}".rstrip())
    assert faults(SAT, text) == {7: Fault.SOLUTION}


def test_a_complete_assignment_that_falsifies_a_constraint_is_no_solution():
    text = "state: -\ndecide x1=0\ndecide x2=0\nanswer: SAT x1=0 x2=0\n"
    assert faults(SAT, text) == {3: Fault.SOLUTION}


def test_a_satisfying_answer_that_is_not_what_the_trace_arrived_at_is_not_proved_by_it():
    text = "state: -\ndecide x1=1\nanswer: SAT x1=1 x2=1\n"
    assert faults(SAT, text) == {2: Fault.SOLUTION}


@pytest.mark.parametrize("lines", [1, 2, 4, 6, 7])
def test_unsat_with_branches_unexplored_is_believed_of_no_tree(lines):
    text = "".join(REFUTED.splitlines(keepends=True)[:lines]) + "answer: UNSAT\n"
    assert faults(UNSAT, text) == {lines: Fault.TREE}


def test_a_text_that_ends_without_an_answer_is_incomplete():
    found = review(*UNSAT, REFUTED.removesuffix("answer: UNSAT\n"))
    assert found.judgements[-1] == Judgement("", None, Fault.INCOMPLETE)
    assert found.answer is None
    assert not found.valid
    assert review(*SAT, "") == Review((Judgement("", None, Fault.INCOMPLETE),))


def test_every_fault_has_its_test():
    source = Path(__file__).read_text(encoding="utf-8")
    assert [fault for fault in Fault if f"Fault.{fault.name}" not in source] == []


# --- what is believed ---


def test_a_wrong_value_is_believed_so_that_what_follows_from_it_is_right():
    text = "state: -\nimply c1 : -> x1=0\nimply c1 : x1=0 -> x2=1\nconflict c2 : x1=0 x2=1\nanswer: UNSAT\n"
    assert faults(SAT, text) == {1: Fault.REASON}


def test_a_wrong_state_is_believed_so_that_what_follows_in_it_is_right():
    text = "state: x1=0\nimply c1 : x1=0 -> x2=1\nconflict c2 : x1=0 x2=1\nanswer: UNSAT\n"
    assert faults(SAT, text) == {0: Fault.STATE}


def test_a_conflict_that_is_none_is_believed_so_that_its_backtrack_is_right():
    text = instead(SOLVED, "conflict c2 : x1=0 x2=1", "conflict c3 : x1=0 x2=1")
    assert faults(SAT, text) == {3: Fault.SATISFIED}


def test_a_wrong_target_is_believed_to_mean_the_latest_decision():
    text = instead(SOLVED, "backtrack x1", "backtrack x2")
    assert faults(SAT, text) == {4: Fault.TARGET}


def test_a_step_that_cannot_be_read_changes_nothing():
    text = instead(SOLVED, "decide x1=0", "decide x9=0", "x1=1", "decide x1=0")
    assert faults(SAT, text) == {1: Fault.UNKNOWN, 2: Fault.GRAMMAR}


@given(st.data())
def test_faults_in_one_segment_do_not_reach_into_the_next(data):
    """Whatever is wrong before a backtrack's state is restated, what follows the state is judged by it alone."""
    lines = SOLVED.splitlines()
    noise = data.draw(st.lists(st.sampled_from([*lines[1:4], "decide x2=0", "decide x2=1", "nonsense"]), max_size=5))
    text = "\n".join([lines[0], "decide x1=0", *noise, "conflict c1 :", *lines[4:]])
    found = review(*SAT, text).judgements
    assert [judgement.fault for judgement in found[-2:]] == [None, None]


def test_a_review_says_where_the_first_fault_is_and_keeps_the_answer():
    found = review(*SAT, instead(SOLVED, "state: x1=1", "state: x1=1 x2=1"))
    assert found.first_fault == 5
    assert found.answer == Answer(Verdict.SAT, (Literal("x1", "1"), Literal("x2", "1")))


# --- names ---


@pytest.mark.parametrize("clauses", [((-1, -2), (2,), (1,)), ((1,), (-1,)), ((-1,), (1,))])
def test_a_unit_clause_can_be_the_conflict(clauses):
    problem = Formula(2, clauses)
    trace = search(Sat().csp(problem))
    assert trace.verdict is Verdict.UNSAT
    assert faults((Sat(), problem), render(trace)) == {}


def test_a_constraint_may_be_called_like_a_variable():
    """In other notations a clause of one literal is."""
    falsifiers = {"both": (("a", "1"), ("b", "1")), "b": (("b", "0"),), "a": (("a", "0"),)}
    problem = CSP(dict.fromkeys("ab", ("0", "1")), tuple(Clause(*item) for item in falsifiers.items()), "unit")
    text = "state: -\nimply b : -> b=1\nimply both : b=1 -> a=0\nconflict a : a=0\nanswer: UNSAT\n"
    assert render(search(problem)) == text
    assert faults((Toy(), problem), text) == {}
    assert accepts(problem, text)
    claim = instead(text, "conflict a : a=0", "conflict b : b=1")
    assert faults((Toy(), problem), claim) == {3: Fault.SATISFIED}
    assert not accepts(problem, claim)


def test_a_constraint_that_is_called_like_a_variable_may_force_another():
    problem = CSP(dict.fromkeys("ab", ("0", "1")), (Clause("b", (("a", "0"),)),), "unit")
    text = "state: -\nimply b : -> a=1\ndecide b=0\nanswer: SAT a=1 b=0\n"
    assert render(search(problem)) == text
    assert faults((Toy(), problem), text) == {}
    assert accepts(problem, text)


@pytest.mark.parametrize(("name", "fault"), [("v1-v3", Fault.HALLUCINATED), ("v1", Fault.REASON), ("v2", None)])
def test_a_name_must_be_one_also_where_every_other_value_is_excluded(name, fault):
    text = f"state: v2!=1 v2!=2\nimply {name} : v2!=1 v2!=2 -> v2=3\n"
    assert faults(PATH, text).get(1) is fault


def test_an_edge_may_be_named_from_either_end():
    text = "state: -\ndecide v1=1\ndecide v2=1\nconflict v2-v1 : v1=1 v2=1\nbacktrack v2\nstate: | v1=1 v2!=1\n"
    assert faults(PATH, text) == {6: Fault.INCOMPLETE}


def test_an_empty_clause_is_a_conflict_that_cites_nothing():
    assert review(Sat(), Formula(1, ((1,), ())), "state: -\nconflict c2 :\nanswer: UNSAT\n").valid


def test_a_problem_without_variables_has_the_empty_solution():
    assert review(Coloring(), Graph(0, (), 3), "state: -\nanswer: SAT\n").valid


@pytest.mark.parametrize("name", ["row 1", "box 1", "r1c1", "r1c2"])
def test_clues_that_contradict_each_other_are_a_conflict_of_theirs_and_of_their_row(name):
    problem = Grid((3, 3) + (0,) * 14)
    text = f"state: r1c1=3 r1c2=3\nconflict {name} : r1c1=3 r1c2=3\nanswer: UNSAT\n"
    assert review(Sudoku(), problem, text).valid


# --- robustness ---

ITEMS = [SAT, UNSAT, PATH, GRID]
TRACES = [render(search(task.csp(problem))) for task, problem in ITEMS]
VOCABULARY = sorted({word for text in (*TRACES, REFUTED) for word in text.split()})
scraps = st.sampled_from([*VOCABULARY, "x0=1", f"x{10**30}={10**30}", "clue r1c1", "clue", "", "|", "-", "~", "x1!=0"])
soups = st.lists(st.lists(scraps, max_size=6).map(" ".join), max_size=12).map("\n".join)


def check_robust(text):
    for task, problem in ITEMS:
        found = review(task, problem, text)
        expected = [line.removesuffix("\n").removesuffix("\r") for line in split_lines(text)]
        lines = [judgement.line for judgement in found.judgements]
        assert lines in (expected, [*expected, ""])
        assert found.valid == (not any(judgement.fault for judgement in found.judgements))


@given(st.text())
def test_any_text_is_judged(text):
    check_robust(text)


@given(soups)
def test_any_words_of_the_grammar_are_judged(text):
    check_robust(text)


@given(st.sampled_from(TRACES), st.data())
def test_any_damaged_trace_is_judged(text, data):
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        text = text[:start] + data.draw(st.text(max_size=3) | soups) + text[end:]
    check_robust(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\n" * 10_000,
        "state: " + "x" * 1_000_000,
        "decide x" + "9" * 100_000 + "=1\n",
        "decide x1=" + "9" * 100_000 + "\n",
        "state: -\n" + "decide x1=0\n" * 2_000,
        "state: -\n" + "conflict c1 : " + "x1=0 " * 5_000 + "x2=0\n",
        "state: -" + " | x1=0" * 5_000 + "\n",
        "backtrack x1\n" * 500 + "answer: UNSAT\n" * 500,
        "\0\ud800\U0010ffff",
    ],
    ids=lambda text: f"{text[:12]!a}, {len(text)} characters",
)
def test_texts_of_absurd_size_are_judged(text):
    check_robust(text)


# --- what it is made of ---


def imported(module):
    """The modules that a module imports, and the packages it is in."""
    path = Path(find_spec(module).origin)
    names = {module.rpartition(".")[0]} - {""}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "an import that this test cannot follow"
            names.add(node.module)
    return names


def test_the_checker_needs_the_standard_library_the_contract_and_the_grammar_alone():
    seen, todo = set(), {"aletheia_bench.checker"}
    while todo:
        seen |= (found := todo.pop()) and {found}
        if found.partition(".")[0] == "aletheia_bench":
            todo |= imported(found) - seen
    others = {name for name in seen if name.partition(".")[0] not in sys.stdlib_module_names}
    assert others == {"aletheia_bench", "aletheia_bench.checker", "aletheia_bench.text", "aletheia_plugins"}


def test_the_checker_is_short_enough_to_be_read():
    assert len(Path(checker.__file__).read_text(encoding="utf-8").splitlines()) <= 500
