"""Plugins that do harm, all installed at once: the command names each one in a sentence, and works for the others.

Nothing in this process can hold against os._exit or an import without end; and KeyboardInterrupt is the user's word,
whoever raises it (test_loading.py).
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]

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
    "showing": (SHOWS, f"showing-tiny-train-0-0: `render` returns None, and not a text: {DEFECT}"),
    "changing": (
        CHANGES,
        f"changing-tiny-train-0-0: the checker rejects the trace: line 2: no such variable .*. This is {DEFECT}",
    ),
    "mixing": (MIXES, f"mixing-tiny-train-0-0 does not belong to the train split: {DEFECT}"),
}
"""Name of the task → what is wrong with it, and what `traces` says."""

SLOW = f"import time\ntime.sleep(2.2)\n{HEAD}{TASKS}return []\n"


def lay(folder: Path, name: str, source: str) -> None:
    """A distribution with one plugin, as pip would lay it."""
    info = folder / f"dist_{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dist-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[aletheia_bench]\n{name} = {name}\n")
    (folder / f"{name}.py").write_text(source)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Command:
    """The command line beside them all, in an empty folder; `also` names a further plugin and its source."""
    site, more, work = (tmp_path_factory.mktemp(name) for name in ("site", "more", "work"))
    for name, (source, _) in AT_START.items():
        lay(site, name, source)
    for name, (body, _) in AT_WORK.items():
        lay(site, name, task(body, name))
    lay(site, "prints", f"print('hello from prints')\n{task('', 'prints')}")
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


def test_what_a_plugin_prints_when_it_is_imported_is_not_in_the_output(listed):
    assert "hello" not in listed.stdout
    assert "hello from prints" in listed.stderr.splitlines()


def test_a_built_in_task_works_beside_them(hostile):
    made = hostile("traces", "--task", "sat", "-n", "4", "--workers", "1", "-o", "sat.jsonl")
    assert (made.returncode, made.stdout) == (0, "sat.jsonl: 4 problems, every trace accepted by the checker.\n")


@pytest.mark.parametrize("name", AT_WORK)
def test_a_task_that_fails_at_work_is_named_with_its_distribution(hostile, name):
    told = hostile("traces", "--task", name, "-n", "2", "--workers", "1", "-o", f"{name}.jsonl")
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
