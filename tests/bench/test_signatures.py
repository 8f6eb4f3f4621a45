"""The three ways to fail, each shown by the completions that have it and by no other."""

from dataclasses import replace

from aletheia_bench.scoring import Outcome
from aletheia_bench.signatures import SIGNATURES, diagnose

from .test_measures import CLEAN, FALSE_CONFLICTS, judged
from .test_report import a_score

SILENT, MIMICRY, DEGRADATION = SIGNATURES


def verdicts(*scores) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {s.name: (s.verdict, s.items) for s in diagnose(scores)}


def test_a_clean_search_shows_none_of_them():
    found = verdicts(*(replace(judged(CLEAN), item=str(n), needed=1) for n in range(20)))
    assert found == {SILENT: ("absent", ()), MIMICRY: ("absent", ()), DEGRADATION: ("n/a", ())}


def test_conflicts_that_are_passed_over_are_the_first():
    passed_over = "state: -\ndecide x1=1\nimply c2 : x1=1 -> x3=1\ndecide x2=1\nanswer: SAT x1=1 x2=1 x3=1\n"
    found = verdicts(*(replace(judged(passed_over), item=str(n), needed=1) for n in range(20)))
    assert found[SILENT] == ("present", tuple(str(n) for n in range(20)))
    assert found[MIMICRY] == ("n/a", ())


def test_backtracks_without_a_conflict_are_the_second_and_the_items_are_named():
    scores = [replace(judged(CLEAN), item=str(n)) for n in range(20)]
    one = replace(judged(FALSE_CONFLICTS), item="false")
    assert verdicts(*scores, one)[MIMICRY] == ("in single items", ("false",))
    many = [replace(one, item=f"false-{n}") for n in range(20)]
    assert verdicts(*scores, *many)[MIMICRY][0] == "present"


def test_a_backtrack_that_changes_nothing_is_one_in_name_only():
    idle = CLEAN.replace("state: x1=0", "state: x1=1 x3=1")
    assert judged(idle).mimicked == 1
    slip = CLEAN.replace("state: x1=0", "state: x1=0 x2=0")
    assert (judged(slip).mimicked, judged(slip).valid_backtracks) == (0, 0)


def test_failing_without_a_conflict_in_the_reference_is_the_third():
    easy = [a_score(str(n), Outcome.WRONG if n < 10 else Outcome.SOLVED) for n in range(20)]
    assert verdicts(*easy)[DEGRADATION] == ("present", tuple(str(n) for n in range(10)))
    assert verdicts(*(replace(s, needed=2) for s in easy))[DEGRADATION] == ("n/a", ())


def test_an_error_shows_nothing():
    assert verdicts(a_score("0", Outcome.ERROR)) == dict.fromkeys(SIGNATURES, ("n/a", ()))
