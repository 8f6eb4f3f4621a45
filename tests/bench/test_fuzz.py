"""Nothing that a model can write makes the reader of its lines fail, or takes it long."""

import gc
import os
import random
import sys
import time
from collections import Counter
from multiprocessing import get_context

import pytest

from aletheia_bench.answers import find_answer
from aletheia_bench.scoring import Outcome, score
from aletheia_bench.search import search
from aletheia_bench.text import render, split_lines, step_in
from aletheia_tasks import aletheia_tasks

from .test_measures import sample

TASKS = [task() for task in aletheia_tasks()]
LONGEST = 100_000
SCORED = 3_000
"""Characters up to which a completion is scored as well as read: the checker looks at each step."""
SECONDS = 0.05
LOOP = 0.005
"""Seconds that `loop` takes on the machine that SECONDS is meant for: one that is slower, or busy, may take longer."""
WORDS = [
    "state:",
    "decide",
    "imply",
    "conflict",
    "backtrack",
    "answer:",
    "SAT",
    "UNSAT",
    "-",
    "|",
    ":",
    "->",
    "x1=1",
    "x2=0",
    "x1!=1",
    "x9=7",
    "v1=2",
    "r1c1=3",
    "c1",
    "v1-v2",
    "=",
    "!=",
    "~",
    "{}",
    "[]",
    '"',
    "'",
    "**",
    "```",
    "é",
    "∧",
    "\u2028",
    "\x00",
    "\ufeff",
    "0",
    "1",
    "true",
    "false",
]
ALPHABETS = (
    "\n",
    " \n",
    "=|:-> \n",
    "".join(map(chr, range(32, 127))) + "\n",
    "".join(map(chr, range(0x2000, 0x2100))),
)


def material():
    """(task, problem's text, trace) of a few small problems."""
    for task in TASKS:
        for index in range(4):
            problem = task.generate("tiny", split="test", seed=9, index=index)
            yield task, task.dumps(problem), render(search(task.csp(problem)))


MATERIAL = list(material())


def spoilt(rng, text):
    """A trace with a few characters, words or lines changed, repeated or left out."""
    for _ in range(rng.randrange(1, 6)):
        parts = rng.choice([list(text), text.split(" "), text.splitlines(keepends=True)])
        glue = " " if len(parts) == text.count(" ") + 1 else ""
        if parts:
            place = rng.randrange(len(parts))
            parts[place : place + rng.randrange(3)] = rng.choices(parts, k=rng.randrange(3))
        text = glue.join(parts)
    return text


def completion(rng, trace):
    """One of many kinds of text, of up to 100 kB, mostly short."""
    size = int(LONGEST ** rng.random())
    kind = rng.randrange(6)
    if kind == 0:
        return "".join(rng.choices(rng.choice(ALPHABETS), k=size))
    if kind == 1:
        return " ".join(rng.choices(WORDS, k=size // 5))
    if kind == 2:
        return "\n".join(" ".join(rng.choices(WORDS, k=rng.randrange(8))) for _ in range(size // 20))
    if kind == 3:
        return spoilt(rng, trace)
    if kind == 4:
        return (spoilt(rng, trace) * (1 + size // max(1, len(trace))))[:size]
    return rng.choice(WORDS) * (size // 4)


def timed(text, domains):
    """How long reading a text took, in seconds of this thread."""
    began = time.thread_time()
    for line in split_lines(text):
        step_in(line.removesuffix("\n"))
    find_answer(text, domains)
    return time.thread_time() - began


def loop():
    """How long this machine takes now, in seconds of this thread, to do next to nothing with each of 100,000 lines."""
    began = time.thread_time()
    for line in ("\n" * LONGEST).splitlines(keepends=True):
        line.partition(" ")
    return time.thread_time() - began


def timed_alone(text, domains):
    """The least of several times, without a tracer, in seconds of a machine on which `loop` takes LOOP or less."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        times, loops = zip(*[(timed(text, domains), loop()) for _ in range(5)], strict=True)
    finally:
        sys.settrace(tracer)
    return min(times) * min(1.0, LOOP / min(loops))


def fuzz(job):
    """How many texts of each outcome, and the longest time that reading one took, in seconds of this thread."""
    first, last = job
    outcomes, worst = Counter(), 0.0
    gc.disable()  # as timeit does: what the collector finds in a test's process is not the reader's
    for number in range(first, last):
        rng = random.Random(f"fuzz {number}")
        task, problem, trace = rng.choice(MATERIAL)
        text = completion(rng, trace)
        domains = task.domains(task.loads(problem)[0])
        seconds = timed(text, domains)
        if seconds >= SECONDS:  # the reader's, or what else the machine did meanwhile?
            seconds = timed_alone(text, domains)
        worst = max(worst, seconds)
        if len(text) <= SCORED:
            for lenient in (False, True):
                found = score(task, sample(text, problem=problem, finish="ended"), lenient=lenient)
                outcomes[found.outcome] += 1
    gc.enable()
    return outcomes, worst


def test_five_thousand_texts_are_read_without_an_exception_and_quickly():
    outcomes, worst = fuzz((0, 5_000))
    assert {Outcome.SOLVED, Outcome.WRONG, Outcome.UNPARSED} <= outcomes.keys()
    assert worst < SECONDS


@pytest.mark.heavy
def test_a_million_texts_are_read_without_an_exception_and_quickly():
    jobs = [(first, first + 10_000) for first in range(0, 1_000_000, 10_000)]
    outcomes, worst = Counter(), 0.0
    with get_context("forkserver").Pool(os.cpu_count()) as pool:
        for some, longest in pool.imap_unordered(fuzz, jobs):
            outcomes += some
            worst = max(worst, longest)
    print(dict(outcomes), f"{1000 * worst:.1f} ms at most")  # noqa: T201 - shown by -s
    assert worst < SECONDS
