"""Precisions side by side: the figures of each run, and a picture of them."""

import re

import pytest

from aletheia_bench import curve
from aletheia_bench.measures import measure
from aletheia_bench.scoring import Outcome, Score
from aletheia_bench.statistics import rate
from aletheia_bench.tables import Results, percent


def a_run(precision: str, *outcomes: Outcome, task: str = "sat-tiny", **facts) -> Results:
    scores = tuple(
        Score(
            str(n), "", 0, outcome, certified=outcome is Outcome.SOLVED, backtracks=1, valid_backtracks=1, conflicts=2,
            real_conflicts=1, dead_ends=0, noticed=0, needed=1, size=3, first_fault=None, faults=(), lines=(),
            false_conflicts=(), mimicked=0, decisive=False, decisions=0, needed_decisions=0, prompt_tokens=0,
            tokens=100, seconds=0.25,
        )
        for n, outcome in enumerate(outcomes)
    )  # fmt: skip
    return Results(task, f"toy-{precision}", {"model": facts}, scores, measure(scores))


RUNS = [
    a_run("f16", Outcome.SOLVED, Outcome.SOLVED, file_bytes=4_700_000, memory_bytes=162_500_000, tensors="43 f16"),
    a_run("q4_0", Outcome.SOLVED, Outcome.WRONG, file_bytes=1_400_000, memory_bytes=158_000_000, tensors="42 q4_0"),
]


def test_the_table_has_measures_speed_and_sizes():
    lines = curve.table(RUNS).splitlines()
    always, half = "100.0 % [15.8, 100.0]", "50.0 % [0.6, 99.4]"
    assert [re.split(r"\s{2,}", line) for line in lines[2:]] == [
        ["sat-tiny", "toy-f16", always, half, "n/a", always, "400", "4.7", "162.5", "43 f16"],
        ["sat-tiny", "toy-q4_0", percent(rate(1, 2)), half, "n/a", always, "400", "1.4", "158.0", "42 q4_0"],
    ]


def test_what_a_back_end_does_not_tell_is_not_known():
    (line,) = curve.table([a_run("f16", Outcome.SOLVED)]).splitlines()[2:]
    assert line.split()[-3:] == ["n/a"] * 3


def test_the_plot_has_a_panel_for_each_task_and_a_place_for_each_precision(tmp_path):
    pytest.importorskip("matplotlib")
    other = a_run("f16", Outcome.SOLVED, task="sudoku-tiny", file_bytes=4_700_000)
    curve.plot([*RUNS, other], tmp_path / "plot.svg")
    comments = (tmp_path / "plot.svg").read_text()
    for text in ("sat-tiny", "sudoku-tiny", "f16", "q4_0", "4.7 MB", "conflicts real"):
        assert f"<!-- {text} -->" in comments
    assert "<!-- conflicts noticed -->" not in comments, "there is no such conflict in these runs"
