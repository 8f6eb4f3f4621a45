"""Hints say of each word of a problem what the state makes of it."""

from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import hypothesis
import pytest
from hypothesis import strategies

from aletheia_bench.checker import Checker, Fault, review
from aletheia_bench.contexts import examples
from aletheia_bench.corpus import Plan, make
from aletheia_bench.hints import hinted
from aletheia_bench.search import Outlook, outlook, search
from aletheia_bench.text import parse_line, render
from aletheia_plugins import (
    CSP,
    WORD,
    AllDifferent,
    AtMost,
    Clause,
    Conflict,
    Decide,
    Example,
    Imply,
    Linear,
    Literal,
    NotEqual,
    State,
    Trace,
    load_plugins,
)

from .kinds import problems, tangles

TASKS = load_plugins([]).tasks


def spelt(example):
    """Prompt words with the kinds of their hints, those without left out."""
    words = WORD.findall(example.prompt)
    return [(words[place].strip(), kind) for place, (kind, *_) in example.hints]


def reasons(example):
    """What a hint rests on, of the words that have such a hint."""
    words = WORD.findall(example.prompt)
    return {words[place].strip(): " ".join(found).split() for place, (_, *found) in example.hints if found}


def test_a_clause_says_conflict_unit_or_a_literal_that_satisfies_it():
    sat = TASKS["sat"]
    problem = sat.loads("p cnf 3 4\n1 2 0\n-1 2 0\n-1 -3 0\n2 3 0\n")[0]
    prompt = sat.render(problem)
    example = hinted(Example("state: | x1=1 x2=0\n" + prompt, "conflict c2 : x1=1 x2=0\n"), prompt, sat.csp(problem))
    assert spelt(example) == [
        ("x1", " x1=1"), ("x2", " x2=0"), ("c1", " x1=1"),
        ("~x1", " x1=1"), ("x2", " x2=0"), ("c2", "conflict"),
        ("~x1", " x1=1"), ("~x3", "decide"), ("c3", "imply"),
        ("x2", " x2=0"), ("x3", "decide"), ("c4", "imply"),
    ]  # fmt: skip
    assert reasons(example) == {  # what each literal is, or would have to be for the clause to hold
        "c1": ["x1=1", "x2=0"], "c2": ["x1=1", "x2=0"], "c3": ["x1=1", "x3=0"], "c4": ["x2=0", "x3=1"],
    }  # fmt: skip


def test_an_edge_says_whether_its_end_is_coloured_and_a_vertex_what_its_neighbours_leave_it():
    coloring = TASKS["coloring"]
    problem = coloring.loads("c colours 3\np edge 4 3\ne 1 4\ne 2 4\ne 3 4\n")[0]
    prompt = coloring.render(problem)
    example = hinted(Example("state: | v1=1 | v2=2\n" + prompt, "decide v3=1\n"), prompt, coloring.csp(problem))
    said = dict(spelt(example))
    assert said["v4-v1"] == " v1=1"
    assert said["v1-v4"] == "decide"
    assert (said["v1"], said["v3"], said["v4"]) == (" v1=1", "decide", "imply")
    assert reasons(example) == {"v3": ["v3=1", "v3=2", "v3=3"], "v4": ["v1=1", "v2=2", "v4=3"]}


def test_an_edge_whose_ends_have_one_colour_is_in_conflict():
    coloring = TASKS["coloring"]
    problem = coloring.loads("c colours 3\np edge 4 3\ne 1 4\ne 2 4\ne 3 4\n")[0]
    prompt = coloring.render(problem)
    turn = Example("state: | v1=1 | v4=1\n" + prompt, "conflict v4 : v1=1 v4=1\nbacktrack v4\nstate: | v1=1 v4!=1\n")
    example = hinted(turn, prompt, coloring.csp(problem), exercises=4)
    said = dict(spelt(example))
    assert (said["v1-v4"], said["v4-v1"]) == (" v4=1", " v1=1")
    assert (said["v1"], said["v2"], said["v4"]) == ("conflict", "decide", "conflict")
    assert (reasons(example)["v1"], reasons(example)["v4"]) == (["v4=1", "v1=1", "v1=1"], ["v1=1", "v4=1", "v4=1"])
    assert (2, "about v4 : v1=1 v4=1 v4=1\n") in example.exercises
    assert example.alternatives == ("conflict v1 : v4=1 v1=1\nbacktrack v4\nstate: | v1=1 v4!=1\n",)
    words = WORD.findall(example.prompt)
    after = [(words[place], said) for place, said in example.previews if place >= words.index(" v1")]
    assert {said for word, said in after if word == "\n"} == {"conflict"}
    assert {said for word, said in after if word != "\n"} <= {" v1", " v4"}


