"""Models and tasks of strangers that return what they may not: the command names each one in a sentence."""

import re

import pytest
from click.testing import CliRunner

from aletheia_bench.cli import main

MODEL = """
from collections import deque
from dataclasses import replace
from pathlib import Path
from aletheia_plugins import Completion, hookimpl

class Parrot:
    def __init__(self):
        self.queue = deque()
    def submit(self, request):
        self.queue.append(request.id)
    def poll(self):
        return [Completion(self.queue.popleft(), "answer: UNSAT\\n", (1,), 1, "stop", 0.0)] if self.queue else []
    def facts(self):
        return {}
    def close(self):
        pass

class Bad(Parrot):
    BODY

class Cage:
    name = "bad"
    def open(self, card):
        return Bad()
    def check(self, card):
        pass
    def fit(self, card, pages, out, **options):
        return {}
    OPENER

@hookimpl
def aletheia_backends():
    return [Cage]
@hookimpl
def aletheia_cards():
    return [Path(__file__).with_suffix(".toml")]
"""
CARD = """
name = "bad"
backend = "bad"
[data]
tasks = ["sat"]
levels = ["tiny"]
count = 4
"""
ORIGIN = "(plugin 'bad' of bad 0.7); 'aletheia_bench.testing.check_model' tells its author more."
MINE = f"a defect of model Bad {ORIGIN}"
THEIRS = f"a defect of back-end bad {ORIGIN}"


def poll(change: str) -> str:
    """A model whose first completion is changed."""
    return f"def poll(self):\n        return [replace(done, {change}) for done in super().poll()]"


MODELS = {
    "poll, None": ("poll = lambda self: None", f"`poll` returns None, and not a list of completions: {MINE}"),
    "poll, nothing": ("poll = lambda self: []", f"`poll` returns [], and not what became of .*: {MINE}"),
    "poll, texts": ("poll = lambda self: ['a']", f"`poll` returns ['a'], and not a list of completions: {MINE}"),
    "id": (poll("id='x'"), f"`poll` returns 'x', and not the id of a request that is queued, once: {MINE}"),
    "text": (poll("text=None"), f"`poll` returns None, and not a text, as text of 'sat-tiny-test-0-0/0': {MINE}"),
    "tokens": (poll("tokens=None"), f"`poll` returns None, and not a tuple of ids, as tokens of .*: {MINE}"),
    "seconds": (poll("seconds=float('nan')"), f"`poll` returns nan, and not a number of seconds, as .*: {MINE}"),
    "finish": (
        poll("finish='weird'"),
        f"`poll` returns 'weird', and not stop or length or timeout or error, .*: {MINE}",
    ),
    "facts, None": ("facts = lambda self: None", f"`facts` returns None, and not a mapping: {MINE}"),
    "facts, a set": (
        "facts = lambda self: {'a': {1}}",
        f"`facts` returns {{'a': {{1}}}}, and not what JSON can .*: {MINE}",
    ),
    "exits": (
        "def poll(self):\n        raise SystemExit(0)",
        "plugin 'bad' of bad 0.7: poll (FILE:21) failed: SystemExit: 0. 'aletheia_bench.testing.check_model' tells",
    ),
    "raises": (
        "poll = lambda self: 1 / 0",
        "plugin 'bad' of bad 0.7: <lambda> (FILE:20) failed: ZeroDivisionError: division by zero. 'aletheia_bench.",
    ),
}
BACKENDS = {
    "open": (
        "open = lambda self, card: None",
        "run --task sat --model bad --limit 2",
        "`open` returns None, and not a model",
    ),
    "describe, None": (
        "describe = lambda self, where: None",
        "run --task sat --model bad:x --limit 2",
        "`describe` returns None, and not a mapping",
    ),
    "describe, a key": (
        "describe = lambda self, where: {'colour': 1}",
        "run --task sat --model bad:x --limit 2",
        "`describe` returns 'colour', and not a field of a card: ",
    ),
    "describe, weights": (
        "describe = lambda self, where: {'weights': 'x'}",
        "run --task sat --model bad:x --limit 2",
        "`describe` returns 'x', and not a Path, as weights",
    ),
    "fit, None": (
        "fit = lambda *args, **options: None",
        "train --model bad --workers 1 -o student",
        "`fit` returns None, and not a mapping",
    ),
    "fit, a set": (
        "fit = lambda *args, **options: {'loss': {1}}",
        "train --model bad --workers 1 -o student",
        "`fit` returns {'loss': {1}}, and not what JSON can hold",
    ),
}
TASK = """
from aletheia_tasks import Sat
from aletheia_plugins import hookimpl

class Bad(Sat):
    name = "bad"
    METHOD = lambda self, *args, **options: VALUE

@hookimpl
def aletheia_tasks():
    return [Bad]
"""
WRONG = {
    "generate": ("None", "`generate` returns None, and not a problem: a defect of "),
    "dumps": ("None", "`dumps` returns None, and not a text: a defect of "),
    "canonical": ("None", "`canonical` returns None, and not a text: a defect of "),
    "loads": ("[]", "`loads` returns [], and not a list of the one problem that `dumps` wrote: a defect of "),
    "csp": ("None", "`csp` returns None, and not a CSP: a defect of "),
    "domains": ("{}", "`csp` returns {}, and not a mapping from variables to their values, as domains: a defect of "),
    "solve": ("None", "`solve` returns None, and not a Solution: a defect of "),
    "generate, a text": (
        "'x'",
        "AttributeError: 'str' object has no attribute 'clauses' (FILE). This command uses the ",
    ),
}
TRACES = "traces --task bad -n 3 --workers 1 -o t"
RUN = "run --task bad --limit 3"


