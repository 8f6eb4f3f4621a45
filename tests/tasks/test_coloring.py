"""Graphs: their files, their pairs, their disguises, and their verdicts."""

import csv
import itertools
import random

import pytest
from hypothesis import given, strategies as st

from aletheia_plugins import ProblemFileError, Verdict
from aletheia_tasks.coloring import Coloring, Problem

task = Coloring()


@st.composite
def graphs(draw, most_vertices=8):
    vertices = draw(st.integers(0, most_vertices))
    every = list(itertools.combinations(range(1, vertices + 1), 2))
    edges = draw(st.sets(st.sampled_from(every))) if every else ()
    return Problem(vertices, tuple(sorted(edges)), draw(st.integers(0, 4)))


def colourable(problem):
    """By trying every colouring."""
    return any(
        all(colouring[left - 1] != colouring[right - 1] for left, right in problem.edges)
        for colouring in itertools.product(range(problem.colours), repeat=problem.vertices)
    )


# --- text ---


def test_a_prompt_lists_the_neighbours_of_every_vertex():
    problem = Problem(4, ((1, 2), (1, 4)), 3)
    assert task.render(problem) == "coloring 3\n v1-v2 v1-v4 v1\n v2-v1 v2\n v3\n v4-v1 v4\n"


@given(graphs())
def test_a_graph_survives_its_file_format(problem):
    assert task.loads(task.dumps(problem)) == [problem]


def test_files_as_found_in_the_wild_are_read():
    text = "c x\n\np edge 4 9\nn 1 5\ne 2 1\ne 1 2\nc in between\ne 1 3\n"
    assert task.loads(text) == [Problem(4, ((1, 2), (1, 3)), 3)]


def test_a_comment_says_how_many_colours_there_are():
    (problem,) = task.loads("c colours 5\np col 2 1\ne 1 2\n")
    assert problem.colours == 5
    assert problem.with_colours(2) == Problem(2, ((1, 2),), 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected 'p edge VERTICES EDGES', found the end of the file"),
        ("e 1 2\n", "1: expected 'p edge VERTICES EDGES', found 'e 1 2'"),
        ("p edge x 1\n", "1: expected a number of vertices, found 'x'"),
        ("p edge -3 1\n", "1: expected a number of vertices, found '-3'"),
        ("p edge 3\n", "1: expected 'p edge VERTICES EDGES', found 'p edge 3'"),
        ("p edge 3 1\ne 1\n", "2: expected 'e VERTEX VERTEX' or a comment, found 'e 1'"),
        ("p edge 3 1\ne 1 b\n", "2: expected a vertex, found 'b'"),
        ("p edge 3 1\ne 1 4\n", "2: expected vertices 1 to 3 as declared, found 'e 1 4'"),
        ("p edge 3 1\nc\ne 2 2\n", "3: expected an edge between two vertices, found a loop at vertex 2"),
        ("c colours few\np edge 3 1\n", "1: expected a number of colours, found 'few'"),
    ],
)
def test_a_malformed_file_says_what_was_expected_and_what_was_found(text, message):
    with pytest.raises(ProblemFileError) as caught:
        task.loads(text)
    assert str(caught.value) == message


# --- semantics ---


def test_an_edge_can_be_named_from_either_end():
    problem = Problem(3, ((1, 2), (2, 3)), 3)
    assert task.falsified(problem, {"v1": "2", "v2": "2"}, "v2-v1") == "v1-v2"
    assert task.falsified(problem, {"v1": "2", "v2": "1"}, "v2-v1") is None
    assert task.falsified(problem, {"v1": "2"}, "v1-v2") is None
    with pytest.raises(KeyError):
        task.falsified(problem, {}, "v1-v3")


@given(graphs(), st.randoms(use_true_random=False))
def test_falsified_agrees_with_the_list_of_edges(problem, rng):
    colours = {v: rng.choice(("1", "2", "3", None)) for v in range(1, problem.vertices + 1)}
    assignment = {f"v{v}": colour for v, colour in colours.items() if colour}
    broken = {f"v{u}-v{v}" for u, v in problem.edges if colours[u] and colours[u] == colours[v]}
    found = task.falsified(problem, assignment)
    assert found in broken if broken else found is None
    for u, v in problem.edges:
        name = f"v{u}-v{v}"
        assert task.falsified(problem, assignment, name) == (name if name in broken else None)


# --- verdicts ---


def check_verdicts(count, seed):
    rng = random.Random(seed)
    verdicts = set()
    for _ in range(count):
        vertices, density = rng.randint(1, 8), rng.uniform(0.2, 0.9)
        edges = [e for e in itertools.combinations(range(1, vertices + 1), 2) if rng.random() < density]
        problem = Problem(vertices, tuple(edges), rng.choice((2, 3, 3, 4)))
        verdict = task.solve(problem).verdict
        assert (verdict is Verdict.SAT) == colourable(problem)
        verdicts.add(verdict)
    assert verdicts == {Verdict.SAT, Verdict.UNSAT}


