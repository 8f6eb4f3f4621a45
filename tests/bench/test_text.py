"""The grammar of traces: what is rendered is read back, and what is no step says what was expected."""

import pytest
from hypothesis import given, strategies as st

from aletheia_bench.checker import review
from aletheia_bench.search import search
from aletheia_bench.text import STATE, parse, parse_line, render, render_step, segments, split_lines, step_in
from aletheia_plugins import (
    Answer,
    Backtrack,
    Conflict,
    Decide,
    Imply,
    Literal,
    State,
    Trace,
    TraceError,
    Verdict,
    literal,
)
from aletheia_tasks.sat import Problem, Sat

SEPARATORS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
"""Where str.splitlines ends a line."""

symbols = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=4)
values = st.builds(Literal, symbols, symbols)
literals = st.builds(Literal, symbols, symbols, equal=st.booleans())
cites = st.lists(literals, max_size=4).map(tuple)
words = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=4)
names = st.lists(words.filter(lambda word: word[0] != ":"), min_size=1, max_size=4).map(" ".join)
levels = st.builds(lambda decision, rest: (decision, *rest), values, cites)
states = st.builds(lambda root, rest: State((root, *rest)), cites, st.lists(levels, max_size=3))
answers = st.just(Answer(Verdict.UNSAT)) | st.builds(
    Answer, st.just(Verdict.SAT), st.lists(values, max_size=5).map(tuple)
)
steps = st.one_of(
    states,
    st.builds(Decide, values),
    st.builds(Imply, names, cites, values),
    st.builds(Conflict, names, cites),
    st.builds(Backtrack, symbols),
    answers,
)
traces = st.lists(steps, max_size=8).map(lambda found: Trace(tuple(found)))


def literals_of(text):
    return tuple(map(literal, text.split()))


# --- rendering and parsing ---


@given(traces)
def test_a_trace_is_read_back_from_its_text(trace):
    assert parse(render(trace)) == trace


@given(steps)
def test_a_step_is_one_line_of_words_separated_by_single_spaces(step):
    line = render_step(step)
    assert line.splitlines() == [line]
    assert line.split() == line.split(" ")
    assert parse_line(line) == step


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (State(((),)), "state: -"),
        (State(((), literals_of("x1=1 x3=1"))), "state: | x1=1 x3=1"),
        (
            State((literals_of("x4=0"), literals_of("x1=1 x3=1"), literals_of("x2=0"))),
            "state: x4=0 | x1=1 x3=1 | x2=0",
        ),
        (State((literals_of("r1c1!=2 r1c1!=4"),)), "state: r1c1!=2 r1c1!=4"),
        (Decide(literal("x5=1")), "decide x5=1"),
        (Imply("~x1 x3", literals_of("x1=1"), literal("x3=1")), "imply ~x1 x3 : x1=1 -> x3=1"),
        (Imply("x3", (), literal("x3=1")), "imply x3 : -> x3=1"),
        (Conflict("row 2", literals_of("r2c1=3 r2c4=3")), "conflict row 2 : r2c1=3 r2c4=3"),
        (Conflict("empty", ()), "conflict empty :"),
        (Backtrack("x2"), "backtrack x2"),
        (Answer(Verdict.SAT, literals_of("x1=1 x2=0")), "answer: SAT x1=1 x2=0"),
        (Answer(Verdict.SAT), "answer: SAT"),
        (Answer(Verdict.UNSAT), "answer: UNSAT"),
    ],
)
def test_every_kind_of_step_has_its_line(step, line):
    assert render_step(step) == line
    assert parse_line(line) == step


def test_a_state_without_levels_is_written_and_read_as_one_with_an_empty_root():
    assert render_step(State(())) == "state: -"
    assert parse_line("state: -") == State(((),))


def test_the_reason_stands_before_the_value():
    line = render_step(Imply("~x1 x3", literals_of("x1=1"), literal("x3=1")))
    assert line.index("~x1 x3") < line.index("x1=1") < line.index("x3=1")


def test_a_text_without_lines_is_an_empty_trace():
    assert parse("") == Trace(())
    assert render(Trace(())) == ""
    assert parse("").verdict is Verdict.UNKNOWN


def test_a_last_line_without_its_newline_is_a_line():
    assert parse("state: -\nanswer: UNSAT") == parse("state: -\nanswer: UNSAT\n")


# --- what is no trace ---

