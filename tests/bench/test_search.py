"""The search against brute force on small problems of any kind, and what each of its steps is."""

import itertools
import random
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings, strategies as st

from aletheia_bench.checker import review
from aletheia_bench.search import input_order, search, smallest_domain
from aletheia_bench.text import render
from aletheia_plugins import (
    CSP,
    AllDifferent,
    Answer,
    Backtrack,
    Clause,
    Conflict,
    Decide,
    Imply,
    Linear,
    Literal,
    NotEqual,
    Predicate,
    State,
    Table,
    Trace,
    Verdict,
    literal,
)
from aletheia_tasks.coloring import Coloring, Problem as Graph
from aletheia_tasks.sat import Problem as Formula, Sat

from .kinds import problems, rising, tangles
from .naive import Toy, holds, objection, solutions

BIT = ("0", "1")


def words(*texts):
    return tuple(map(literal, texts))


def lines(csp, **options):
    return render(search(csp, **options)).splitlines()


binary = problems(most_values=2, propagation="unit")
wide = problems()
tangled = tangles() | tangles("unit")


def first_value(choices):
    """The last variable at its last value: as unlike the default as can be."""
    variable = list(choices)[-1]
    return variable, choices[variable][-1]


heuristics = st.sampled_from([smallest_domain, input_order, first_value])


# --- completeness ---


@given(binary | wide | tangled, heuristics)
@settings(max_examples=300)
def test_the_verdict_is_that_of_trying_everything(csp, heuristic):
    trace = search(csp, heuristic=heuristic)
    every = list(solutions(csp))
    assert trace.verdict is (Verdict.SAT if every else Verdict.UNSAT)
    if every:
        assert {lit.variable: lit.value for lit in trace.steps[-1].assignment} in every


@given(binary | wide | tangled, heuristics)
@settings(max_examples=250)
def test_every_trace_is_accepted_by_both_checkers(csp, heuristic):
    text = render(search(csp, heuristic=heuristic))
    found = review(Toy(), csp, text)
    assert found.valid, found.judgements[found.first_fault]
    assert objection(csp, text) is None


@given(binary)
def test_both_kinds_of_propagation_come_to_the_same_verdict(csp):
    forward = search(CSP(csp.domains, csp.constraints, "forward"))
    assert forward.verdict is search(csp).verdict


def refute(state, decision, domains):
    """The state after a backtrack, worked out anew."""
    *rest, _ = [list(level) for level in state]
    gone = {lit.value for level in rest for lit in level if lit.variable == decision.variable and not lit.equal}
    left = [value for value in domains[decision.variable] if value not in gone | {decision.value}]
    rest[-1].append(Literal(decision.variable, *left) if len(left) == 1 else Literal(*_parts(decision), equal=False))
    return rest


def _parts(lit):
    return lit.variable, lit.value


@given(wide, heuristics)
def test_every_state_line_is_what_the_steps_before_it_lead_to(csp, heuristic):
    start, *steps = search(csp, heuristic=heuristic).steps
    state = [list(level) for level in start.levels]
    for step in steps:
        match step:
            case Decide(chosen):
                state.append([chosen])
            case Imply(literal=implied):
                state[-1].append(implied)
            case Backtrack(variable):
                assert state[-1][0].variable == variable
                state = refute(state, state[-1][0], csp.domains)
            case State(levels):
                assert [list(level) for level in levels] == state


@given(wide, heuristics)
def test_no_branch_is_explored_twice(csp, heuristic):
    states = [step for step in search(csp, heuristic=heuristic).steps if isinstance(step, State)]
    assert len(set(states)) == len(states)


# --- propagation ---


def test_a_falsified_clause_is_seen_before_a_unit_clause():
    """As in DPLL, wherever they stand in the formula."""
    problem = Formula(3, ((-1, 3), (-1, -2), (1, 2)))
    steps = search(Sat().csp(problem), start=State((words("x1=1", "x2=1"),))).steps
    assert steps[1:] == (Conflict("c2", words("x1=1", "x2=1")), Answer(Verdict.UNSAT))


