"""Runs side by side: the same items only, errors left out, and one error of 5 % for all comparisons together."""

from dataclasses import replace

import pytest

from aletheia_bench.comparing import compare, sentence, table
from aletheia_bench.measures import measure
from aletheia_bench.results import Results
from aletheia_bench.scoring import Outcome, Score
from aletheia_bench.statistics import fisher, holm
from aletheia_plugins import UsageError

from .test_report import a_score


def a_run(*scores: Score, model: str, name: str = "sat-tiny", version: str = "1") -> Results:
    return Results(name, model, {"versions": {"task": version}}, scores, measure(scores))


def pattern(signs: str, model: str, **other) -> Results:
    """One item a sign: solved (1), not (0), or an error (e)."""
    outcomes = {"1": Outcome.SOLVED, "0": Outcome.WRONG, "e": Outcome.ERROR}
    scores = (a_score(str(n), outcomes[sign], **other) for n, sign in enumerate(signs))
    return a_run(*(replace(s, problem=s.item) for s in scores), model=model)


def test_a_comparison_counts_what_one_of_two_solves_alone():
    needed = [int(n < 10) for n in range(40)]
    ours = a_run(*(a_score(str(n), backtracks=int(n < 2), needed=k) for n, k in enumerate(needed)), model="A")
    outcomes = [Outcome.SOLVED if n > 4 else Outcome.WRONG for n in range(40)]
    theirs = a_run(*(a_score(str(n), outcomes[n], needed=k) for n, k in enumerate(needed)), model="B")
    ((found,), text) = (compare([ours, theirs]), sentence(compare([ours, theirs])[0]))
    assert (found.alone, found.p, found.events) == ((5, 0), 2 / 2**5, (2, 0))
    assert found.solved.value == pytest.approx(5 / 40)
    assert text.endswith(
        "by A alone 5, by B alone 0 (exact McNemar p = 0.062); "
        "completions with a backtrack 2/40 against 0/40 (Fisher p = 0.49), where the reference has a conflict "
        "2/10 against 0/10; solved where it has none 30/30 against 30/30"
    )


def test_an_error_is_not_compared_as_if_it_were_wrong():
    (found,) = compare([pattern("11111", "A"), pattern("eeee1", "B")])
    assert (found.items, found.failed, found.alone, found.p) == (1, 4, (0, 0), 1.0)
    assert "left out: 4" in sentence(found)
    assert table([found]).splitlines()[-1].endswith("4")


def test_several_comparisons_share_one_error_of_five_percent():
    found = compare([pattern("1111111100", "A"), pattern("0000000000", "B"), pattern("1111110000", "C")])
    assert [(c.ours, c.theirs) for c in found] == [("A", "B"), ("A", "C"), ("B", "C")]
    assert [c.adjusted for c in found] == holm([c.p for c in found])
    assert found[0].p < found[0].adjusted


def test_the_power_is_that_of_the_difference_seen():
    same, far = compare([pattern("1100" * 10, "A"), pattern("1100" * 10, "B"), pattern("1000" * 10, "C")])[:2]
    assert same.needed is None
    assert far.needed == pytest.approx(40, abs=20)


def test_all_tries_of_an_item_count_in_a_difference_and_items_of_one_problem_are_one_draw():
    twice = [replace(a_score("0"), epoch=1), a_score("0", Outcome.WRONG), a_score("1"), replace(a_score("1"), epoch=1)]
    ours = a_run(*twice, model="A")
    theirs = a_run(*(replace(s, outcome=Outcome.WRONG) for s in twice), model="B")
    (found,) = compare([ours, theirs])
    assert found.solved.value == pytest.approx(0.75)
    assert found.solved.low is None  # one problem, though two items


def test_runs_of_other_items_are_refused_and_the_difference_is_told():
    ours = a_run(*(a_score(str(n)) for n in range(6)), model="A")
    theirs = a_run(a_score("0"), a_score("9"), replace(a_score("1"), problem="p cnf 1 1\n-1 0\n"), model="B")
    with pytest.raises(UsageError) as caught:
        compare([ours, theirs])
    assert str(caught.value) == (
        "A and B did not see the same items of sat-tiny: 4 only in A (2, 3, 4, ...), 1 only in B (9), "
        "1 are other problems under the same name (1). Run both with the same options."
    )


def test_runs_of_another_version_of_the_task_are_refused():
    with pytest.raises(UsageError) as caught:
        compare([a_run(a_score("0"), model="A"), a_run(a_score("0"), model="B", version="2")])
    assert str(caught.value) == "A and B were run on versions 1 and 2 of sat-tiny: run one of them again."


def test_an_empty_run_and_runs_of_different_tasks_are_refused():
    with pytest.raises(UsageError) as caught:
        compare([a_run(a_score("0"), model="A"), a_run(model="B")])
    assert str(caught.value) == "B on sat-tiny has no samples yet: finish that run first."
    with pytest.raises(UsageError) as caught:
        compare([a_run(a_score("0"), model="A"), a_run(a_score("0"), model="B", name="coloring-tiny")])
    assert str(caught.value) == "There are no two runs of one task and level to compare, only coloring-tiny, sat-tiny."


def test_a_run_that_was_interrupted_is_compared_by_the_first_try_that_each_item_has():
    ours = a_run(a_score("0"), replace(a_score("1"), epoch=1), model="A")
    theirs = a_run(a_score("0", Outcome.WRONG), a_score("1"), replace(a_score("1"), epoch=1), model="B")
    (found,) = compare([ours, theirs])
    assert (found.items, found.alone) == (2, (1, 0))


def test_events_are_tested_of_all_items_and_of_those_that_need_a_backtrack():
    ours = a_run(*(a_score(str(n), backtracks=int(n < 6), needed=int(n < 6)) for n in range(40)), model="A")
    theirs = a_run(*(a_score(str(n), needed=int(n < 6)) for n in range(40)), model="B")
    (found,) = compare([ours, theirs])
    assert found.events_p == pytest.approx(fisher((6, 40), (0, 40)))
    assert found.hard_p == pytest.approx(fisher((6, 6), (0, 6)))
    assert found.events_paired_p == pytest.approx(2 / 2**6)
