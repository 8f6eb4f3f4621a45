"""UNSAT traces are refutations: two DRUP checkers written by others accept them, and refuse damaged ones."""

import itertools

import dratify
import drup
import pytest
from hypothesis import given, settings

from aletheia_bench import proof
from aletheia_bench.search import search
from aletheia_plugins import CSP, Linear, UsageError, Verdict, load_plugins

from .kinds import problems, tangles
from .naive import solutions

TASKS = load_plugins([]).tasks
LEVELS = [("sat", "tiny", 10), ("sat", "small", 10), ("sat", "medium", 4), ("coloring", "tiny", 10),
          ("coloring", "small", 5)]  # fmt: skip


def accepted(clauses, code, lemmas):
    """What `drup` and `dratify` say of a proof."""
    formula, refutation = proof.dimacs(clauses, code), proof.dimacs(lemmas)
    first = drup.check_proof_from_strings(formula, refutation).outcome is drup.Outcome.VALID
    second = dratify.check_proof(dratify.parse_dimacs(formula), dratify.parse_proof(refutation))
    return first, bool(second.ok)


def refutation(csp):
    trace = search(csp)
    if trace.verdict is not Verdict.UNSAT:
        return None
    clauses, code = proof.cnf(csp)
    return clauses, code, proof.drup(trace, code)


def refutations(name, level, count):
    """The first unsatisfiable problems of a level: CNF, code and lemmas."""
    task = TASKS[name]
    found = (refutation(task.csp(task.generate(level, split="train", seed=7, index=i))) for i in range(4 * count))
    return [each for each in found if each][:count]


@pytest.mark.parametrize(("name", "level", "count"), LEVELS)
def test_two_checkers_accept_every_refutation(name, level, count):
    found = refutations(name, level, count)
    assert len(found) == count
    assert {accepted(*each) for each in found} == {(True, True)}


def test_a_sudoku_without_a_solution_is_refuted_by_a_proof():
    sudoku = TASKS["sudoku"]
    found = refutation(sudoku.csp(sudoku.loads("1...2...3....4..")[0]))
    assert found
    assert accepted(*found) == (True, True)


def test_a_proof_without_its_lemmas_is_refused_where_propagation_does_not_refute():
    clauses, code, lemmas = next(each for each in refutations("sat", "small", 5) if len(each[2]) > 1)
    assert accepted(clauses, code, lemmas[-1:]) == (False, False)


def test_the_cnf_of_a_formula_is_the_formula():
    sat = TASKS["sat"]
    problem = sat.generate("small", split="train", seed=0, index=0)
    clauses, _ = proof.cnf(sat.csp(problem))
    assert {frozenset(c) for c in clauses} == {frozenset(c) for c in problem.clauses}


def test_only_an_unsat_trace_is_a_refutation():
    sat = TASKS["sat"]
    csp = sat.csp(sat.loads("p cnf 1 1\n1 0\n")[0])
    with pytest.raises(ValueError, match="this one says SAT"):
        proof.drup(search(csp), proof.cnf(csp)[1])


# --- sums, tables and predicates ---


def models(clauses, code, domains):
    """All assignments that the clauses allow."""
    for values in itertools.product(*domains.values()):
        assignment = dict(zip(domains, values, strict=True))
        true = {lit if assignment[v] == value else -lit for (v, value), lit in code.items()}
        if all(true & set(clause) for clause in clauses):
            yield assignment


@given(problems())
@settings(max_examples=100)
def test_the_cnf_has_the_solutions_of_the_problem_whatever_its_kinds_of_constraints(csp):
    assert list(models(*proof.cnf(csp), csp.domains)) == list(solutions(csp))


@given(problems() | tangles() | tangles("unit"))
@settings(max_examples=200)
def test_every_refutation_is_accepted_whatever_its_kinds_of_constraints(csp):
    found = refutation(csp)
    if found and () not in found[0]:  # drup reads no CNF with an empty clause
        assert accepted(*found) == (True, True)


def test_pigeons_as_sums_are_refuted_by_a_proof():
    """Each of four is in one of three holes, each hole has one at most; 0 and 1 say whether."""
    cells = {f"p{pigeon}h{hole}": ("0", "1") for pigeon in range(4) for hole in range(3)}
    rows = [Linear(f"p{p}", tuple((1, f"p{p}h{h}") for h in range(3)), "=", 1) for p in range(4)]
    columns = [Linear(f"h{h}", tuple((1, f"p{p}h{h}") for p in range(4)), "<=", 1) for h in range(3)]
    for propagation in ("unit", "forward"):
        found = refutation(CSP(cells, (*rows, *columns), propagation))
        assert len(found[2]) > 2
        assert accepted(*found) == (True, True)


def test_a_constraint_too_large_for_clauses_is_refused_by_name():
    names = [f"x{number}" for number in range(12)]
    wide = Linear("row 1", tuple((1, name) for name in names), "=", 60)
    with pytest.raises(UsageError) as caught:
        proof.cnf(CSP(dict.fromkeys(names, tuple("0123456789")), (wide,), "forward"))
    assert str(caught.value) == (
        "The constraint 'row 1' leaves more than 20,000 choices open, too many to write it as clauses for a proof: "
        "leave --proof out, or choose a level of smaller problems."
    )