@given(binary, heuristics)
def test_a_decision_is_taken_only_where_nothing_follows_and_nothing_conflicts(csp, heuristic):
    """Worked out by trying each value of each open variable against each constraint."""
    values = {}
    for step in search(csp, heuristic=heuristic).steps:
        match step:
            case State(levels):
                values = {lit.variable: lit.value for level in levels for lit in level if lit.equal}
            case Imply(_, _, lit) | Decide(lit):
                tried = [values | {v: x} for v in csp.domains.keys() - values.keys() for x in csp.domains[v]]
                assert all(holds(constraint, values, csp.domains) for constraint in csp.constraints)
                one_at_a_time = all(holds(c, t, csp.domains) for c in csp.constraints for t in tried)
                assert one_at_a_time == isinstance(step, Decide)
                values[lit.variable] = lit.value


def test_unit_propagation_names_the_constraint_and_forward_checking_the_variable():
    different = (NotEqual("a is not b", "a", "b"),)
    domains = {"a": BIT, "b": BIT}
    assert "imply a is not b : a=0 -> b=1" in lines(CSP(domains, different, "unit"))
    assert "imply b : a=0 -> b=1" in lines(CSP(domains, different, "forward"))


def test_forward_checking_cites_one_reason_for_each_value_that_is_gone():
    graph = Graph(4, ((1, 4), (2, 4), (3, 4)), 3)
    start = State((words("v1=1", "v2=2", "v3=2"),))
    assert lines(Coloring().csp(graph), start=start)[1] == "imply v4 : v1=1 v2=2 -> v4=3"


def test_a_variable_without_values_left_is_a_conflict_that_cites_why():
    graph = Graph(4, ((1, 4), (2, 4), (3, 4)), 3)
    start = State((words("v1=3", "v2=2", "v3=1"),))
    assert lines(Coloring().csp(graph), start=start)[1:] == ["conflict v4 : v3=1 v2=2 v1=3", "answer: UNSAT"]


def test_forward_checking_sees_bounds_of_any_size():
    clause = Clause("not all 1", (("a", "1"), ("b", "1"), ("c", "1")))
    csp = CSP(dict.fromkeys("abc", ("1", "2")), (clause,), "forward")
    assert lines(csp) == [
        "state: -",
        "decide a=1",
        "decide b=1",
        "imply c : a=1 b=1 -> c=2",
        "answer: SAT a=1 b=1 c=2",
    ]


def test_unit_propagation_refuses_variables_of_more_than_two_values():
    with pytest.raises(ValueError) as caught:
        search(CSP({"a": ("1", "2", "3")}, (), "unit"))
    assert str(caught.value) == "unit propagation needs variables of at most two values; use propagation='forward'"


def test_a_unit_clause_is_implied_from_nothing():
    assert lines(Sat().csp(Formula(1, ((-1,),)))) == ["state: -", "imply c1 : -> x1=0", "answer: SAT x1=0"]


def test_an_empty_clause_is_a_conflict_from_nothing():
    for propagation in ("unit", "forward"):
        csp = CSP({"a": BIT}, (Clause("empty", ()),), propagation)
        assert lines(csp) == ["state: -", "conflict empty :", "answer: UNSAT"]


def test_unit_clauses_that_contradict_each_other_are_refuted_without_a_decision():
    assert lines(Sat().csp(Formula(1, ((1,), (-1,))))) == [
        "state: -",
        "imply c1 : -> x1=1",
        "conflict c2 : x1=1",
        "answer: UNSAT",
    ]


def test_a_problem_without_variables_is_solved_by_the_empty_assignment():
    assert lines(CSP({}, (), "forward")) == lines(CSP({}, (), "unit")) == ["state: -", "answer: SAT"]


# --- exclusions ---