def test_verdicts_agree_with_trying_every_colouring():
    check_verdicts(100, 1)


@pytest.mark.heavy
def test_many_verdicts_agree_with_trying_every_colouring():
    check_verdicts(2000, 2)


@pytest.mark.parametrize("problem", [Problem(0, (), 0), Problem(2, (), 0), Problem(2, ((1, 2),), 1), Problem(3, (), 1)])
def test_graphs_with_hardly_any_colours_have_the_right_verdict(problem):
    assert (task.solve(problem).verdict is Verdict.SAT) == colourable(problem)


# --- generation ---


@pytest.mark.parametrize("level", ["tiny", "small", "medium", "hard"])
def test_one_of_a_pair_can_be_coloured(level):
    low, high = {"tiny": (4, 6), "small": (7, 10), "medium": (11, 20), "hard": (30, 30)}[level]
    firsts = []
    for number in range(6 if level == "hard" else 20):
        one, other = (task.generate(level, split="train", seed=5, index=2 * number + i) for i in range(2))
        verdicts = [task.solve(problem).verdict for problem in (one, other)]
        assert sorted(verdicts) == [Verdict.SAT, Verdict.UNSAT]
        assert low <= one.vertices == other.vertices <= high
        assert one.colours == other.colours == (4 if level == "hard" else 3)
        assert one.edges == tuple(sorted(set(one.edges)))
        if level == "hard":
            assert len(one.edges) == len(other.edges)
        else:
            assert len(set(one.edges) ^ set(other.edges)) == 1
        if level == "tiny":
            assert [colourable(one), colourable(other)] == [v is Verdict.SAT for v in verdicts]
        firsts.append(verdicts[0])
    assert len(set(firsts)) == 2, "the first of a pair is not always the one that can be coloured"


# --- disguises ---


@given(graphs(), st.randoms(use_true_random=False))
def test_a_disguise_changes_nothing_canonical(problem, rng):
    assert task.canonical(task.disguise(problem, rng)) == task.canonical(problem)


@pytest.mark.parametrize("level", ["small", "medium", "hard"])
def test_a_disguised_problem_of_a_level_is_recognised(level):
    rng = random.Random(0)
    for index in range(12):
        problem = task.generate(level, split="train", seed=6, index=index)
        assert task.canonical(task.disguise(problem, rng)) == task.canonical(problem)


def test_all_graphs_of_five_vertices_are_told_apart():
    every = list(itertools.combinations(range(1, 6), 2))
    forms = {
        task.canonical(Problem(5, edges, 3)) for count in range(11) for edges in itertools.combinations(every, count)
    }
    assert len(forms) == 34  # https://oeis.org/A000088


def test_the_number_of_colours_and_of_isolated_vertices_counts():
    problem = Problem(3, ((1, 2),), 3)
    assert len({task.canonical(p) for p in (problem, problem.with_colours(2), Problem(4, ((1, 2),), 3))}) == 3


def test_two_triangles_are_no_hexagon():
    triangles = Problem(6, ((1, 2), (1, 3), (2, 3), (4, 5), (4, 6), (5, 6)), 3)
    hexagon = Problem(6, ((1, 2), (1, 6), (2, 3), (3, 4), (4, 5), (5, 6)), 3)
    assert task.canonical(triangles) != task.canonical(hexagon)


# --- instances made by others ---


def known(instances):
    with (instances / "coloring" / "known_chromatic.tsv").open() as table:
        return list(csv.DictReader(table, delimiter="\t"))


def test_published_graphs_have_the_published_numbers_of_vertices_and_edges(instances):
    loaded = 0
    for row in known(instances):
        text = (instances / "coloring" / f"{row['name']}.col").read_text()
        if row["name"] != "homer":
            (problem,) = task.loads(text)
            assert (problem.vertices, len(problem.edges)) == (int(row["vertices"]), int(row["distinct_edges"]))
            loaded += 1
    assert loaded == len(list((instances / "coloring").glob("*.col"))) - 1


def test_a_published_graph_with_loops_is_refused_at_the_first_of_them(instances):
    with pytest.raises(ProblemFileError) as caught:
        task.loads((instances / "coloring" / "homer.col").read_text())
    assert str(caught.value) == "510: expected an edge between two vertices, found a loop at vertex 95"


def check_chromatic_number(instances, row):
    (problem,) = task.loads((instances / "coloring" / f"{row['name']}.col").read_text())
    best = int(row["best_k"])
    assert task.solve(problem.with_colours(best)).verdict is Verdict.SAT, row
    assert task.solve(problem.with_colours(best - 1)).verdict is Verdict.UNSAT, row


def test_small_published_graphs_have_their_chromatic_number(instances):
    rows = [row for row in known(instances) if int(row["vertices"]) <= 25]
    assert len(rows) >= 5
    for row in rows:
        check_chromatic_number(instances, row)


@pytest.mark.heavy
def test_published_graphs_up_to_forty_vertices_have_their_chromatic_number(instances):
    for row in known(instances):
        if int(row["vertices"]) <= 40:
            check_chromatic_number(instances, row)
