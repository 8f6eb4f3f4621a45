"""Measures against figures worked out by hand."""

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, strategies as st

from aletheia_bench.measures import MEASURES, by_conflicts, by_size, line_errors, measure
from aletheia_bench.scoring import Outcome, Score, score
from aletheia_bench.search import search
from aletheia_bench.statistics import Estimate
from aletheia_bench.text import render
from aletheia_tasks import Sat, Sudoku, aletheia_tasks

PROBLEM = "p cnf 3 3\n1 2 0\n-1 3 0\n-1 -3 0\n"
"""Satisfied by x1=0, x2=1 and any x3; x1=1 is a conflict."""

CLEAN = """state: -
decide x1=1
imply c2 : x1=1 -> x3=1
conflict c3 : x1=1 x3=1
backtrack x1
state: x1=0
imply c1 : x1=0 -> x2=1
decide x3=0
answer: SAT x1=0 x2=1 x3=0
"""
FALSE_CONFLICTS = """state: -
decide x1=1
conflict c9 : x1=1
backtrack x1
state: x1=0
decide x2=0
conflict c3 : x1=1 x3=1
backtrack x2
state: x1=0 x2=1
decide x3=0
conflict c1 : x1=0
backtrack x3
state: x1=0 x2=1 x3=1
answer: SAT x1=0 x2=1 x3=1
"""
"""Hallucinated, stale, satisfied; and the answer is right all the same."""
NUMBERS = count()
"""Every score is of an item of its own."""
GUESS = "answer: SAT x1=0 x2=1 x3=0\n"


def sample(completion: str, finish: str = "answered", verdict: str = "SAT", name: str = "a", **other):
    return {
        "id": name,
        "epoch": 0,
        "problem": PROBLEM,
        "verdict": verdict,
        "reference": {},
        "completion": completion,
        "finish": finish,
        "turns": 1,
        "prompt_tokens": 1,
        "tokens": len(completion.split()),
        "seconds": 0.5,
        "error": "",
    } | other


def judged(completion: str, **other) -> Score:
    return score(Sat(), sample(completion, **{"name": f"item-{next(NUMBERS)}"} | other))


def a_score(outcome: Outcome = Outcome.SOLVED, **other) -> Score:
    figures = {
        "item": f"item-{next(NUMBERS)}",
        "problem": PROBLEM,
        "epoch": 0,
        "certified": False,
        "backtracks": 0,
        "valid_backtracks": 0,
        "conflicts": 0,
        "real_conflicts": 0,
        "dead_ends": 0,
        "noticed": 0,
        "needed": 0,
        "size": 3,
        "first_fault": None,
        "faults": (),
        "lines": (),
        "false_conflicts": (),
        "mimicked": 0,
        "decisive": False,
        "decisions": 0,
        "needed_decisions": 0,
        "prompt_tokens": 1,
        "tokens": 1,
        "seconds": 0.0,
    }
    return Score(outcome=outcome, **figures | other)


# --- one completion ---


def test_a_clean_trace_is_solved_certified_and_its_backtrack_is_valid():
    found = judged(CLEAN)
    assert (found.outcome, found.certified) == (Outcome.SOLVED, True)
    assert (found.conflicts, found.real_conflicts, found.backtracks, found.valid_backtracks) == (1, 1, 1, 1)
    assert (found.first_fault, found.faults) == (None, ())


def test_false_conflicts_are_told_apart_and_no_backtrack_after_one_is_valid():
    found = judged(FALSE_CONFLICTS)
    assert (found.outcome, found.certified) == (Outcome.SOLVED, False)
    assert (found.conflicts, found.real_conflicts, found.backtracks, found.valid_backtracks) == (3, 0, 3, 0)
    assert found.faults == (
        ("conflict", "names a constraint that the problem does not have"),
        ("conflict", "cites what the state does not hold"),
        ("conflict", "claims a conflict that is none"),
    )
    assert found.first_fault == found.faults[0]


def test_lines_are_counted_up_to_the_first_faulty_one():
    assert judged(CLEAN).lines == tuple(line.split()[0].rstrip(":") for line in CLEAN.splitlines())
    false = judged(FALSE_CONFLICTS)
    assert false.lines[-1] == "conflict"
    assert false.lines.count("conflict") == 1
    found = line_errors([judged(CLEAN), false])
    assert (found["conflict"].value, found["conflict"].n) == (0.5, 2)
    assert (found["state"].value, found["state"].n) == (0, false.lines.count("state") + CLEAN.count("state:"))
    assert line_errors([judged(CLEAN, finish="error")]) == {}