def test_a_refuted_value_is_excluded_until_one_is_left_which_is_then_taken():
    """Four vertices that all touch cannot take three colours, whatever the first variable is."""
    clique = dict.fromkeys("bcde", ("1", "2", "3"))
    csp = CSP({"a": ("1", "2", "3", "4"), **clique}, (AllDifferent("clique", tuple(clique)),), "forward")
    trace = search(csp, heuristic=input_order)
    roots = [step.levels[0] for step in trace.steps if isinstance(step, State) and len(step.levels) == 1]
    assert roots[:4] == [(), words("a!=1"), words("a!=1", "a!=2"), words("a!=1", "a!=2", "a=4")]
    assert [str(step.literal) for step in trace.steps if isinstance(step, Decide) and step.literal.variable == "a"] == [
        "a=1",
        "a=2",
        "a=3",
    ]
    assert trace.verdict is Verdict.UNSAT


def test_exclusions_below_a_decision_go_with_it():
    csp = CSP(
        {"a": ("1", "2"), "b": ("1", "2", "3"), "c": ("1", "2"), "d": ("1", "2")},
        (
            Clause("not a1 c1 d1", (("a", "1"), ("c", "1"), ("d", "1"))),
            Clause("not a1 c1 d2", (("a", "1"), ("c", "1"), ("d", "2"))),
            Clause("not a1 c2 d1", (("a", "1"), ("c", "2"), ("d", "1"))),
            Clause("not a1 c2 d2", (("a", "1"), ("c", "2"), ("d", "2"))),
        ),
        "forward",
    )
    states = [line for line in lines(csp, heuristic=input_order) if line.startswith("state:")]
    assert states == [
        "state: -",
        "state: | a=1 | b=1 c=2",
        "state: | a=1 b!=1",
        "state: | a=1 b!=1 | b=2 c=2",
        "state: | a=1 b!=1 b=3",
        "state: | a=1 b!=1 b=3 c=2",
        "state: a=2",
    ]


@given(wide, heuristics)
def test_a_value_is_decided_only_while_it_is_not_excluded(csp, heuristic):
    excluded = set()
    for step in search(csp, heuristic=heuristic).steps:
        match step:
            case State(levels):
                excluded = {_parts(lit) for level in levels for lit in level if not lit.equal}
            case Decide(lit) | Imply(_, _, lit):
                assert _parts(lit) not in excluded


# --- the budget ---


@given(wide, st.integers(1, 30))
def test_a_search_out_of_budget_is_the_beginning_of_the_whole_one_and_knows_no_verdict(csp, budget):
    whole = search(csp)
    short = search(csp, max_steps=budget)
    assert short == Trace(whole.steps[:budget])
    assert short.verdict is (whole.verdict if budget >= len(whole.steps) else Verdict.UNKNOWN)


def test_a_search_out_of_budget_never_says_unsat():
    csp = Coloring().csp(Graph(5, tuple(itertools.combinations(range(1, 6), 2)), 4))
    whole = search(csp)
    assert whole.verdict is Verdict.UNSAT
    for budget in range(1, len(whole.steps)):
        assert search(csp, max_steps=budget).verdict is Verdict.UNKNOWN


# --- start states ---


@st.composite
def started(draw, csps):
    """A problem and a state of it: what is given, some values at the root and some decisions, consistent or not."""
    csp = draw(csps)
    given_ = [Literal(variable, values[0]) for variable, values in csp.domains.items() if len(values) == 1]
    free = [variable for variable, values in csp.domains.items() if len(values) > 1]
    shown = draw(st.lists(st.sampled_from(free), unique=True)) if free else []
    held = [Literal(variable, draw(st.sampled_from(csp.domains[variable]))) for variable in shown]
    root = draw(st.integers(0, len(held)))
    return csp, State(((*given_, *held[:root]), *((decision,) for decision in held[root:])))


