"""Reports: the same figures in every file, n/a where there are none, and comparisons of the same items only."""

import csv
import json

import pytest

from aletheia_bench.measures import MEASURES, measure
from aletheia_bench.report import COLUMNS, Results, compare, table, write
from aletheia_bench.scoring import Outcome, Score
from aletheia_plugins import UsageError

CONFIG = {
    "run": {"task": "sat", "level": "tiny", "model": "toy", "limit": 4, "seed": 0},
    "versions": {"task": "1"},
    "hashes": {"weights": "abc"},
}


def a_score(name: str, outcome: Outcome = Outcome.SOLVED, **other) -> Score:
    figures = {
        "certified": outcome is Outcome.SOLVED,
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
        "tokens": 100,
        "seconds": 0.25,
    }
    return Score(name, "", 0, outcome, **figures | other)


def results(*scores: Score, model: str = "toy") -> Results:
    return Results("sat-tiny", model, CONFIG, scores, measure(scores))


FAULT = ("imply", "its reason does not force the value")
FOUR = results(
    a_score("0", backtracks=2, valid_backtracks=1, conflicts=2, real_conflicts=2, dead_ends=2, noticed=2),
    a_score("1"),
    a_score("2", Outcome.WRONG, first_fault=FAULT, faults=(FAULT,), lines=("state", "imply", "imply")),
    a_score("3", Outcome.ERROR),
)


def test_outcomes_are_all_counted_errors_too():
    assert FOUR.outcomes == {"solved": 2, "wrong": 1, "unparsed": 0, "truncated": 0, "timeout": 0, "error": 1}


def test_first_faults_are_counted_by_kind_of_line_the_most_frequent_first():
    other = ("conflict", "claims a conflict that is none")
    scores = [a_score(str(n), first_fault=fault) for n, fault in enumerate([other, FAULT, FAULT, None])]
    assert results(*scores).faults == [(*FAULT, 2), (*other, 1)]


def test_a_table_has_a_row_for_each_run_with_intervals():
    header, _, row = table([FOUR]).splitlines()
    assert header.split("  ")[0] == "task"
    assert all(title in header for title in COLUMNS.values())
    assert row.split()[:3] == ["sat-tiny", "toy", "4"]
    assert "66.7 % [13.5, 98.3]" in row  # 2 of 3: the error is not counted
    assert "100.0 % [2.5, 100.0]" in row  # both conflicts, of one item


def test_what_was_not_measured_is_not_zero():
    row = table([results(a_score("0", Outcome.ERROR))]).splitlines()[-1]
    assert row.count("n/a") == len(COLUMNS)
    row = table([results(a_score("0"))]).splitlines()[-1]
    assert row.count("n/a") == 3  # no conflicts, no dead ends, no backtracks


def test_every_measure_is_in_the_table():
    assert set(COLUMNS) == set(MEASURES)


def test_results_are_shaped_as_the_evaluation_harness_of_eleuther_shapes_them(tmp_path):
    write(FOUR, tmp_path)
    content = json.loads((tmp_path / "results.json").read_text())
    assert {"results", "versions", "n-samples", "config"} <= content.keys()
    found = content["results"]["sat-tiny"]
    assert found["alias"] == "sat-tiny"
    for name, estimate in FOUR.estimates.items():
        assert found[f"{name},none"] == estimate.value
        assert found[f"{name}_ci95,none"] == [estimate.low, estimate.high]
        assert found[f"{name}_n,none"] == estimate.n
    assert content["outcomes"]["sat-tiny"]["error"] == 1
    assert content["first_faults"]["sat-tiny"] == [[*FAULT, 1]]
    assert content["line_errors"]["sat-tiny"]["imply"] == {"value": 0.5, "low": None, "high": None, "n": 2}
    strata = content["strata"]["sat-tiny"]
    low, high = found["solve_accuracy_ci95,none"]
    solved = {"value": 2 / 3, "low": low, "high": high, "n": 3}
    assert strata["conflicts"]["0"]["solve_accuracy"] == strata["variables"]["3"]["solve_accuracy"] == solved
    assert strata["conflicts"]["6+"]["solve_accuracy"] == {"value": None, "low": None, "high": None, "n": 0}
    assert content["versions"] == {"sat-tiny": "1"}
    assert content["n-samples"] == {"sat-tiny": {"original": 4, "effective": 4}}
    assert content["config"] == CONFIG
    assert content["hashes"] == CONFIG["hashes"]


def test_the_csv_and_the_text_say_the_same(tmp_path):
    write(FOUR, tmp_path)
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = {row["measure"]: row for row in csv.DictReader(file)}
    assert {name: (row["value"], row["n"]) for name, row in rows.items()} == {
        name: (str(estimate.value), str(estimate.n)) for name, estimate in FOUR.estimates.items()
    }
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# toy on sat-tiny\n")
    assert all(name in text for name in MEASURES)
    assert "66.7 % [13.5, 98.3]" in text
    assert "its reason does not force the value" in text
    assert "| imply  | 50.0 % [n/a]" in text
    assert "- seed: 0" in text


def test_a_comparison_counts_what_one_of_two_solves_alone():
    needed = [int(n < 10) for n in range(40)]
    ours = results(*(a_score(str(n), backtracks=int(n < 2), needed=k) for n, k in enumerate(needed)), model="A")
    outcomes = [Outcome.SOLVED if n > 4 else Outcome.WRONG for n in range(40)]
    theirs = results(*(a_score(str(n), outcomes[n], needed=k) for n, k in enumerate(needed)), model="B")
    assert compare(ours, theirs) == (
        "sat-tiny: solved by A alone 5, by B alone 0 (exact McNemar p = 0.062); "
        "completions with a backtrack 2/40 against 0/40 (Fisher p = 0.49), where the reference has a conflict "
        "2/10 against 0/10; solved where it has none 30/30 against 30/30"
    )


def test_an_error_is_not_compared_as_if_it_were_wrong():
    """DESIGN.md §6: an error is never counted as wrong, and never silently dropped."""
    ours = results(*(a_score(str(n)) for n in range(5)), model="A")
    theirs = results(*(a_score(str(n), Outcome.ERROR) for n in range(4)), a_score("4"), model="B")
    assert compare(ours, theirs) == (
        "sat-tiny: solved by A alone 0, by B alone 0 (exact McNemar p = 1); "
        "completions with a backtrack 0/1 against 0/1 (Fisher p = 1), where the reference has a conflict "
        "0/0 against 0/0; solved where it has none 1/1 against 1/1; items with an error, left out: 4"
    )


def test_runs_of_other_items_are_not_compared():
    with pytest.raises(UsageError) as caught:
        compare(results(a_score("0"), model="A"), results(a_score("1"), model="B"))
    assert str(caught.value) == "A and B did not see the same items: run both with the same options."
