"""Values: literals have one spelling, and the bounds of a constraint mean what the constraint means."""

import itertools
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, strategies as st

from aletheia_plugins import (
    AllDifferent,
    Answer,
    Clause,
    Constraint,
    Decide,
    Literal,
    NotEqual,
    Trace,
    Verdict,
    literal,
)

WORDS = st.text("abcxyz0123456789", min_size=1, max_size=6)
LITERALS = st.builds(Literal, WORDS, WORDS, st.booleans())
DOMAINS = st.dictionaries(
    st.sampled_from("uvwxyz"),
    st.lists(st.sampled_from("0123"), min_size=1, unique=True).map(tuple),
    min_size=2,
    max_size=4,
)


def holds_by_bounds(constraint: Constraint, domains, assignment) -> bool:
    """What the search sees: every bound counts the pairs that hold."""
    return all(
        sum(assignment[variable] == value for variable, value in bound.pairs) <= bound.limit
        for bound in constraint.bounds(domains)
    )


def complete(domains):
    """All complete assignments."""
    for values in itertools.product(*domains.values()):
        yield dict(zip(domains, values, strict=True))


@given(LITERALS)
def test_a_literal_reads_back_as_it_was_written(given_literal):
    assert literal(str(given_literal)) == given_literal


def test_literals_are_written_as_in_a_trace():
    assert str(Literal("x3", "1")) == "x3=1"
    assert str(Literal("r1c2", "4", equal=False)) == "r1c2!=4"


@pytest.mark.parametrize("text", ["", "x", "x=", "=1", "!=1", "x!!=1", "x==1", "x =1", "x=1 ", "x=1=2", "~x=1", "x=-1"])
def test_anything_else_is_not_a_literal(text):
    with pytest.raises(ValueError) as caught:
        literal(text)
    assert str(caught.value) == f"expected variable=value or variable!=value, got {text!r}"


@given(st.text(max_size=8))
def test_what_is_read_at_all_has_one_spelling(text):
    try:
        found = literal(text)
    except ValueError:
        return
    assert str(found) == text


@given(DOMAINS, st.data())
def test_the_bounds_of_a_clause_exclude_exactly_the_assignment_that_falsifies_it(domains, data):
    variables = data.draw(st.lists(st.sampled_from(sorted(domains)), min_size=1, unique=True))
    falsifiers = tuple((v, data.draw(st.sampled_from(domains[v]))) for v in variables)
    clause = Clause("clause", falsifiers)
    for assignment in complete(domains):
        assert holds_by_bounds(clause, domains, assignment) == any(assignment[v] != value for v, value in falsifiers)


def test_an_empty_clause_holds_nowhere():
    assert not holds_by_bounds(Clause("empty", ()), {}, {})


@given(DOMAINS, st.data())
def test_the_bounds_of_all_different_are_pairwise_inequality(domains, data):
    variables = tuple(data.draw(st.lists(st.sampled_from(sorted(domains)), min_size=1, unique=True)))
    constraint = AllDifferent("all", variables)
    for assignment in complete(domains):
        different = all(assignment[v] != assignment[w] for v, w in itertools.combinations(variables, 2))
        assert holds_by_bounds(constraint, domains, assignment) == different


@given(DOMAINS)
def test_the_bounds_of_not_equal_are_inequality(domains):
    left, right, *_ = domains
    constraint = NotEqual("edge", left, right)
    for assignment in complete(domains):
        assert holds_by_bounds(constraint, domains, assignment) == (assignment[left] != assignment[right])


def test_a_trace_without_an_answer_is_unknown():
    assert Trace(()).verdict is Verdict.UNKNOWN
    assert Trace((Decide(Literal("x1", "1")),)).verdict is Verdict.UNKNOWN
    assert Trace((Answer(Verdict.UNSAT),)).verdict is Verdict.UNSAT


def test_values_are_frozen_and_slotted():
    with pytest.raises(FrozenInstanceError):
        Literal("x1", "1").value = "0"  # type: ignore[misc]
    assert not hasattr(Literal("x1", "1"), "__dict__")