@given(started(binary | wide), heuristics)
def test_from_any_state_the_verdict_is_that_under_its_root(item, heuristic):
    """Decisions are undone when they fail; what holds at the root stays."""
    csp, start = item
    root = {lit.variable: lit.value for lit in start.levels[0]}
    possible = [found for found in solutions(csp) if root.items() <= found.items()]
    trace = search(csp, start=start, heuristic=heuristic, max_steps=5_000)
    assert trace.steps[0] == start
    assert trace.verdict is (Verdict.SAT if possible else Verdict.UNSAT)
    judgements = review(Toy(), csp, render(trace)).judgements
    assert {judgement.fault for judgement in judgements[1:]} == {None}


@given(binary | wide, st.data())
def test_from_a_state_with_exclusions_the_verdict_is_that_without_those_values(csp, data):
    pairs = [(variable, value) for variable, values in csp.domains.items() for value in values]
    gone = data.draw(st.lists(st.sampled_from(pairs), unique=True))
    trace = search(csp, start=State((tuple(Literal(*pair, equal=False) for pair in gone),)))
    possible = [found for found in solutions(csp) if not set(gone) & set(found.items())]
    assert trace.verdict is (Verdict.SAT if possible else Verdict.UNSAT)
    assert {judgement.fault for judgement in review(Toy(), csp, render(trace)).judgements[1:]} == {None}


@pytest.mark.parametrize(
    ("root", "answer"),
    [(("a!=0",), Answer(Verdict.SAT, words("a=1"))), (("a!=0", "a!=1"), Answer(Verdict.UNSAT))],
)
def test_unit_propagation_heeds_exclusions_of_its_start(root, answer):
    csp = CSP({"a": BIT}, (), "unit")
    assert search(csp, start=State((words(*root),))).steps[-1] == answer


def test_what_a_clause_forces_and_the_start_excludes_is_a_conflict_of_the_variable():
    csp = CSP({"a": BIT}, (Clause("p", (("a", "1"),)),), "unit")
    assert lines(csp, start=State((words("a!=0"),)))[1:] == ["conflict a : a!=0", "answer: UNSAT"]


def test_unit_propagation_ends_also_where_its_start_lacks_what_is_given():
    csp = CSP(
        {"a": BIT[:1], "b": BIT}, (Clause("p", (("a", "0"), ("b", "0"))), Clause("q", (("a", "0"), ("b", "1")))), "unit"
    )
    assert search(csp).verdict is Verdict.UNSAT
    assert search(csp, start=State(((),)), max_steps=100).verdict is Verdict.UNSAT


def test_a_state_that_falsifies_a_constraint_is_a_conflict_at_once():
    graph = Coloring().csp(Graph(3, ((1, 2), (2, 3)), 3))
    assert lines(graph, start=State((words("v1=1", "v2=1"),)))[1:] == ["conflict v1 : v2=1 v1=1", "answer: UNSAT"]
    formula = Sat().csp(Formula(2, ((1, 2),)))
    assert lines(formula, start=State((words("x1=0", "x2=0"),)))[1:] == ["conflict c1 : x1=0 x2=0", "answer: UNSAT"]


def test_a_state_that_is_wrong_below_a_decision_is_repaired():
    graph = Coloring().csp(Graph(2, ((1, 2),), 3))
    assert lines(graph, start=State(((), words("v1=1", "v2=1")))) == [
        "state: | v1=1 v2=1",
        "conflict v1 : v2=1 v1=1",
        "backtrack v1",
        "state: v1!=1",
        "decide v1=2",
        "decide v2=1",
        "answer: SAT v1=2 v2=1",
    ]


@pytest.mark.parametrize("exclusions", [("v1!=1",), ("v1!=1", "v1!=2")])
def test_a_start_that_both_has_and_excludes_a_value_is_none(exclusions):
    graph = Coloring().csp(Graph(2, ((1, 2),), 3))
    with pytest.raises(ValueError, match=r"the start both has and excludes v1=1"):
        search(graph, start=State((words("v1=1", *exclusions),)))


