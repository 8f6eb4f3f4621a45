"""Formulas: their files, their pairs, their disguises, and their verdicts."""

import itertools
import random

import pytest
from hypothesis import given, strategies as st

from aletheia_plugins import ProblemFileError, Verdict
from aletheia_tasks.sat import Problem, Sat

task = Sat()


@st.composite
def formulas(draw, most_variables=6, most_clauses=12):
    """Any formula, with empty, repeated, tautological and unit clauses and unused variables."""
    variables = draw(st.integers(1, most_variables))
    literals = st.integers(1, variables).flatmap(lambda v: st.sampled_from((v, -v)))
    clauses = draw(st.lists(st.lists(literals, max_size=4).map(tuple), max_size=most_clauses))
    return Problem(variables, tuple(clauses))


def satisfiable(problem):
    """By trying every assignment."""
    return any(
        all(any(signs[abs(literal) - 1] == (literal > 0) for literal in clause) for clause in problem.clauses)
        for signs in itertools.product((False, True), repeat=problem.variables)
    )


def random_formula(rng, most_variables=12):
    variables = rng.randint(3, most_variables)
    clauses = []
    for _ in range(round(rng.uniform(3, 5.5) * variables)):
        chosen = rng.sample(range(1, variables + 1), rng.choice((2, 3, 3, 3)))
        clauses.append(tuple(rng.choice((-v, v)) for v in chosen))
    return Problem(variables, tuple(clauses))


# --- text ---


def test_a_clause_a_line_is_the_prompt():
    assert task.render(Problem(4, ((1, -2, 3), (-1, 2, 4)))) == "sat\n x1 ~x2 x3 c1\n ~x1 x2 x4 c2\n"


def test_a_prompt_counts_the_variables_only_where_the_clauses_do_not():
    assert task.render(Problem(5, ((1, -2), ()))) == "sat 5\n x1 ~x2 c1\n c2\n"


@given(formulas())
def test_a_formula_survives_its_file_format(problem):
    assert task.loads(task.dumps(problem)) == [problem]


def test_files_as_found_in_the_wild_are_read():
    text = "c 1\np cnf 3  2 \n 1 -2\n\nc in between\n 3 0 -1 0\n2 3\n%\n0\n\n"
    assert task.loads(text) == [Problem(3, ((1, -2, 3), (-1,), (2, 3)))]


def test_a_wrong_number_of_clauses_is_tolerated():
    assert task.loads("p cnf 2 9\n1 2 0\n") == [Problem(2, ((1, 2),))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the header 'p cnf VARIABLES CLAUSES', found 'the end of the file'"),
        ("c x\n1 2 0\n", "2: expected the header 'p cnf VARIABLES CLAUSES', found '1'"),
        ("p cnf 2\n1 2 0\n", "1: expected the header 'p cnf VARIABLES CLAUSES', found an incomplete one"),
        ("p cnf two 1\n", "1: expected the header 'p cnf VARIABLES CLAUSES', found 'two'"),
        ("p cnf -2 1\n", "1: expected the header 'p cnf VARIABLES CLAUSES', found a negative number"),
        ("p cnf 2 1\n1 x2 0\n", "2: expected a literal, found 'x2'"),
        ("p cnf 2 1\n1 2 0\n\n-3 0\n", "4: expected variables 1 to 2 as declared, found -3"),
    ],
)
def test_a_malformed_file_says_what_was_expected_and_what_was_found(text, message):
    with pytest.raises(ProblemFileError) as caught:
        task.loads(text)
    assert str(caught.value) == message


# --- semantics ---


def test_clauses_are_named_by_their_place():
    problem = Problem(3, ((1, 2), (1, -2, 3)))
    assert task.falsified(problem, {"x1": "0", "x2": "1", "x3": "0"}, "c2") == "c2"
    assert task.falsified(problem, {"x1": "0", "x2": "1"}, "c2") is None
    with pytest.raises(KeyError):
        task.falsified(problem, {}, "c3")


def test_a_tautology_can_be_named_but_is_not_searched():
    problem = Problem(2, ((1, 2, -1), (1, 1, 2)))
    assert task.falsified(problem, {"x1": "0", "x2": "0"}, "c1") is None
    assert [(c.name, c.falsifiers) for c in task.csp(problem).constraints] == [("c2", (("x1", "0"), ("x2", "0")))]


def test_an_empty_clause_is_always_falsified():
    problem = Problem(1, ((1,), ()))
    assert task.falsified(problem, {}) == task.falsified(problem, {}, "c2") == "c2"
    assert task.csp(problem).constraints[1].falsifiers == ()
    assert task.solve(problem).verdict is Verdict.UNSAT


def test_a_unit_clause_leaves_the_domain_as_it_is():
    assert task.domains(Problem(1, ((1,),))) == {"x1": ("0", "1")}


@given(formulas(), st.randoms(use_true_random=False))
def test_falsified_agrees_with_the_truth_table_on_any_formula(problem, rng):
    signs = {v: rng.choice((False, True, None)) for v in range(1, problem.variables + 1)}
    assignment = {f"x{v}": str(int(sign)) for v, sign in signs.items() if sign is not None}
    false = {
        f"c{number}"
        for number, clause in enumerate(problem.clauses, start=1)
        if all(signs[abs(literal)] is (literal < 0) for literal in clause)
    }
    found = task.falsified(problem, assignment)
    assert found in false if false else found is None
    for constraint in task.csp(problem).constraints:
        bound = next(iter(constraint.bounds({})))
        exceeded = sum(assignment.get(v) == value for v, value in bound.pairs) > bound.limit
        assert exceeded == (task.falsified(problem, assignment, constraint.name) is not None)


# --- verdicts ---