def test_a_right_answer_without_a_trace_is_solved_and_not_certified():
    found = judged(GUESS)
    assert (found.outcome, found.certified) == (Outcome.SOLVED, False)
    assert found.first_fault == ("answer", "a step that may not stand here")


@pytest.mark.parametrize(
    ("old", "new", "valid"),
    [
        ("", "", 1),
        ("conflict c3 : x1=1 x3=1", "conflict c3 : x1=1", 0),
        ("backtrack x1", "backtrack x3", 0),
        ("state: x1=0", "state: x1=1", 0),
        ("state: x1=0", "state: x1=0 x2=1", 0),
        ("backtrack x1", "backtrack", 0),
    ],
)
def test_a_valid_backtrack_has_a_real_conflict_the_right_target_and_the_right_state(old, new, valid):
    found = judged(CLEAN.replace(old, new, 1))
    assert found.valid_backtracks == valid


def test_a_hallucinated_conflict_does_not_become_real_by_being_repeated():
    repeated = CLEAN.replace("conflict c3 : x1=1 x3=1\n", "conflict c9 : x1=1\n" * 3)
    found = judged(repeated)
    assert (found.conflicts, found.real_conflicts) == (3, 0)


@pytest.mark.parametrize(
    ("completion", "noticed", "dead_ends"),
    [
        (CLEAN, 1, 1),
        (FALSE_CONFLICTS, 2, 2),  # two of its three conflicts are in dead ends, and called by other names
        (CLEAN.replace("conflict c3 : x1=1 x3=1\n", "conflict c9 : x1=1\n"), 1, 1),  # by another name
        (CLEAN.replace("conflict c3 : x1=1 x3=1\n", "decide x2=1\n" * 3), 0, 2),  # two of them change nothing
        (CLEAN.replace("conflict c3 : x1=1 x3=1\n", ""), 0, 1),  # a backtrack that says of no conflict
        ("state: -\ndecide x1=1\nimply c3 : x1=1 -> x3=0\ndecide x2=1\nanswer: SAT x1=1 x2=1 x3=0\n", 0, 2),
        ("state: -\ndecide x1=1\nconflict x3 : x1=1\nbacktrack x1\nstate: x1=0\n", 1, 1),  # x3 has no value left
        ("state: -\ndecide x1=1\ndecide x2=0\n", 0, 1),  # the same, not noticed
        ("state: -\ndecide x1=1\nimply c2 : x1=1 -> x3=1\n", 0, 0),  # nothing follows it
        ("state: -\nhm\n", 0, 0),
    ],
)  # fmt: skip
def test_a_dead_end_is_noticed_if_a_conflict_is_claimed_in_it(completion, noticed, dead_ends):
    found = judged(completion)
    assert (found.noticed, found.dead_ends) == (noticed, dead_ends)


@pytest.mark.parametrize("task", [task() for task in aletheia_tasks()], ids=lambda task: task.name)
def test_the_reference_search_notices_every_conflict_and_a_trace_without_them_none(task):
    found = dead_ends = 0
    for index in range(40):
        problem = task.generate("small", split="test", seed=3, index=index)
        text = render(search(task.csp(problem)))
        told = sample(text, problem=task.dumps(problem))
        whole = score(task, told)
        assert whole.noticed == whole.dead_ends == whole.conflicts
        lines = text.splitlines(keepends=True)
        first = next((n for n, line in enumerate(lines) if line.startswith("conflict")), None)
        if first is not None:
            found += 1
            cut = score(task, told | {"completion": "".join(lines[:first]) + "answer: UNSAT\n"})
            dead_ends += cut.dead_ends
            assert cut.noticed == 0
    assert found == dead_ends
    assert found or task.name == "sudoku"


def test_items_are_parted_by_the_conflicts_of_their_reference():
    scores = [judged(CLEAN, reference={"conflicts": number}) for number in (0, 1, 2, 3, 5, 6, 99)]
    assert {name: len(part) for name, part in by_conflicts(scores).items()} == {"0": 1, "1-2": 2, "3-5": 2, "6+": 2}