def test_a_value_that_a_backtrack_excluded_is_its_own_reason():
    coloring = TASKS["coloring"]
    problem = coloring.loads("c colours 3\np edge 2 1\ne 1 2\n")[0]
    prompt = coloring.render(problem)
    example = hinted(Example("state: v1!=1 | v2=3\n" + prompt, "imply v1 : v1!=1 v2=3 -> v1=2\n"), prompt,
                     coloring.csp(problem))  # fmt: skip
    assert reasons(example) == {"v1": ["v1!=1", "v1=2", "v2=3"]}


@dataclass(frozen=True)
class Most:
    """At most `limit` of the variables are 1."""

    name: str
    limit: int
    variables: tuple[str, ...]

    def bounds(self, domains):
        yield AtMost(self.limit, tuple((v, "1") for v in self.variables))


def test_a_bound_that_leaves_several_values_implies_none_of_them():
    csp = CSP(dict.fromkeys("abc", ("1", "2", "3")), (Most("k", 2, ("a", "b", "c")),), "forward")
    start = State(((Literal("a", "1"), Literal("b", "1")),))
    said = outlook(csp, start)
    assert (said["k"].kind, said["c"].kind, said["c"].reasons) == ("decide", "decide", (" a=1", " c=2", " c=3"))
    assert search(csp, start=start).steps[1] == Decide(Literal("c", "2"))


def test_of_several_bounds_of_one_name_the_most_urgent_counts():
    csp = CSP(dict.fromkeys("ab", ("1", "2")), (AllDifferent("d", ("a", "b")),), "unit")
    start = State(((Literal("a", "1"),),))
    assert outlook(csp, start)["d"] == Outlook("imply", (" a=1", " b=2"), (" a=1", " b=2"))
    assert search(csp, start=start).steps[1] == Imply("d", (Literal("a", "1"),), Literal("b", "2"))


def test_a_bound_that_nothing_can_exceed_is_no_conflict():
    csp = CSP(dict.fromkeys("abc", ("1", "2")), (Most("k", 2, ("a", "b")),), "unit")
    assert outlook(csp, State(((Literal("a", "1"), Literal("b", "1")),)))["k"].kind == "decide"


@pytest.mark.parametrize("name", sorted(TASKS))
def test_what_a_step_names_is_hinted_as_its_kind(name):
    """A conflict or an implication of the reference search names a word whose hint is just that."""
    task, seen = TASKS[name], 0
    for index in range(6):
        record = make(Plan(task, "tiny", 6), index)
        csp = task.csp(task.loads(record["problem"])[0])
        for example in examples("folded", record["prompt"], record["completion"]):
            step = parse_line(example.completion.splitlines()[0])
            if isinstance(step, Conflict | Imply):
                kind = "conflict" if isinstance(step, Conflict) else "imply"
                found = hinted(example, record["prompt"], csp)
                assert (step.name, kind) in spelt(found)
                if isinstance(step, Imply):
                    assert str(step.literal) in reasons(found)[step.name]
                seen += 1
    assert seen


