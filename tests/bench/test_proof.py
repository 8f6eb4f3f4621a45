"""UNSAT traces are refutations: two DRUP checkers written by others accept them, and refuse damaged ones."""

import dratify
import drup
import pytest

from aletheia_bench import proof
from aletheia_bench.search import search
from aletheia_plugins import Verdict, load_plugins

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
