"""The grammar in the documents accepts exactly the lines that the harness reads."""

import random
import re
from pathlib import Path

from hypothesis import example, given, settings, strategies as st
from hypothesis.extra.lark import from_lark
from lark import Lark, LarkError

from aletheia_bench.search import search
from aletheia_bench.text import KEYWORDS, parse, render, step_in
from aletheia_plugins import TraceError, load_plugins

PAGE = (Path(__file__).parents[2] / "docs/traces.md").read_text(encoding="utf-8")
(GRAMMAR,) = re.findall(r"^```lark\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LARK = Lark(GRAMMAR, parser="lalr", start=["step", "text"])
PLUGINS = load_plugins([])
PIECES = [
    "state:", "decide", "imply", "conflict", "backtrack", "answer:", "SAT", "UNSAT", "-", "|", ":", "->",
    "x1=1", "v2!=3", "r1c1=9", "x1", "c7", ":c", "=", "!=", "!", "ä=½", "x_1=1", "row 2", "", " ", "\t", "\u00a0",
    "\u0301", "\r",
]  # fmt: skip
"""What lines are made of, and what they are not."""
MUTANTS = 10_000


def grammatical(text: str, start: str = "step") -> bool:
    try:
        LARK.parse(text, start=start)
    except LarkError:
        return False
    return True


def traces(levels: slice, count: int) -> list[str]:
    """Of every task."""
    problems = [
        (task, task.generate(level, split="test", seed=5, index=index))
        for task in PLUGINS.tasks.values()
        for level in task.levels[levels]
        for index in range(count)
    ]
    return [render(search(task.csp(problem))) for task, problem in problems]


def mutant(rng: random.Random, line: str) -> str:
    """The line with one to three small changes, of characters or of words."""
    for _ in range(rng.randint(1, 3)):
        parts = list(line) if rng.random() < 0.5 else re.split("( )", line)
        place = rng.randrange(len(parts) + 1)
        other = rng.choice(PIECES + parts)
        parts[place : place + rng.randint(0, 2)] = rng.choice([[], [other], [other, *parts[place : place + 1]]])
        line = "".join(parts)
    return line.replace("\n", "")


def test_the_page_shows_each_kind_of_step_and_all_its_lines_are_steps():
    blocks = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    spans = [
        " ".join(span.split()) for span in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL))
    ]
    lines = [line for block in blocks for line in block.splitlines()]
    assert {line.partition(" ")[0] for line in lines} == KEYWORDS
    lines += [span for span in spans if span.partition(" ")[0] in KEYWORDS and " " in span]
    assert [line for line in lines if not grammatical(line) or step_in(line) is None] == []


def test_every_line_of_a_real_trace_is_accepted_and_so_is_the_whole():
    texts = traces(slice(0, 3), 4)
    assert [text for text in texts if not grammatical(text, "text")] == []
    lines = {line for text in texts for line in text.splitlines()}
    assert {line.partition(" ")[0] for line in lines} == KEYWORDS
    assert [line for line in lines if not grammatical(line) or step_in(line) is None] == []


def test_a_mutated_line_is_accepted_exactly_when_it_is_read_as_a_step():
    rng = random.Random(11)
    lines = [line for text in traces(slice(0, 2), 6) for line in text.splitlines()]
    mutants = [mutant(rng, rng.choice(lines)) for _ in range(MUTANTS)]
    assert [line for line in mutants if grammatical(line) != (step_in(line) is not None)] == []
    accepted = [line for line in mutants if grammatical(line)]
    assert {line.partition(" ")[0] for line in accepted} == KEYWORDS
    assert MUTANTS / 10 < len(accepted) < MUTANTS * 9 / 10


@given(st.lists(st.sampled_from(PIECES), max_size=9).map(" ".join) | st.text(max_size=20))
@settings(max_examples=1_000, derandomize=True)
@example("imply a -> b : x=1 -> y=1")
@example("conflict : : x1=1")
@example("conflict :c d : x1=1")
@example("conflict c :d : x1=1")
@example("conflict c\u00a0d : x1=1")
def test_any_words_are_accepted_exactly_when_they_are_read_as_a_step(line):
    assert grammatical(line) == (step_in(line) is not None)


@given(from_lark(LARK, start="step"))
@settings(max_examples=500, derandomize=True)
def test_every_line_that_the_grammar_makes_is_read_as_a_step(line):
    assert step_in(line) is not None


@given(st.lists(st.sampled_from(["state: -", "decide x1=1", "answer: SAT", "hm", "", "\n", "\r\n", "\r"])).map("".join))
@settings(max_examples=500, derandomize=True)
def test_a_text_is_accepted_exactly_when_all_its_lines_are_read(text):
    try:
        parse(text)
        read = True
    except TraceError:
        read = False
    assert grammatical(text, "text") == read
