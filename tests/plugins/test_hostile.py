"""Plugins that do harm, all installed at once: the command names each one in a sentence, and works for the others.

Nothing in this process can hold against os._exit or an import without end; and KeyboardInterrupt is the user's word,
whoever raises it (test_loading.py).
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]
NOTHING: Mapping[str, bytes] = MappingProxyType({})

HEAD = "from pathlib import Path\nfrom aletheia_plugins import hookimpl\nfrom aletheia_tasks import Sat\n"
TASKS = "@hookimpl\ndef aletheia_tasks():\n    "


def task(body: str, name: str = "bad") -> str:
    """A plugin with one task: SAT, but for the lines of `body`."""
    return f"{HEAD}class Bad(Sat):\n    name = {name!r}\n    {body}\n{TASKS}return [Bad]\n"


AT_START = {
    "absent": (
        "import nowhere_at_all",
        "importing absent failed: ModuleNotFoundError: No module named 'nowhere_at_all'",
    ),
    "exits": ("raise SystemExit(3)", "importing exits failed: SystemExit: 3"),
    "cancels": (
        "import asyncio\nraise asyncio.CancelledError('later')",
        "importing cancels failed: CancelledError: later",
    ),
    "closes": ("raise GeneratorExit", "importing closes failed: GeneratorExit"),
    "speechless": (
        "class Mute(Exception):\n    def __str__(self):\n        return 1 / 0\nraise Mute",
        "importing speechless failed: Mute",
    ),
    "thorny": (
        f"{HEAD}class Thorny(list):\n    def __iter__(self):\n        return 1 / 0\n{TASKS}return Thorny()",
        "its hook aletheia_tasks failed: ZeroDivisionError: division by zero",
    ),
    "faceless": (
        f"{HEAD}class Faceless:\n    def __repr__(self):\n        raise SystemExit\n{TASKS}return Faceless()",
        "its hook aletheia_tasks failed: SystemExit",
    ),
    "vague": (
        f"{HEAD}class Faceless:\n    def __repr__(self):\n        raise OSError('no face')\n{TASKS}return [Faceless()]",
        "a task it provides cannot be used: OSError: no face",
    ),
    "garbled": ("def broken(:", "importing garbled failed: SyntaxError: invalid syntax (garbled.py, line 1)"),
    "paints": (
        "raise ValueError('\\x1b[2J\\nError: \\x07 all is lost')",
        r"importing paints failed: ValueError: \x1b[2J Error: \x07 all is lost",
    ),
    "hookless": (HEAD, "hookless implements no hook; mark one of aletheia_tasks, aletheia_backends, aletheia_cards"),
    "misspelt": (
        f"{HEAD}@hookimpl\ndef aletheia_task():\n    return []",
        "misspelt does not fit the hooks aletheia_tasks, aletheia_backends, aletheia_cards: PluginValidationError: ",
    ),
    "raises": (f"{HEAD}{TASKS}raise OSError('disk on fire')", "its hook aletheia_tasks failed: OSError: disk on fire"),
    "nothing": (f"{HEAD}{TASKS}pass", "its hook aletheia_tasks must return a list, not None"),
    "text": (f"{HEAD}{TASKS}return 'sat'", "its hook aletheia_tasks must return a list, not 'sat'"),
    "yields": (f"{HEAD}{TASKS}yield Sat", "its hook aletheia_tasks must return a list, not <generator object "),
    "instance": (f"{HEAD}{TASKS}return [Sat()]", "<aletheia_tasks.sat.task.Sat object at "),
    "taken": (
        task("", "sat"),
        "the task name 'sat' of class taken.Bad (plugin 'taken' of dist-taken 1.0) is taken by ",
    ),
    "unnamed": (
        task("", "a\n\x1b[31mb"),
        "the name of class unnamed.Bad must be lower-case letters, digits and hyphens",
    ),
    "level": (task("levels = ()"), "the levels of class level.Bad must be a tuple of names such as ('tiny',), not ()"),
    "climbing": (
        task("levels = ('tiny', '../../up')"),
        "a level of class climbing.Bad must be lower-case letters, digits and hyphens, not '../../up'",
    ),
    "painted": (task("version = '1\\x1b[2J'"), "the version of class painted.Bad must be a word such as '1', not "),
    "lacking": (task("render = None"), "class lacking.Bad is not a task: it lacks render"),
    "arguments": (
        task("def __init__(self, size): ..."),
        "class arguments.Bad cannot be made without arguments: TypeError: ",
    ),
    "card": (
        f"{HEAD}@hookimpl\ndef aletheia_cards():\n    return [Path('/nowhere/parrot.toml')]",
        "a card must be the Path of a .toml file that exists, not PosixPath('/nowhere/parrot.toml')",
    ),
}
"""Name → source, and how the sentence begins behind the plugin and its distribution."""

RAISES = "def generate(self, level, **place):\n        return 1 / 0"
LIES = "def falsified(self, problem, assignment, named=None):\n        return None"
CLAIMS = "def falsified(self, problem, assignment, named=None):\n        return named or 'c1'"
SHOWS = "def render(self, problem):\n        return None"
CHANGES = """calls = 0

    def domains(self, problem):
        Bad.calls += 1
        return super().domains(problem) if Bad.calls % 2 else {}"""
MIXES = "def generate(self, level, **place):\n        return super().generate(level, **place | {'split': 'test'})"
DEFECT = "a defect of task {name} (plugin '{name}' of dist-{name} 1.0); 'aletheia_bench.testing.check_task' tells its"
AT_WORK = {
    "generating": (RAISES, "plugin 'generating' of dist-generating 1.0: generate (FILE:7) failed: ZeroDivisionError: "),
    "lying": (
        LIES,
        f"lying-tiny-train-0-0: the checker rejects the trace: line 3: its reason does not force .*. This is {DEFECT}",
    ),
    "claiming": (
        CLAIMS,
        f"claiming-tiny-train-0-0: the checker rejects the trace: line 6: answers with what .*. This is {DEFECT}",
    ),
    "showing": (SHOWS, f"`render` returns None, and not a text: {DEFECT}"),
    "changing": (
        CHANGES,
        f"changing-tiny-train-0-0: the checker rejects the trace: line 2: no such variable .*. This is {DEFECT}",
    ),
    "leaving": (
        "def generate(self, level, **place):\n        raise SystemExit(0)",
        "plugin 'leaving' of dist-leaving 1.0: generate (FILE:7) failed: SystemExit: 0. 'aletheia_bench",
    ),
    "unlicensed": (
        "generate = lambda self, level, **place: __import__('sys').exit('license expired')",
        "plugin 'unlicensed' of dist-unlicensed 1.0: <lambda> (FILE:6) failed: SystemExit: license expired. 'alet",
    ),
    "cancelling": (
        "def generate(self, level, **place):\n        raise GeneratorExit",
        "plugin 'cancelling' of dist-cancelling 1.0: generate (FILE:7) failed: GeneratorExit. 'aletheia_bench",
    ),
    "burning": (
        "def generate(self, level, **place):\n        raise OSError('disk on fire')",
        "plugin 'burning' of dist-burning 1.0: generate (FILE:7) failed: OSError: disk on fire. 'aletheia_bench",
    ),
    "mixing": (MIXES, f"mixing-tiny-train-0-0 does not belong to the train split: {DEFECT}"),
}
"""Name of the task → what is wrong with it, and what `traces` says."""

DAMAGED = {
    "unequal": (
        {"entry_points.txt": b"[aletheia_bench]\nunequal\n"},
        "plugin 'dist-unequal' of dist-unequal 1.0: its entry_points.txt cannot be read: ",
    ),
    "latin": (
        {"entry_points.txt": b"[aletheia_bench]\nlatin = \xe9t\xe9\n"},
        "plugin 'dist-latin' of dist-latin 1.0: its entry_points.txt cannot be read: UnicodeDecodeError: ",
    ),
    "nowhere": (
        {"entry_points.txt": b"[aletheia_bench]\nnowhere = a b c\n"},
        "plugin 'nowhere' of dist-nowhere 1.0: importing a b c failed: ",
    ),
    "ageless": ({"METADATA": b"Name: dist-ageless\n"}, "plugin 'ageless' of dist-ageless without a version: "),
    "unsaid": ({"METADATA": b"Name: dist-\xe9\n"}, "plugin 'unsaid' of an unnamed distribution in "),
}
"""Name → files of its distribution that are not as they should be, and how the sentence begins."""
OTHERS = {"entry_points.txt": b"[console_scripts]\n\xe9\n"}
"""A damaged distribution that has nothing to do with us."""
CARDS = {
    "unclosed": (b"name = 'unclosed", "(plugin 'unclosed' of dist-unclosed 1.0): FILE is not a readable card: "),
    "encoded": (b"name = '\xe9'", "(plugin 'encoded' of dist-encoded 1.0): FILE is not a readable card: "),
    "keyed": (b"nome = 'keyed'", "(plugin 'keyed' of dist-keyed 1.0): FILE: unknown key nome; known: "),
}
"""Name of the card → what it has, and how its sentence goes on."""

SLOW = f"import time\ntime.sleep(2.2)\n{HEAD}{TASKS}return []\n"


def lay(folder: Path, name: str, source: str, files: Mapping[str, bytes] = NOTHING) -> None:
    """A distribution with one plugin, as pip would lay it, but for what `files` of its metadata have."""
    info = folder / f"dist_{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dist-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[aletheia_bench]\n{name} = {name}\n")
    (folder / f"{name}.py").write_text(source)
    for file, content in files.items():
        (info / file).write_bytes(content)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Command:
    """The command line beside them all, in an empty folder; `also` names a further plugin and its source."""
    site, more, work = (tmp_path_factory.mktemp(name) for name in ("site", "more", "work"))
    for name, (source, _) in AT_START.items():
        lay(site, name, source)
    for name, (body, _) in AT_WORK.items():
        lay(site, name, task(body, name))
    lay(site, "prints", f"print('hello from prints')\n{task('', 'prints')}")
    for name, (files, _) in DAMAGED.items():
        lay(site, name, HEAD, files)
    lay(site, "others", HEAD, OTHERS)
    for name, (content, _) in CARDS.items():
        (site / f"{name}.toml").write_bytes(content)
        source = f"{HEAD}@hookimpl\ndef aletheia_cards():\n    return [Path(__file__).with_suffix('.toml')]\n"
        lay(site, name, source)
    lay(more, "slow", SLOW)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ALETHEIA_")}

    def call(*args: str, slow: bool = False) -> subprocess.CompletedProcess[str]:
        path = [str(site), *([str(more)] if slow else []), *filter(None, sys.path)]
        environment = clean | {"PYTHONPATH": os.pathsep.join(path)}
        line = [sys.executable, "-m", "aletheia_bench", *args]
        done = subprocess.run(line, cwd=work, env=environment, capture_output=True, text=True, check=False, timeout=600)
        assert "Traceback" not in done.stdout + done.stderr
        return done

    return call


@pytest.fixture(scope="module")
def listed(hostile) -> subprocess.CompletedProcess[str]:
    return hostile("list", "tasks")


def test_the_other_tasks_are_listed(listed):
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()[2:]] == sorted(
        ["coloring", "sat", "sudoku", "prints", *AT_WORK]
    )


@pytest.mark.parametrize("name", AT_START)
def test_a_plugin_that_cannot_be_loaded_is_named_in_a_sentence(listed, name):
    sentence = f"Warning: plugin {name!r} of dist-{name} 1.0: {AT_START[name][1]}"
    assert len([line for line in listed.stderr.splitlines() if line.startswith(sentence)]) == 1
    assert "\x1b" not in listed.stderr


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_distribution_is_named_in_a_sentence(listed, name):
    sentence = f"Warning: {DAMAGED[name][1]}"
    assert len([line for line in listed.stderr.splitlines() if line.startswith(sentence)]) == 1


def test_a_damaged_distribution_without_plugins_is_nobodys_business(listed):
    assert "others" not in listed.stderr


def test_a_card_that_cannot_be_read_is_shown_as_broken_beside_the_others(hostile):
    told = hostile("list", "models")
    assert told.returncode == 0
    assert any(line.startswith("aletheia-tiny ") for line in told.stdout.splitlines())
    shown = re.sub(r"/\S*\.toml", "FILE", told.stdout)
    for name, (_, sentence) in CARDS.items():
        assert f"\nBroken: card {name!r} {sentence}" in shown


def test_what_a_plugin_prints_when_it_is_imported_is_not_in_the_output(listed):
    assert "hello" not in listed.stdout
    assert "hello from prints" in listed.stderr.splitlines()


def test_a_built_in_task_works_beside_them(hostile):
    made = hostile("traces", "--task", "sat", "-n", "4", "--workers", "1", "-o", "sat.jsonl")
    assert (made.returncode, made.stdout) == (0, "sat.jsonl: 4 problems, every trace accepted by the checker.\n")


@pytest.mark.parametrize(
    ("name", "workers"), [*((name, "1") for name in AT_WORK), ("leaving", "2"), ("cancelling", "2")]
)
def test_a_task_that_fails_at_work_is_named_with_its_distribution(hostile, name, workers):
    told = hostile("traces", "--task", name, "-n", "2", "--workers", workers, "-o", f"{name}.jsonl")
    sentence = AT_WORK[name][1].format(name=name)
    last = re.sub(r"\(/\S*:", "(FILE:", told.stderr.splitlines()[-1])
    assert re.match(".*".join(map(re.escape, f"Error: {sentence}".split(".*"))), last), last
    assert told.returncode == 1
    assert told.stdout == ""


def test_a_plugin_that_takes_long_to_load_is_named(hostile):
    told = hostile("list", "plugins", slow=True)
    (sentence,) = [line for line in told.stdout.splitlines() if line.startswith("Slow: ")]
    assert re.match(r"Slow: plugin 'slow' of dist-slow 1\.0 takes \d+\.\d s to load, and every command waits", sentence)
    assert told.returncode == 0
