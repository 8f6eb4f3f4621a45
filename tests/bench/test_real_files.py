"""Verified traces of instances made by others."""

import csv
import time

import pytest

from aletheia_bench.checker import review
from aletheia_bench.search import search
from aletheia_bench.text import render
from aletheia_plugins import Verdict
from aletheia_tasks.coloring import Coloring
from aletheia_tasks.sat import Sat
from aletheia_tasks.sudoku import Sudoku

SMALL = 25
"""Vertices of the graphs that are tried."""


def verified(task, problem, verdict):
    """Steps of the trace of a problem that is known to have this verdict, and the processor seconds that it took."""
    start = time.process_time()
    trace = search(task.csp(problem), max_steps=10**6)
    found = review(task, problem, render(trace))
    assert trace.verdict is verdict
    assert found.valid, found.judgements[found.first_fault]
    return len(trace.steps), time.process_time() - start


def report(name, *figures):
    print(f"{name}:", *(f"{count} steps, {seconds:.2f} s" for count, seconds in figures))  # noqa: T201 - shown by -s


def formulas(instances, family):
    return [Sat().loads(path.read_text())[0] for path in sorted((instances / "sat" / family).glob("*.cnf"))]


def puzzles(instances, name):
    return Sudoku().loads((instances / "sudoku" / f"{name}.txt").read_text())


def colourings(instances):
    """Name, problem and verdict of each small graph with as few colours as it needs, and with one less."""
    with (instances / "coloring" / "known_chromatic.tsv").open() as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if int(row["vertices"]) <= SMALL]
    for row in rows:
        assert row["proved_optimal"] == "yes"
        (graph,) = Coloring().loads((instances / "coloring" / f"{row['name']}.col").read_text())
        best = int(row["best_k"])
        yield (row["name"], best), graph.with_colours(best), Verdict.SAT
        yield (row["name"], best - 1), graph.with_colours(best - 1), Verdict.UNSAT


def test_some_uniform_formulas_of_twenty_variables_have_verified_traces(instances):
    for problem in formulas(instances, "uf20-91")[::10]:
        verified(Sat(), problem, Verdict.SAT)


@pytest.mark.parametrize(("name", "every"), [("sudoku-top95", 12), ("hardest", 5), ("4x4", 25), ("sudoku-easy50", 10)])
def test_some_published_puzzles_have_verified_traces(instances, name, every):
    for problem in puzzles(instances, name)[::every]:
        verified(Sudoku(), problem, Verdict.SAT)


@pytest.mark.heavy
def test_every_uniform_formula_of_twenty_variables_has_a_verified_trace(instances):
    problems = formulas(instances, "uf20-91")
    assert len(problems) == 100
    figures = [verified(Sat(), problem, Verdict.SAT) for problem in problems]
    report("longest of uf20-91", max(figures))


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "count"), [("sudoku-top95", 95), ("hardest", 10), ("4x4", 400), ("sudoku-easy50", 50)]
)
def test_every_published_puzzle_has_a_verified_trace(instances, name, count):
    problems = puzzles(instances, name)
    assert len(problems) == count
    figures = [verified(Sudoku(), problem, Verdict.SAT) for problem in problems]
    report(f"longest of {name}", max(figures))
    report(f"all of {name}", tuple(map(sum, zip(*figures, strict=True))))


def test_every_small_graph_has_a_verified_trace_with_and_without_a_colouring(instances):
    """The longest is of myciel4 with 4 colours: some 44,000 steps."""
    shown = 0
    for (name, colours), problem, verdict in colourings(instances):
        report(f"{name} with {colours} colours, {verdict}", verified(Coloring(), problem, verdict))
        shown += 1
    assert shown == 14