def test_a_name_previews_one_that_the_step_could_name_if_the_problem_ended_there():
    sat = TASKS["sat"]
    problem = sat.loads("p cnf 4 5\n1 2 0\n-1 3 0\n-1 4 0\n-1 2 0\n2 3 0\n")[0]
    prompt = sat.render(problem)
    seen = {}
    for order in ("x1=1 | x2=0", "x2=0 | x1=1", "| x2=0 x1=1", "| x1=1 x2=0", "x1=1 x2=0", "x2=0 x1=1"):
        example = hinted(Example(f"state: {order}\n" + prompt, "conflict c4 : x1=1 x2=0\n"), prompt, sat.csp(problem))
        words = WORD.findall(example.prompt)
        for place, name in example.previews:
            if words[place].strip().startswith("c"):
                seen.setdefault(words[place], set()).add(name)
    # c1 is satisfied, c2 and c3 imply something, c4 is in conflict and comes before all that is implied
    assert seen == {" c2": {" c2"}, " c3": {" c2", " c3"}, " c4": {" c4"}, " c5": {" c4"}}


def test_the_end_of_a_line_previews_what_the_step_would_be_if_the_problem_ended_there():
    sat = TASKS["sat"]
    problem = sat.loads("p cnf 4 4\n1 2 0\n-1 3 4 0\n-1 3 0\n-1 2 0\n")[0]
    prompt = sat.render(problem)
    example = hinted(Example("state: | x1=1 | x2=0\n" + prompt, "conflict c4 : x1=1 x2=0\n"), prompt, sat.csp(problem))
    words = WORD.findall(example.prompt)
    ends = [kind for place, kind in example.previews if words[place] == "\n"]
    assert ends == ["answer:", "decide", "imply", "conflict"]


@pytest.mark.parametrize("name", sorted(TASKS))
def test_the_last_preview_is_the_kind_of_the_step_that_the_trace_has(name):
    task, kinds = TASKS[name], set()
    for index in range(8):
        problem = task.generate("tiny", split="train", seed=0, index=index)
        prompt, csp = task.render(problem), task.csp(problem)
        for example in list(examples("folded", prompt, render(search(csp))))[1:]:
            place, kind = hinted(example, prompt, csp).previews[-1]
            assert place == len(WORD.findall(example.prompt)) - 1
            assert kind == example.completion.split()[0]
            kinds.add(kind)
    assert kinds >= {"imply", "answer:"}


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_alternative_is_a_step_that_the_checker_accepts(name):
    """Replayed in place of the step that the trace has there."""
    task, seen = TASKS[name], set()
    for index in range(8):
        record = make(Plan(task, "small", 8), index)
        problem = task.loads(record["problem"])[0]
        written = ""
        for example in examples("folded", record["prompt"], record["completion"]):
            for text in hinted(example, record["prompt"], task.csp(problem)).alternatives:
                kind, other = text.split()[:2]
                assert kind == example.completion.split()[0]
                assert other != example.completion.split()[1]
                judged = review(task, problem, written + text).judgements
                assert [j.fault for j in judged] in (
                    [None] * len(judged),
                    [None] * (len(judged) - 1) + [Fault.INCOMPLETE],
                )
                seen.add(kind)
            written += example.completion
    assert seen == ({"imply", "conflict"} if name == "sat" else {"imply"})


@pytest.mark.parametrize("name", sorted(TASKS))
def test_exercises_read_names_list_and_go_back_as_the_checker_expects(name):
    task, back, listed, kinds = TASKS[name], 0, 0, set()
    problem = task.generate("small", split="train", seed=0, index=3)
    prompt, csp, checker = task.render(problem), task.csp(problem), Checker(task, problem)
    trace = render(search(csp))
    first = trace.splitlines(keepends=True)[0]
    for example in examples("folded", prompt, trace):
        found = hinted(example, prompt, csp, exercises=3, backtracks=True)
        for given, line in found.exercises:
            kinds.add((given, line.split()[0]))
        lines = [line for _, line in found.exercises if line.startswith("about ")]
        asked = {line.split()[1]: line.partition(" :")[2].split() for line in lines}
        assert len(asked) == len(lines)
        assert all(reasons(found)[key] == words for key, words in asked.items())
        for text in [line for _, line in found.exercises if line.startswith("answer: ")]:
            listed += 1
            assert text.split()[2:] == [f"{v}={checker.values[v]}" for v in csp.domains if v in checker.values]
        for text in [text for _, text in found.exercises if text.startswith("backtrack ")]:
            back += 1
            there = deepcopy(checker)
            there.conflict = True
            assert [there.read(line).fault for line in text.splitlines()] == [None, None]
        for line in example.completion.splitlines():
            assert checker.read(line).fault is None
        assert all(line == first for _, line in found.exercises if line.startswith("state: "))
    assert listed
    others = {"sat": {(1, "backtrack")}, "coloring": {(1, "backtrack")}, "sudoku": {(1, "state:")}}
    assert kinds == {(2, "about"), (2, "answer:")} | others[name]
    assert back or name == "sudoku"