def test_items_are_parted_by_the_variables_that_they_leave_open():
    grid = Sudoku().dumps(Sudoku().generate("tiny", split="test", seed=0, index=0))
    blanks = sum(sign in ".0" for sign in grid.strip())
    scores = [judged(CLEAN), judged(CLEAN), score(Sudoku(), sample("", problem=grid))]
    assert {name: len(part) for name, part in by_size(scores).items()} == {"3": 2, str(blanks): 1}


def test_a_conflict_in_the_wrong_place_is_a_claim_that_is_not_real():
    found = judged(CLEAN.replace("conflict c3 : x1=1 x3=1\n", "conflict c3 : x1=1 x3=1\n" * 2))
    assert (found.conflicts, found.real_conflicts) == (2, 1)
    assert found.faults == (("conflict", "a step that may not stand here"),)


@pytest.mark.parametrize(
    ("completion", "finish", "verdict", "outcome"),
    [
        (CLEAN, "answered", "SAT", "solved"),
        (GUESS.replace("x2=1", "x2=0"), "answered", "SAT", "wrong"),
        (GUESS.replace("x3=0", "x3=2"), "answered", "SAT", "wrong"),
        ("answer: SAT x1=0 x2=1\n", "answered", "SAT", "wrong"),
        ("answer: SAT x1=0 x2=1 x3=0 x3=0\n", "answered", "SAT", "wrong"),
        ("answer: SAT x1=0 x2=1 x9=0\n", "answered", "SAT", "wrong"),
        ("answer: UNSAT\n", "answered", "SAT", "wrong"),
        ("answer: UNSAT\n", "answered", "UNSAT", "solved"),
        (GUESS, "answered", "UNKNOWN", "solved"),
        ("answer: perhaps\n", "answered", "SAT", "unparsed"),
        ("", "ended", "SAT", "unparsed"),
        ("I think x1 is false.", "ended", "SAT", "unparsed"),
        ("state: -\n", "truncated", "SAT", "truncated"),
        ("state: -\n", "timeout", "SAT", "timeout"),
        ("state: -\n", "error", "SAT", "error"),
    ],
)
def test_the_outcome_of_a_completion(completion, finish, verdict, outcome):
    found = judged(completion, finish=finish, verdict=verdict)
    assert found.outcome == outcome
    assert not found.certified or outcome == "solved"


def test_a_line_that_was_cut_off_is_no_line():
    cut = CLEAN[: CLEAN.index("conflict c3") + 9]
    found = judged(cut, finish="truncated")
    assert (found.dead_ends, found.first_fault) == (0, ("end", "ends without an answer"))
    assert judged(cut, finish="ended").first_fault == ("conflict", "not a step")


def test_a_state_line_that_names_what_does_not_exist_leaves_no_dead_end():
    found = judged("state: -\ndecide x1=1\ndecide x2=1\nstate: z=1\nconflict x3 : x1=1\nbacktrack x2\nstate: x1=0\n")
    assert (found.dead_ends, found.noticed) == (2, 1)


LINES = st.sampled_from([*CLEAN.splitlines(), *FALSE_CONFLICTS.splitlines(), "hm", "", "answer: UNSAT"]) | st.text()
COMPLETIONS = st.lists(LINES, max_size=8).map("\n".join)
FINISHES = st.sampled_from(["answered", "ended", "truncated", "timeout", "error"])
VERDICTS = st.sampled_from(["SAT", "UNSAT", "UNKNOWN"])


@given(st.lists(st.tuples(COMPLETIONS, FINISHES, VERDICTS), max_size=6))
def test_any_completion_has_exactly_one_of_six_outcomes(runs):
    scores = [judged(text, finish=finish, verdict=verdict) for text, finish, verdict in runs]
    assert sum(s.outcome is outcome for s in scores for outcome in Outcome) == len(runs)
    for found, (_, finish, _) in zip(scores, runs, strict=True):
        failed = finish in ("truncated", "timeout", "error")
        assert (found.outcome == finish) if failed else (found.outcome in ("solved", "wrong", "unparsed"))
        assert 0 <= found.valid_backtracks <= found.backtracks
        assert 0 <= found.real_conflicts <= found.conflicts
        assert found.outcome is Outcome.SOLVED or not found.certified


# --- a run ---


