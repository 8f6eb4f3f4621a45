"""Small problems of constraints of every kind, for property tests."""

import itertools

from hypothesis import strategies as st

from aletheia_plugins import CSP, AllDifferent, Clause, Linear, NotEqual, Predicate, Table


def even(*values):
    return sum(map(int, values)) % 2 == 0


def rising(*values):
    return list(values) == sorted(set(values))


@st.composite
def constraints(draw, domains):
    """Of every kind: clauses, sums and tables of any length, empty ones too; each name says what it is."""
    pairs = [(variable, value) for variable, values in domains.items() for value in values]
    kind = draw(st.sampled_from(["clause", "clause", "differ", "all", "sum", "sum", "table", "predicate"]))
    if kind == "clause" or (len(domains) < 2 and kind in ("differ", "all")):
        chosen = draw(st.lists(st.sampled_from(pairs), max_size=3, unique=True))
        return Clause(" ".join(["not", *(f"{variable}{value}" for variable, value in chosen)]), tuple(chosen))
    least, most = {"differ": (2, 2), "all": (2, 4)}.get(kind, (0, 4))
    chosen = draw(st.lists(st.sampled_from(list(domains)), min_size=least, max_size=most, unique=True))
    if kind in ("differ", "all"):
        return NotEqual(f"differ {' '.join(chosen)}", *chosen) if kind == "differ" else different(chosen)
    return draw(propagated(kind, chosen, domains))


def different(chosen):
    return AllDifferent(f"different {' '.join(chosen)}", tuple(chosen))


@st.composite
def propagated(draw, kind, chosen, domains):
    """A constraint that is not bounds, over the chosen variables."""
    if kind == "sum":
        terms = tuple((draw(st.integers(-3, 3)), variable) for variable in chosen)
        relation, total = draw(st.sampled_from(["<=", "=", "=", ">="])), draw(st.integers(-8, 12))
        return Linear(name("sum", *(f"{f}{v}" for f, v in terms), relation, total), terms, relation, total)
    if kind == "table":
        row = st.tuples(*(st.sampled_from([*domains[variable], "9"]) for variable in chosen))
        rows = tuple(draw(st.lists(row, max_size=8)))
        return Table(name("table", *chosen, "of", *map("".join, rows)), tuple(chosen), rows)
    test = draw(st.sampled_from([even, rising]))
    return Predicate(name(test.__name__, *chosen), tuple(chosen), test)


def name(*words):
    return " ".join(map(str, filter(str, words)))


@st.composite
def problems(draw, most_values=4, propagation="forward"):
    values = [str(number) for number in range(1, most_values + 1)]
    domain = st.lists(st.sampled_from(values), min_size=1, max_size=most_values, unique=True).map(tuple)
    domains = {f"v{number}": draw(domain) for number in range(draw(st.integers(1, 5)))}
    chosen = draw(st.lists(constraints(domains), max_size=9, unique_by=lambda constraint: constraint.name))
    return CSP(domains, tuple(chosen), propagation)


@st.composite
def tangles(draw, propagation="forward"):
    """Constraints that each can hold over variables that each have a choice: what takes a search, as often as not."""
    rng = draw(st.randoms(use_true_random=False))
    values = tuple("012"[: 2 if propagation == "unit" else 3])
    domains = {f"v{number}": values for number in range(rng.randint(4, 6))}
    makers = [linear, table, clause, predicate, *([] if propagation == "unit" else [unequal])]
    found = (rng.choice(makers)(rng, domains, number) for number in range(rng.randint(5, 11)))
    return CSP(domains, tuple(found), propagation)


def some(rng, domains, least=2, most=4):
    return tuple(rng.sample(list(domains), rng.randint(least, most)))


def linear(rng, domains, number):
    terms = tuple((rng.choice([-2, -1, 1, 1, 2, 3]), v) for v in some(rng, domains))
    total = sum(factor * int(rng.choice(domains[v])) for factor, v in terms)
    return Linear(f"sum {number}", terms, rng.choice(["<=", "=", "=", ">="]), total)


def table(rng, domains, number):
    chosen = some(rng, domains, 2, 3)
    every = list(itertools.product(*(domains[v] for v in chosen)))
    return Table(f"table {number}", chosen, tuple(rng.sample(every, rng.randint(2, len(every) - 1))))


def clause(rng, domains, number):
    return Clause(f"clause {number}", tuple((v, rng.choice(domains[v])) for v in some(rng, domains, 2, 3)))


def predicate(rng, domains, number):
    return Predicate(f"even {number}", some(rng, domains, 2, 3), even)


def unequal(rng, domains, number):
    return NotEqual(f"differ {number}", *some(rng, domains, 2, 2))