def check_verdicts(count, seed):
    rng = random.Random(seed)
    verdicts = set()
    for _ in range(count):
        problem = random_formula(rng)
        verdict = task.solve(problem).verdict
        assert (verdict is Verdict.SAT) == satisfiable(problem)
        verdicts.add(verdict)
    assert verdicts == {Verdict.SAT, Verdict.UNSAT}


def test_verdicts_agree_with_trying_every_assignment():
    check_verdicts(100, 1)


@pytest.mark.heavy
def test_many_verdicts_agree_with_trying_every_assignment():
    check_verdicts(2000, 2)


def pigeons(holes):
    def sits(pigeon, hole):
        return pigeon * holes + hole + 1

    somewhere = [tuple(sits(p, h) for h in range(holes)) for p in range(holes + 1)]
    alone = [(-sits(p, h), -sits(q, h)) for h in range(holes) for p, q in itertools.combinations(range(holes + 1), 2)]
    return Problem(holes * (holes + 1), (*somewhere, *alone))


def test_a_solver_that_is_interrupted_knows_nothing():
    assert task.solve(pigeons(13), seconds=0.2).verdict is Verdict.UNKNOWN


# --- generation ---


def check_pair(level, number, split="train"):
    pair = [task.generate(level, split=split, seed=5, index=2 * number + i) for i in range(2)]
    one, other = pair
    assert one.variables == other.variables
    assert len(one.clauses) == len(other.clauses)
    different = [(a, b) for a, b in zip(one.clauses, other.clauses, strict=True) if a != b]
    assert len(different) == 1
    assert sorted(a == b for a, b in zip(*different[0], strict=True)) == [False] + [True] * (len(different[0][0]) - 1)
    assert sorted(map(abs, different[0][0])) == sorted(map(abs, different[0][1]))
    verdicts = [task.solve(problem).verdict for problem in pair]
    assert sorted(verdicts) == [Verdict.SAT, Verdict.UNSAT]
    return pair, verdicts


@pytest.mark.parametrize("level", ["tiny", "small", "medium", "hard"])
def test_a_pair_differs_in_one_literal_and_in_its_verdict(level):
    low, high = {"tiny": (3, 5), "small": (6, 10), "medium": (11, 15), "hard": (20, 50)}[level]
    firsts = []
    for number in range(8 if level == "hard" else 24):
        (one, other), verdicts = check_pair(level, number)
        firsts.append(verdicts[0])
        assert low <= one.variables <= high
        for problem in (one, other):
            assert len(set(map(frozenset, problem.clauses))) == len(problem.clauses)
            assert {len(clause) for clause in problem.clauses} <= ({2, 3} if level == "tiny" else {3})
        ratio = len(one.clauses) / one.variables
        assert ratio <= 4.4 + 2 / 3 if level == "tiny" else 4 < ratio < 4.5
    assert len(set(firsts)) == 2, "the first of a pair is not always the satisfiable one"


def test_small_labels_agree_with_trying_every_assignment():
    for level in ("tiny", "small"):
        for number in range(20):
            pair, verdicts = check_pair(level, number, "test")
            assert [satisfiable(problem) for problem in pair] == [v is Verdict.SAT for v in verdicts]


def test_the_clause_that_differs_stands_anywhere():
    places = set()
    for number in range(60):
        (one, other), _ = check_pair("tiny", number)
        place = next(i for i, (a, b) in enumerate(zip(one.clauses, other.clauses, strict=True)) if a != b)
        places.add((3 * place) // len(one.clauses))
    assert places == {0, 1, 2}


# --- disguises ---


@given(formulas(), st.randoms(use_true_random=False))
def test_a_disguise_changes_nothing_canonical(problem, rng):
    assert task.canonical(task.disguise(problem, rng)) == task.canonical(problem)


@pytest.mark.parametrize("level", ["small", "hard"])
def test_a_disguised_problem_of_a_level_is_recognised_and_others_are_told_apart(level):
    rng = random.Random(0)
    problems = [task.generate(level, split="train", seed=6, index=i) for i in range(12)]
    forms = [task.canonical(problem) for problem in problems]
    assert len(set(forms)) == 12
    assert [task.canonical(task.disguise(problem, rng)) for problem in problems] == forms


def test_a_flipped_literal_is_no_disguise():
    one, other = Problem(3, ((1, 2), (1, 3), (-1, 2))), Problem(3, ((1, 2), (1, 3), (1, -2)))
    assert task.canonical(one) != task.canonical(Problem(3, ((1, 2), (1, 3), (2, 3))))
    assert task.canonical(one) == task.canonical(Problem(3, ((-2, 1), (-2, 3), (2, 1))))
    assert task.canonical(one) != task.canonical(Problem(4, one.clauses))
    assert task.canonical(other) != task.canonical(Problem(3, other.clauses[:2]))


# --- instances made by others ---

GOOD = {"uf20-91": "SAT", "uuf50-218": "UNSAT", "dubois": "UNSAT", "pret": "UNSAT"}


def check_instance(path):
    problems = task.loads(path.read_text())
    expected = GOOD.get(path.parent.name) or ("SAT" if "-yes" in path.name else "UNSAT")
    assert len(problems) == 1
    assert task.loads(task.dumps(problems[0])) == list(problems)
    assert task.solve(problems[0]).verdict == expected, path.name


@pytest.mark.parametrize("family", [*GOOD, "aim"])
def test_some_published_formulas_have_the_verdict_in_their_name(instances, family):
    for path in sorted((instances / "sat" / family).glob("*.cnf"))[::7]:
        check_instance(path)


@pytest.mark.heavy
def test_every_published_formula_has_the_verdict_in_its_name(instances):
    paths = sorted((instances / "sat").glob("*/*.cnf"))
    assert len(paths) > 100
    for path in paths:
        check_instance(path)