def test_nothing_is_practised_that_is_not_asked_for():
    sat = TASKS["sat"]
    problem = sat.loads("p cnf 3 2\n1 2 3 0\n-1 2 0\n")[0]
    prompt = sat.render(problem)
    example = Example("state: | x1=1\n" + prompt, "imply c2 : x1=1 -> x2=1\n")
    assert hinted(example, prompt, sat.csp(problem), backtracks=True).exercises == ()
    said = hinted(example, prompt, sat.csp(problem), exercises=9).exercises
    assert tuple(line for line in said if "about" in line[1]) in (
        ((2, "about c1 : x1=1 x2=1 x3=1\n"), (2, "about c2 : x1=1 x2=1\n")),
        ((2, "about c2 : x1=1 x2=1\n"), (2, "about c1 : x1=1 x2=1 x3=1\n")),
    )


def test_a_prompt_that_starts_with_the_problem_has_none():
    sat = TASKS["sat"]
    problem = sat.generate("tiny", split="train", seed=0, index=0)
    prompt = sat.render(problem)
    example = hinted(Example(prompt + "state: -\n", "decide x1=0\n"), prompt, sat.csp(problem))
    assert (example.hints, example.previews, example.alternatives) == ((), (), ())


# --- sums, tables and predicates ---


@pytest.mark.parametrize("propagation", ["unit", "forward"])
def test_a_constraint_with_a_propagator_says_conflict_or_what_it_implies_and_no_more(propagation):
    total = Linear("s", ((1, "a"), (1, "b"), (1, "c")), "=", 3)
    csp = CSP(dict.fromkeys("abc", ("0", "1")), (total,), propagation)
    wrong = outlook(csp, State(((Literal("a", "0"),),)))
    assert wrong["s"] == Outlook("conflict", (" a=0",), (" a=0",))
    said = outlook(csp, State(((),)))
    implied = Outlook("imply", (), (" a=1",)) if propagation == "unit" else Outlook("decide")
    assert said["s"] == implied
    if propagation == "forward":
        assert said["a"] == Outlook("imply", (" a!=0", " a=1"), (" a=1",))


@hypothesis.settings(max_examples=60)
@hypothesis.given(problems() | tangles() | tangles("unit"))
def test_hints_say_what_the_search_does_whatever_the_kinds_of_constraints(csp):
    for state, step in pairwise(search(csp).steps):
        if isinstance(state, State):
            said = outlook(csp, state)
            if isinstance(step, Conflict | Imply):
                kind = "conflict" if isinstance(step, Conflict) else "imply"
                assert step.name not in said or said[step.name].kind == kind
            elif isinstance(step, Decide):
                assert not {found.kind for found in said.values()} & {"conflict", "imply"}


@hypothesis.settings(max_examples=100)
@hypothesis.given(problems() | tangles() | tangles("unit"), strategies.randoms(use_true_random=False))
def test_a_conflict_of_any_state_is_said_also_one_that_no_search_reaches(csp, rng):
    held = [Literal(v, rng.choice(values)) for v, values in csp.domains.items() if values and rng.random() < 0.6]
    state = State(((), *((lit,) for lit in held)))
    step = search(csp, start=state, max_steps=2).steps[1]
    hypothesis.assume(isinstance(step, Conflict))
    found = outlook(csp, state)[step.name]
    assert found.kind == "conflict"
    assert set(" ".join(found.step).split()) <= set(map(str, held)) | {str(lit) for lit in step.cites}


