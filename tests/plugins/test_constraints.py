"""Sums, tables and predicates leave exactly the values that some choice of all the others goes with."""

import itertools
import operator

import pytest
from hypothesis import given, settings, strategies as st

from aletheia_plugins import Linear, Predicate, Table

VALUES = [str(number) for number in range(8)]
DOMAINS = st.dictionaries(
    st.sampled_from("uvwxyz"), st.lists(st.sampled_from(VALUES), max_size=4, unique=True).map(tuple), max_size=4
)
SPLIT = "split it, or give it fewer variables"
COMPARE = {"<=": operator.le, "=": operator.eq, ">=": operator.ge}


def left(constraint, domains, held, test):
    """What its propagator should say, by trying everything."""
    names = constraint.variables
    every = itertools.product(*([held[v]] if v in held else domains[v] for v in names))
    good = [dict(zip(names, values, strict=True)) for values in every if test(*values)]
    return {v: {found[v] for found in good} for v in names} if good else None


def said(constraint, domains, held):
    found = constraint.propagator(domains)(held)
    return None if found is None else {variable: set(values) for variable, values in found.items()}


@st.composite
def held_of(draw, domains):
    """Values of some variables."""
    return {v: draw(st.sampled_from(values)) for v, values in domains.items() if values and draw(st.booleans())}


@given(DOMAINS, st.sampled_from(list(COMPARE)), st.integers(-20, 30), st.data())
@settings(max_examples=400)
def test_a_sum_leaves_what_can_reach_its_total(domains, relation, total, data):
    factors = [data.draw(st.integers(-4, 4)) for _ in domains]
    constraint = Linear("sum", tuple(zip(factors, domains, strict=True)), relation, total)

    def right(*values):
        return COMPARE[relation](sum(f * int(x) for f, x in zip(factors, values, strict=True)), total)

    held = data.draw(held_of(domains))
    assert said(constraint, domains, held) == left(constraint, domains, held, right)


@given(DOMAINS, st.data())
@settings(max_examples=300)
def test_a_table_leaves_what_is_in_a_row_that_fits(domains, data):
    cells = st.tuples(*(st.sampled_from([*values, "other"]) for values in domains.values()))
    constraint = Table("table", tuple(domains), tuple(data.draw(st.lists(cells, max_size=12))))
    held = data.draw(held_of(domains))
    assert said(constraint, domains, held) == left(
        constraint, domains, held, lambda *values: values in constraint.allowed
    )


@given(DOMAINS, st.integers(2, 5), st.data())
@settings(max_examples=200)
def test_a_predicate_leaves_what_some_choice_makes_true(domains, modulus, data):
    def divisible(*values):
        return sum(map(int, values)) % modulus == 0

    constraint = Predicate("predicate", tuple(domains), divisible)
    held = data.draw(held_of(domains))
    assert said(constraint, domains, held) == left(constraint, domains, held, divisible)


def test_a_value_that_is_in_no_domain_leaves_nothing():
    domains = {"a": ("1", "2"), "b": ("1", "2")}
    table = Table("t", ("a", "b"), (("1", "1"), ("3", "2")))
    for constraint in (Linear("s", ((1, "a"), (1, "b")), "=", 5), Linear("s", ((1, "a"),), "<=", 9), table):
        assert said(constraint, domains, {"a": "3"}) is None


def test_a_sum_that_no_domain_can_reach_costs_nothing_however_large():
    assert said(Linear("s", ((1, "a"),), "=", 10**30), {"a": ("1", "2")}, {}) is None


def test_a_predicate_is_asked_once_for_each_choice():
    asked = []

    def once(*values):
        asked.append(values)
        return True

    propagate = Predicate("p", ("a", "b"), once).propagator({"a": ("1", "2"), "b": ("1", "2")})
    for held in ({}, {"a": "1"}, {"a": "2", "b": "1"}):
        propagate(held)
    assert sorted(asked) == [("1", "1"), ("1", "2"), ("2", "1"), ("2", "2")]


def test_constraints_are_compared_by_content():
    assert Linear("s", ((1, "a"),), "=", 1) == Linear("s", ((1, "a"),), "=", 1)
    assert len({Table("t", ("a",), (("1",),)), Table("t", ("a",), (("1",),)), Table("t", ("a",), (("2",),))}) == 2
    assert Predicate("p", ("a",), str.isdigit) == Predicate("p", ("a",), str.isdigit)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Table("t", ("a", "b", "a"), ()), "t: the variable a is named twice; name it once"),
        (lambda: Linear("s", ((1, "a"), (2, "a")), "<=", 3), "s: the variable a is named twice; name it once"),
        (lambda: Predicate("p", ("b", "b"), str.isdigit), "p: the variable b is named twice; name it once"),
        (lambda: Linear("s", (), "<", 3), "s: the relation is <=, = or >=, not '<'"),
        (lambda: Table("t", ("a", "b"), (("1",),)), "t: 2 variables cannot take the values ('1',)"),
        (
            lambda: Linear("s", ((1, "a"),), "<=", 3).propagator({"a": ("1", "red")}),
            "s: a sum needs whole numbers as values, and a can be 'red'",
        ),
        (
            lambda: Linear("s", ((10**9, "a"),), "=", 10**9).propagator({"a": ("0", "1")}),
            "s: a sum may span 16,777,216 numbers, not 1,000,000,000; use smaller factors",
        ),
        (
            lambda: Predicate("p", tuple("abcdef"), str).propagator(dict.fromkeys("abcdef", tuple(VALUES))),
            f"p: a predicate is tried on every choice of values, and {8**6:,} are more than 200,000; {SPLIT}",
        ),
    ],
)
def test_what_is_no_constraint_is_told_in_a_sentence(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message
