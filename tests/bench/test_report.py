"""Reports: the same figures in every file, n/a where there are none, and comparisons of the same items only."""

import csv
import json
from dataclasses import replace

from aletheia_bench.forced import Forced
from aletheia_bench.measures import MEASURES, measure
from aletheia_bench.report import write
from aletheia_bench.results import Results
from aletheia_bench.runs import Run
from aletheia_bench.scoring import Outcome, Score
from aletheia_bench.tables import ROWS, percent, table
from aletheia_tasks import Sat

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
        "false_conflicts": (),
        "mimicked": 0,
        "decisive": False,
        "decisions": 0,
        "needed_decisions": 0,
        "prompt_tokens": 0,
        "tokens": 100,
        "seconds": 0.25,
    }
    return Score(name, "p cnf 1 1\n1 0\n", 0, outcome, **figures | other)


def results(*scores: Score, model: str = "toy") -> Results:
    return Results("sat-tiny", model, CONFIG, scores, measure(scores))


def saved(found: Results, folder) -> None:
    (folder / "samples.jsonl").touch()
    write(found, folder, Sat())


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


def test_a_table_has_a_column_for_each_run_with_intervals():
    other = results(a_score("0"), model="other")
    lines = table([FOUR, other]).splitlines()
    assert [lines[0].split(), lines[1].split()] == [["sat-tiny", "sat-tiny"], ["toy", "other"]]
    rows = {line[:32].strip(): line[32:] for line in lines[3:]}
    assert rows["n"].split() == ["4", "1"]
    assert "66.7 %" in rows["solved"]  # 2 of 3: the error is not counted
    assert "100.0 % [2.5, 100.0]" in rows["conflicts real"]  # both conflicts, of one item
    assert list(rows)[1:-1] == [title.strip() for title, _ in ROWS.values()]


def test_a_table_has_what_is_solved_by_the_conflicts_that_an_item_needs():
    hard = results(a_score("0", needed=1), a_score("1", Outcome.WRONG, needed=2), a_score("2", needed=6))
    rows = [line.split("  ")[1:] for line in table([hard, FOUR]).splitlines()[5:8]]
    assert [row[0] for row in rows] == ["0 conflicts", "1-2 conflicts", "6+ conflicts"]
    cells = [[cell.strip() for cell in row[1:] if cell.strip()] for row in rows]
    assert cells[0] == ["n/a", "66.7 % [13.5, 98.3] of 3"]
    assert cells[1] == ["50.0 % [2.5, 97.5] of 2", "n/a"]
    assert table([FOUR]).splitlines()[5].startswith("certified")


def test_errors_put_in_are_counted_by_kind_and_by_the_conflicts_that_an_item_needs():
    noticed = Forced("0", "decision", 0, steps=1, localised=True, corrected=True, solved=True, failed=False)
    missed = replace(noticed, item="1", needed=2, steps=None)
    told = replace(FOUR, forced=(noticed, missed)).json()["forced_errors"]["sat-tiny"]["decision"]
    assert told["detection"]["value"] == 0.5
    assert [told["conflicts"][n]["detection"]["value"] for n in ("0", "1-2", "3-5")] == [1.0, 0.0, None]


def test_what_was_not_measured_is_not_zero():
    rows = table([results(a_score("0", Outcome.ERROR))]).splitlines()[4:]
    assert all(row.endswith("n/a") for row in rows)


def test_every_measure_is_in_the_table():
    assert list(ROWS) == list(MEASURES)


def test_a_run_of_several_epochs_says_how_many_items_one_of_k_tries_solves():
    tries = [(0, "0011"), (1, "0000"), (2, "1111")]
    scores = [
        replace(a_score(str(item), Outcome.SOLVED if hit == "1" else Outcome.WRONG), epoch=epoch)
        for item, hits in tries
        for epoch, hit in enumerate(hits)
    ]
    found = results(*scores).passes
    assert {k: round(e.value, 6) for k, e in found.items()} == {1: 0.5, 2: round((5 / 6 + 0 + 1) / 3, 6), 4: 0.666667}
    assert results(*scores[:1]).passes == {}
    assert "pass@2" in table([results(*scores)])


def test_results_are_shaped_as_the_evaluation_harness_of_eleuther_shapes_them(tmp_path):
    saved(FOUR, tmp_path)
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
    saved(FOUR, tmp_path)
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = {row["measure"]: row for row in csv.DictReader(file) if row["items"] == "all"}
    assert {name: (row["value"], row["n"]) for name, row in rows.items()} == {
        name: ("" if e.value is None else str(e.value), str(e.n)) for name, e in FOUR.estimates.items()
    }
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# toy on sat-tiny\n")
    assert all(name in text for name in MEASURES)
    assert percent(FOUR.estimates["solve_accuracy"]) in text
    assert "its reason does not force the value" in text
    assert "| imply  | 50.0 % [n/a]" in text
    assert "- seed: 0" in text


def test_half_a_character_does_not_keep_a_report_from_being_written(tmp_path):
    Run(tmp_path).write("report.md", "\ud800")
    assert (tmp_path / "report.md").read_text() == "\\ud800"


def test_an_item_with_an_error_is_left_out_of_pass_at_k():
    tries = [a_score("0"), replace(a_score("0", Outcome.ERROR), epoch=1), a_score("1"), replace(a_score("1"), epoch=1)]
    assert results(*tries).passes[2].n == 1


def test_a_page_shows_the_problem_as_the_task_draws_it(tmp_path):
    saved(FOUR, tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert text.count("<svg") > text.count('<svg class="bar"')