@pytest.mark.parametrize("index", range(8))
def test_the_last_preview_of_a_decision_is_that_of_the_search(index):
    coloring = TASKS["coloring"]
    problem = coloring.generate("small", split="train", seed=0, index=index)
    prompt, csp = coloring.render(problem), coloring.csp(problem)
    decided = 0
    for state, step in pairwise(search(csp, rng=Random(index)).steps):
        if isinstance(state, State) and isinstance(step, Decide):
            example = hinted(Example(render(Trace((state,))) + prompt, render(Trace((step,)))), prompt, csp)
            names = [said for place, said in example.previews if WORD.findall(example.prompt)[place] != "\n"]
            assert all("=" in said for said in names)
            assert f"decide{names[-1]}" == render(Trace((step,))).rstrip()
            decided += 1
    assert decided


def test_of_several_clashes_the_search_names_one_and_the_hints_say_all():
    csp = CSP(dict.fromkeys("abcd", ("1", "2", "3")), (AllDifferent("all", tuple("abcd")),), "forward")
    state = State(((), *((Literal(v, x),) for v, x in zip("abcd", "1122", strict=True))))
    step = search(csp, start=state, max_steps=2).steps[1]
    said = outlook(csp, state)
    assert {name for name, found in said.items() if found.kind == "conflict"} == set("abcd")
    assert said[step.name].step == tuple(f" {lit}" for lit in step.cites)


def test_a_start_with_a_value_that_its_variable_cannot_have_is_none():
    csp = CSP({"b": ("1", "2"), "c": ("2", "3")}, (NotEqual("b-c", "b", "c"),), "forward")
    start = State(((Literal("b", "3"), Literal("c", "3")),))
    with pytest.raises(ValueError, match="the start has b=3, which its variable cannot have"):
        search(csp, start=start)


def test_a_constraint_that_says_nothing_leaves_its_word_to_the_name_at_its_end():
    csp = CSP(dict.fromkeys("ab", ("0", "1")), (Linear("a-b", ((1, "a"), (1, "b")), "<=", 2),), "forward")
    turn = Example("state: | b=1\n a-b\n", "decide a=0\n")
    assert spelt(hinted(turn, " a-b\n", csp)) == [("a-b", " b=1")]


@pytest.mark.parametrize(("state", "kind"), [("a=0", "imply"), ("a=0 b=0", "conflict"), ("a=1", "decide")])
def test_a_constraint_that_ends_like_a_variable_says_what_the_search_would_name_it_for(state, kind):
    csp = CSP(dict.fromkeys("ab", ("0", "1")), (Clause("a-b", (("a", "0"), ("b", "0"))),), "unit")
    turn = Example(f"state: {state}\n a-b\n", "decide b=0\n")
    assert spelt(hinted(turn, " a-b\n", csp)) == [("a-b", kind)]


@pytest.mark.parametrize("seed", range(8))
def test_of_a_clue_and_a_digit_that_it_excludes_the_digit_is_in_conflict(seed):
    sudoku = TASKS["sudoku"]
    problem = sudoku.generate("tiny", split="train", seed=0, index=0)
    csp = sudoku.csp(problem)
    clue = next(Literal(v, values[0]) for v, values in csp.domains.items() if len(values) == 1)
    cell = next(v for v, values in csp.domains.items() if len(values) > 1 and v[:2] == clue.variable[:2])
    clues = tuple(Literal(v, values[0]) for v, values in csp.domains.items() if len(values) == 1)
    start = State((clues, (Literal(cell, clue.value),)))
    step = search(csp, start=start, rng=Random(seed), max_steps=2).steps[1]
    assert isinstance(step, Conflict)
    assert step.name == cell
    prompt = sudoku.render(problem)
    example = hinted(Example(render(Trace((start,))) + prompt, render(Trace((step,)))), prompt, csp)
    assert dict(spelt(example))[cell] == "conflict"