def test_each_measure_of_two_completions_by_hand():
    found = measure([judged(CLEAN), judged(FALSE_CONFLICTS), judged(GUESS), judged("", finish="truncated")])
    assert {name: (estimate.value, estimate.n) for name, estimate in found.items()} == {
        "solve_accuracy": (0.75, 4),
        "certified_accuracy": (0.25, 4),
        "backtrack_event_rate": (0.5, 4),
        "backtracks_per_item": (1.0, 4),
        "conflict_precision": (0.25, 4),
        "hallucinated_conflicts": (0.25, 4),
        "stale_conflicts": (0.25, 4),
        "satisfied_conflicts": (0.25, 4),
        "conflict_recall": (1.0, 3),
        "backtrack_validity": (0.25, 4),
        "decisive_backtrack_rate": (2 / 3, 3),  # x1=1 has no solution, whatever the claim
        "repair_rate": (1.0, 1),
        "first_error_step": (5 / 3, 3),  # lines 3, 1 and 1
        "search_efficiency": (None, 0),
        "tokens": ((len(CLEAN.split()) + len(FALSE_CONFLICTS.split()) + len(GUESS.split())) / 4, 4),
        "seconds": (0.5, 4),
        "tokens_per_second": ((len(CLEAN.split()) + len(FALSE_CONFLICTS.split()) + len(GUESS.split())) / 2, 4),
    }


def test_efficiency_is_that_of_solved_items_whose_reference_decides():
    lost = judged(CLEAN, reference={"decisions": 1})
    scores = [judged(CLEAN, reference={"decisions": n}, name=str(n)) for n in (0, 1, 2)]
    found = measure([*scores, replace(lost, outcome=Outcome.WRONG)])["search_efficiency"]
    assert (found.value, found.n) == ((2 / 1 + 2 / 2) / 2, 2)


@pytest.mark.parametrize(
    ("completion", "decisive"),
    [
        (CLEAN, True),
        (GUESS, False),
        ("state: -\ndecide x1=1\nbacktrack x1\nstate: x1=0\nimply c1 : x1=0 -> x2=1\ndecide x3=0\n" + GUESS, True),
        ("state: -\ndecide x1=0\nbacktrack x1\nstate: x1=0\nimply c1 : x1=0 -> x2=1\ndecide x3=0\n" + GUESS, False),
        (CLEAN.replace("x3=0\n", "x3=2\n"), False),  # not solved
    ],
)
def test_a_backtrack_is_decisive_if_it_leaves_a_state_that_has_no_solution(completion, decisive):
    assert judged(completion).decisive is decisive


def test_a_line_that_is_no_step_ends_the_trace_but_for_the_answer():
    lines = CLEAN.splitlines(keepends=True)
    found = judged("".join([*lines[:3], "I see a conflict.\n", *lines[3:]]))
    assert (found.outcome, found.certified) == (Outcome.SOLVED, False)
    assert (found.conflicts, found.backtracks, found.first_error_step) == (0, 0, 4)
    assert found.faults == (("line", "not a step"),)


@pytest.mark.parametrize(
    ("line", "word"),
    [("decide x1", "decide"), ("conflict c1", "conflict"), ("hm", "line"), ("", "line"), ("answer: maybe", "answer")],
)
def test_what_does_not_parse_is_counted_by_its_kind(line, word):
    assert judged(f"state: -\n{line}\n").first_fault == (word, "not a step")


def test_an_item_that_is_tried_often_is_still_one_item():
    once = [a_score(Outcome.SOLVED if k % 2 else Outcome.WRONG, item=str(k)) for k in range(40)]
    often = [s for each in once for s in [each] * 25]
    narrow, wide = (measure(scores)["solve_accuracy"] for scores in (once, often))
    assert narrow.value == wide.value == 0.5
    assert wide.high - wide.low == pytest.approx(narrow.high - narrow.low, rel=0.15)


def test_a_measure_over_nothing_is_not_zero():
    nothing = Estimate(None, None, None, 0)
    assert measure([]) == dict.fromkeys(MEASURES, nothing)
    without_claims = measure([a_score()])
    assert without_claims["conflict_precision"] == without_claims["backtrack_validity"] == nothing
    assert without_claims["backtrack_event_rate"].value == 0


def test_an_error_says_nothing_of_the_model():
    with_errors = [a_score(), a_score(Outcome.WRONG), a_score(Outcome.ERROR, tokens=10**6, backtracks=5)]
    assert measure(with_errors) == measure(with_errors[:2])
    assert measure(with_errors)["solve_accuracy"].n == 2


def test_a_time_out_counts_against_the_model():
    assert measure([a_score(), a_score(Outcome.TIMEOUT)])["solve_accuracy"].value == 0.5