@pytest.mark.parametrize(
    ("start", "objection"),
    [
        (("v9=1",), "the start has v9=1, which its variable cannot have"),
        (("v1=7",), "the start has v1=7, which its variable cannot have"),
        (("v1!=7",), "the start has v1!=7, which its variable cannot have"),
        (("v1=1", "v1=2"), "the start has v1=2, whose variable has a value already"),
    ],
)
def test_a_start_of_unknown_or_of_several_values_is_none(start, objection):
    with pytest.raises(ValueError, match=objection):
        search(Coloring().csp(Graph(2, ((1, 2),), 3)), start=State((words(*start),)))


@pytest.mark.parametrize("level", [(), ("v1!=1",)])
def test_a_start_with_a_level_without_a_decision_is_none(level):
    with pytest.raises(ValueError, match="the start has a level without a decision"):
        search(Coloring().csp(Graph(2, ((1, 2),), 3)), start=State(((), words(*level))))


@pytest.mark.parametrize("propagation", ["unit", "forward"])
def test_a_variable_that_has_no_values_at_all_is_a_conflict(propagation):
    assert search(CSP({"a": ()}, (), propagation)).verdict is Verdict.UNSAT


@given(wide)
def test_a_search_leaves_no_trace_in_the_next(csp):
    assume(csp.constraints)
    first = search(csp)
    search(CSP(csp.domains, csp.constraints[1:], csp.propagation))
    assert search(csp) == first


@pytest.mark.parametrize(("propagation", "most_values"), [("unit", 2), ("forward", 4)])
@given(data=st.data())
def test_any_order_of_equally_good_steps_gives_a_search_that_is_right(data, propagation, most_values):
    csp = data.draw(problems(most_values, propagation))
    trace = search(csp, rng=random.Random(data.draw(st.integers(0, 99))))
    assert trace.verdict is search(csp).verdict
    assert objection(csp, render(trace)) is None


def test_a_generator_makes_each_of_several_conflicts_units_and_reasons_possible():
    clauses = [Clause(f"c{n}", (("a", "0"), (variable, "0"))) for n, variable in enumerate("bcd")]
    csp = CSP(dict.fromkeys("abcd", BIT), tuple(clauses), "unit")
    seeds = range(60)
    decided = State(((), words("a=0")))
    assert {search(csp, start=decided, rng=random.Random(seed)).steps[1].name for seed in seeds} == {"c0", "c1", "c2"}
    broken = State(((), words("a=0", "b=0", "c=0")))
    assert {search(csp, start=broken, rng=random.Random(seed)).steps[1].name for seed in seeds} == {"c0", "c1"}
    graph = CSP(
        {"u": ("1",), "v": ("1",), "w": ("1", "2")}, (NotEqual("uw", "u", "w"), NotEqual("vw", "v", "w")), "forward"
    )
    assert {search(graph, rng=random.Random(seed)).steps[1].cites for seed in seeds} == {words("u=1"), words("v=1")}


@pytest.mark.parametrize(("propagation", "most_values"), [("unit", 2), ("forward", 4)])
@given(data=st.data())
def test_decisions_are_those_without_a_generator(data, propagation, most_values):
    csp = data.draw(problems(most_values, propagation))
    trace = search(csp, rng=random.Random(data.draw(st.integers(0, 99))))
    plain = [step for step in search(csp).steps if isinstance(step, Decide | Backtrack | Answer)]
    assert [step for step in trace.steps if isinstance(step, Decide | Backtrack | Answer)] == plain


def test_the_same_generator_gives_the_same_trace():
    csp = Sat().csp(Sat().generate("small", split="train", seed=0, index=0))
    assert search(csp, rng=random.Random(5)) == search(csp, rng=random.Random(5)) != search(csp)


# --- sums, tables and predicates ---

DIGITS = dict.fromkeys("abc", ("1", "2", "3"))