STEP = "expected a step (state:, decide, imply, conflict, backtrack, answer:), got "
LITERAL = "expected variable=value or variable!=value, got "


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", STEP + "''"),
        ("guess x1=1", STEP + "'guess x1=1'"),
        (" decide x1=1", STEP + "' decide x1=1'"),
        ("Decide x1=1", STEP + "'Decide x1=1'"),
        ("state:x1=1", STEP + "'state:x1=1'"),
        ("answer:UNSAT", STEP + "'answer:UNSAT'"),
        ("x" * 99, STEP + repr("x" * 60)),
        ("state:", LITERAL + "''"),
        ("state: - x1=1", LITERAL + "'-'"),
        ("state: x1=1  x2=1", LITERAL + "''"),
        ("state: x1", LITERAL + "'x1'"),
        ("state: x1=1 |", "expected a decision after each | of a state"),
        ("state: | | x1=1", "expected a decision after each | of a state"),
        ("state: | x1!=1", "expected a decision after each | of a state"),
        ("decide", LITERAL + "''"),
        ("decide x1=", LITERAL + "'x1='"),
        ("decide =1", LITERAL + "'=1'"),
        ("decide ~x1=1", LITERAL + "'~x1=1'"),
        ("decide x1=1=1", LITERAL + "'x1=1=1'"),
        ("decide x1!!=1", LITERAL + "'x1!!=1'"),
        ("decide x1=1 ", LITERAL + "'x1=1 '"),
        ("decide x1=1 x2=1", LITERAL + "'x1=1 x2=1'"),
        ("decide x1!=1", "expected variable=value, got 'x1!=1'"),
        ("imply x1 x2 : x1=0", "expected 'imply NAME : CITES -> LITERAL', got 'imply x1 x2 : x1=0'"),
        ("imply x1 x2 -> x2=1", "expected 'NAME : CITES', got 'x1 x2'"),
        ("imply x1 x2: x1=0 -> x2=1", "expected 'NAME : CITES', got 'x1 x2: x1=0'"),
        ("imply x1 x2 :x1=0 -> x2=1", "expected 'NAME : CITES', got 'x1 x2 :x1=0'"),
        ("imply x1 x2 : x1 -> x2=1", LITERAL + "'x1'"),
        ("imply x1 x2 : x1=0 -> x2", LITERAL + "'x2'"),
        ("imply x1 x2 : x1=0 -> x2!=0", "expected variable=value, got 'x2!=0'"),
        ("conflict", "expected 'NAME : CITES', got ''"),
        ("conflict x1 x2", "expected 'NAME : CITES', got 'x1 x2'"),
        ("conflict : x1=0", "expected 'NAME : CITES', got ': x1=0'"),
        ("conflict x1 x2 : x1=0 x2", LITERAL + "'x2'"),
        ("conflict x1 x2 : x1=0 ", LITERAL + "''"),
        ("backtrack", "expected a variable after backtrack, got ''"),
        ("backtrack x1=1", "expected a variable after backtrack, got 'x1=1'"),
        ("backtrack x1 x2", "expected a variable after backtrack, got 'x1 x2'"),
        ("answer:", "expected 'SAT' with an assignment or 'UNSAT' alone, got ''"),
        ("answer: sat", "expected 'SAT' with an assignment or 'UNSAT' alone, got 'sat'"),
        ("answer: UNKNOWN", "expected 'SAT' with an assignment or 'UNSAT' alone, got 'UNKNOWN'"),
        ("answer: UNSAT x1=1", "expected 'SAT' with an assignment or 'UNSAT' alone, got 'UNSAT x1=1'"),
        ("answer: SAT x1", LITERAL + "'x1'"),
        ("answer: SAT x1!=1", "expected variable=value, got 'x1!=1'"),
    ],
)
def test_a_malformed_line_says_where_it_is_and_what_was_expected(line, message):
    with pytest.raises(TraceError) as caught:
        parse(f"state: -\ndecide x1=1\n{line}\nanswer: UNSAT\n")
    assert str(caught.value) == f"line 3: {message}"
    assert caught.value.line == 3
    assert caught.value.message == message


@given(st.text())
def test_any_text_is_a_trace_or_a_trace_error(text):
    assert parsed(text) is None or parsed(render(parsed(text))) == parsed(text)


def parsed(text):
    try:
        return parse(text)
    except TraceError:
        return None


# --- segments ---


@given(st.text() | st.lists(steps.map(render_step)).map("\n".join))
def test_segments_joined_are_the_text(text):
    assert "".join(segments(text)) == text


@given(states, traces)
def test_each_segment_of_a_trace_begins_with_its_only_state_line(first, rest):
    text = render(Trace((first, *rest.steps)))
    for segment in segments(text):
        lines = split_lines(segment)
        assert [number for number, line in enumerate(lines) if line.startswith(STATE)] == [0]


def test_what_stands_before_the_first_state_line_is_a_segment_of_its_own():
    assert list(segments("decide x1=1\nstate: -\ndecide x1=0\n")) == ["decide x1=1\n", "state: -\ndecide x1=0\n"]


@given(st.one_of(steps.map(render_step), st.text(), st.sampled_from(["", "decide", "answer: SAT x1", "hm"])))
def test_a_line_is_a_step_or_none_just_where_parsing_it_is_an_error(line):
    try:
        expected = parse_line(line)
    except TraceError:
        expected = None
    assert step_in(line) == expected


# --- ends of lines ---


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=ascii)
def test_parser_checker_and_segments_see_the_same_lines(end):
    """Whatever ends a line for one of them does so for all, so that no step is judged that was not read."""
    task, problem = Sat(), Problem(2, ((1, 2), (-1, 2), (1, -2), (-1, -2)))
    trace = search(task.csp(problem))
    text = render(trace).replace("\n", end)
    assert parse(text) == trace
    assert [judgement.step for judgement in review(task, problem, text).judgements] == list(trace.steps)
    assert [segment.split(end)[0] for segment in segments(text)] == ["state: -", "state: x1=1"]


@pytest.mark.parametrize("end", [end for end in SEPARATORS if "\n" not in end], ids=ascii)
def test_nothing_else_that_unicode_takes_for_the_end_of_a_line_is_one(end):
    task, problem = Sat(), Problem(2, ((1, 2), (-1, 2), (1, -2), (-1, -2)))
    text = render(search(task.csp(problem))).replace("\n", end)
    with pytest.raises(TraceError):
        parse(text)
    assert {judgement.step for judgement in review(task, problem, text).judgements} == {None}
    assert list(segments(text)) == [text]


@given(st.lists(st.sampled_from(["x", " ", *SEPARATORS])).map("".join))
def test_the_lines_of_a_text_are_the_text(text):
    lines = split_lines(text)
    assert "".join(lines) == text
    assert all("\n" not in line[:-1] for line in lines)


@pytest.mark.parametrize("end", [*SEPARATORS, "\t", "\0", " ", "\u200b"], ids=ascii)
def test_a_symbol_holds_no_end_of_a_line(end):
    with pytest.raises(ValueError) as caught:
        literal(f"x{end}1=1")
    assert str(caught.value).startswith("expected variable=value or variable!=value")