@pytest.fixture
def say(install, tmp_path, monkeypatch):
    """The last thing that the command line says beside a plugin of this source; without the paths of files."""
    monkeypatch.chdir(tmp_path)

    def call(source: str, command: str) -> str:
        folder = install("bad", "0.7", source)
        (folder / "bad.toml").write_text(CARD)
        told = CliRunner().invoke(main, command.split())
        assert told.exit_code == 1, told.output
        assert "Traceback" not in told.output
        return re.sub(r"\(/\S*:", "(FILE:", told.stderr.splitlines()[-1])

    return call


def begins(sentence: str, expected: str) -> bool:
    return bool(re.match(".*".join(map(re.escape, f"Error: {expected}".split(".*"))), sentence))


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_returns_what_it_may_not_is_named(say, name):
    body, expected = MODELS[name]
    source = MODEL.replace("BODY", body).replace("OPENER", "")
    sentence = say(source, "run --task sat --model bad --limit 2")
    assert begins(sentence, expected), sentence


@pytest.mark.parametrize("name", BACKENDS)
def test_a_back_end_that_returns_what_it_may_not_is_named(say, name):
    opener, command, expected = BACKENDS[name]
    sentence = say(MODEL.replace("BODY", "pass").replace("OPENER", opener), command)
    assert begins(sentence, f"{expected}.*: {THEIRS}"), sentence


@pytest.mark.parametrize("name", WRONG)
def test_a_task_that_returns_what_it_may_not_is_named(say, name):
    method, (value, expected) = name.partition(",")[0], WRONG[name]
    source = TASK.replace("METHOD", method).replace("VALUE", value)
    sentence = re.sub(r"\(\w+\.py:\d+\)", "(FILE)", say(source, RUN if method == "solve" else TRACES))
    whose = "task bad (plugin 'bad' of bad 0.7); 'aletheia_bench.testing.check_task' tells its author more."
    assert begins(sentence, expected + whose), sentence


def test_an_error_among_built_ins_keeps_its_traceback(install, monkeypatch):
    """A stranger that is installed and was not asked for has nothing to do with it."""
    install("bad", "0.7", TASK.replace("METHOD", "solve").replace("VALUE", "None"))
    monkeypatch.setattr("aletheia_bench.cli.listing.tasks", lambda found: 1 / 0)
    told = CliRunner().invoke(main, ["list", "tasks"])
    assert isinstance(told.exception, ZeroDivisionError)