def test_forward_checking_takes_the_only_value_that_a_sum_leaves():
    csp = CSP(DIGITS, (Linear("total", ((1, "a"), (1, "b"), (1, "c")), "=", 8),), "forward")
    assert lines(csp, heuristic=input_order) == [
        "state: -",
        "decide a=2",
        "imply b : a=2 -> b=3",
        "imply c : a=2 b=3 -> c=3",
        "answer: SAT a=2 b=3 c=3",
    ]


def test_a_value_that_is_excluded_by_nothing_is_never_decided():
    """Three ones are too few, whatever else holds: 1 is gone from the beginning, and nothing is to be cited for it."""
    csp = CSP(DIGITS, (Table("pairs", ("a", "b"), (("2", "1"), ("3", "1"), ("9", "2"))),), "forward")
    assert lines(csp)[:2] == ["state: -", "imply b : -> b=1"]
    assert objection(csp, render(search(csp))) is None


def test_values_that_different_kinds_of_constraints_exclude_are_cited_together():
    kinds = (NotEqual("ab", "a", "b"), Predicate("b c rise", ("b", "c"), rising))
    csp = CSP(DIGITS, kinds, "forward")
    start = State((words("a=1", "c=3"),))
    assert lines(csp, start=start)[1] == "imply b : a=1 c=3 -> b=2"


def test_a_constraint_that_can_no_longer_hold_is_a_conflict_before_its_last_variable_is_assigned():
    csp = CSP(DIGITS, (Linear("small", ((2, "a"), (3, "b"), (1, "c")), "<=", 10),), "forward")
    assert lines(csp, start=State(((), words("b=3", "a=2"))))[1:3] == ["conflict small : a=2 b=3", "backtrack b"]


def test_unit_propagation_names_the_sum():
    """A pseudo-Boolean problem reads like a formula."""
    weights = Linear("w1", ((3, "a"), (2, "b"), (2, "c")), ">=", 5)
    csp = CSP(dict.fromkeys("abc", BIT), (weights, Linear("w2", ((1, "b"), (1, "c")), "<=", 1)), "unit")
    assert lines(csp) == [
        "state: -",
        "imply w1 : -> a=1",
        "decide b=0",
        "imply w1 : a=1 b=0 -> c=1",
        "answer: SAT a=1 b=0 c=1",
    ]


@given(wide | tangles(), heuristics)
def test_forward_checking_leaves_nothing_that_one_constraint_excludes(csp, heuristic):
    """Where it decides, no constraint is falsified, and every open variable has two values that none would be by."""
    values, excluded = {}, set()
    for step in search(csp, heuristic=heuristic).steps:
        match step:
            case State(levels):
                values = {lit.variable: lit.value for level in levels for lit in level if lit.equal}
                excluded = {_parts(lit) for level in levels for lit in level if not lit.equal}
            case Imply(_, _, lit):
                values[lit.variable] = lit.value
            case Decide(lit):
                for v in csp.domains.keys() - values.keys():
                    tried = [values | {v: x} for x in csp.domains[v] if (v, x) not in excluded]
                    left = [t[v] for t in tried if all(holds(c, t, csp.domains) for c in csp.constraints)]
                    assert len(left) > 1
                    assert v != lit.variable or lit.value in left
                values[lit.variable] = lit.value


@given(tangled, st.data())
@settings(max_examples=150)
def test_both_checkers_agree_where_a_reason_lacks_a_literal(csp, data):
    """Some reasons have one more than they need, since all that is held of a constraint is cited."""
    steps = list(search(csp).steps)
    places = [place for place, step in enumerate(steps) if isinstance(step, Conflict | Imply) and step.cites]
    assume(places)
    place = data.draw(st.sampled_from(places))
    gone = data.draw(st.sampled_from(steps[place].cites))
    steps[place] = replace(steps[place], cites=tuple(lit for lit in steps[place].cites if lit != gone))
    text = render(Trace(tuple(steps)))
    assert review(Toy(), csp, text).valid == (objection(csp, text) is None)
