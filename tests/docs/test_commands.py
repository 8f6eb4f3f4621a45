"""Every command in the documents is run, or, where that takes hours or what is not here, read by the command line.

In CI, what is complete is run with fewer items, in a folder of its own for each page, in the order of the page; `make
heavy` runs what takes longer. What has something to fill in, or stands in `NOT_RUN`, is parsed: its options, and the
names in it.
"""

import re
import shlex
import tomllib
from importlib.util import find_spec
from typing import Any

import click
import pytest
from click.testing import CliRunner

from aletheia_bench.arms import ARMS
from aletheia_bench.cli import main
from aletheia_plugins import AletheiaError, load_plugins

from .commands import PAGES, PLACEHOLDER, ROOT, Command, commands, parts, read, spans

PLUGINS = load_plugins([])
NOT_RUN = {
    "train": "hours",
    "study": "hours",
    "run --model lora:pupil": "needs the weights of SmolLM2",
    "export --model lora:pupil": "needs the weights of SmolLM2",
    "run --task sat --model gguf:model.Q4_K_M.gguf": "any file of the reader's",
}
"""Beginnings of commands that no test runs, and why."""
HEAVY = {
    "plan": "builds a model of 7 billion parameters, without data",
    "run --task sat,coloring,sudoku --level small": "five precisions of three tasks",
}
"""Beginnings of commands that take longer than CI should."""
FEWER = {
    "run": ["--limit", "1", "--max-tokens", "48"],
    "probes": ["-n", "2"],
    "traces": ["-n", "8", "--workers", "1"],
    "doctor": ["--limit", "2"],
}
"""Options behind a command that make it short."""
ALL = list(dict.fromkeys(command for page in PAGES for command in commands(page)))


def kind(command: Command) -> str:
    if command.open or _begins(command, NOT_RUN) or not _complete(command):
        return "parsed"
    return "heavy" if _begins(command, HEAVY) else "run"


def _begins(command: Command, beginnings: dict[str, str]) -> bool:
    return any(f"{command.text} ".startswith(f"{beginning} ") for beginning in beginnings)


def _complete(command: Command) -> bool:
    """Everything is there that the command needs; in a sentence, that may not be so."""
    try:
        parsed(command)
    except click.MissingParameter:
        return command.block
    except (click.ClickException, AletheiaError):
        pass  # to run it will tell
    return True


def parsed(command: Command) -> dict[str, Any]:
    """The options and arguments of the command, as it would get them, though the files that it names are not there."""
    with pytest.MonkeyPatch.context() as patch:
        for each in (main, *main.commands.values()):
            for parameter in each.params:
                if isinstance(parameter.type, click.Path):
                    patch.setattr(parameter.type, "exists", False)
        try:
            context = main.make_context("aletheia-bench", command.args)
        except click.exceptions.Exit:  # of --help or --version
            return {}
        name, found, rest = main.resolve_command(context, [*context._protected_args, *context.args])
        return found.make_context(name, rest, parent=context).params


def unknown(command: Command) -> list[str]:
    """Names in the command that do not exist, but for what is to be filled in."""
    try:
        found = parsed(command)
    except click.MissingParameter:
        assert not command.block
        return []
    tasks = [name for names in found.get("tasks", ()) for name in names]
    levels = {level for task in PLUGINS.tasks.values() for level in task.levels}
    known = {
        "task": (tasks, PLUGINS.tasks),
        "level": ([name for names in found.get("levels", ()) for name in names], levels),
        "model": ([found.get("model"), found.get("against")], PLUGINS.cards),
        "backend": ([found.get("backend")], PLUGINS.backends),
        "arm": ([found.get("arm")], ARMS),
    }
    wrong = []
    for what, (names, those) in known.items():
        for name in filter(None, names):
            backend, colon, _ = str(name).partition(":")
            opened = what == "model" and ((colon and backend in PLUGINS.backends) or name.endswith(".toml"))
            if name not in those and not opened and not PLACEHOLDER.search(str(name)):
                wrong.append(f"{what} {name}")
    return wrong


def call(command: Command) -> None:
    more = FEWER.get(command.args[0], [])
    if "--forced" in command.args:
        more = [*more, "--forced", "1"]
    result = CliRunner().invoke(main, [*command.args, *more], catch_exceptions=False)
    assert result.exit_code == 0, f"{command}\n{result.output}"


def run_all(page: str, which: str) -> None:
    done = set()
    for command in commands(page):
        if kind(command) == which and command.text not in done:
            done.add(command.text)
            if find_spec("llama_cpp") or not ("gguf" in command.text or "--quant" in command.text):
                call(command)


@pytest.fixture
def somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("ALETHEIA_PLUGINS", "ALETHEIA_TASK", "ALETHEIA_LEVEL", "ALETHEIA_MODEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("page", [page for page in PAGES if any(kind(c) == "run" for c in commands(page))])
def test_the_commands_of_a_page_run_in_its_order(page, somewhere):
    run_all(page, "run")


@pytest.mark.heavy
@pytest.mark.parametrize("page", [page for page in PAGES if any(kind(c) == "heavy" for c in commands(page))])
def test_the_commands_of_a_page_that_take_longer_run_too(page, somewhere):
    run_all(page, "heavy")


@pytest.mark.parametrize("command", ALL, ids=str)
def test_a_command_has_options_that_there_are_and_names_that_there_are(command):
    assert unknown(command) == []


def test_every_class_of_commands_has_some(capsys):
    kinds = [kind(command) for command in ALL]
    assert set(kinds) == {"run", "heavy", "parsed"}
    with capsys.disabled():
        counts = ", ".join(f"{kinds.count(name)} {name}" for name in sorted(set(kinds)))
        click.echo(f"\ncommands in the documents: {counts}")


def test_no_exception_outlives_its_command():
    for beginning in [*NOT_RUN, *HEAVY]:
        assert any(_begins(command, {beginning: ""}) for command in ALL), beginning


def test_make_targets_scripts_and_extras_exist():
    makefile = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    for page in PAGES:
        code, prose = parts(read(page))
        for line in [*map(str.strip, code), *spans(prose)]:
            if line.startswith("make "):
                assert shlex.split(line, comments=True)[1] in makefile, f"{page}: {line}"
            if script := re.match(r"python3? ([a-z]\S*\.py)", line):
                assert (ROOT / script[1]).exists(), f"{page}: {line}"
            for extra in re.findall(r"aletheia-bench\[(\w+)\]", line):
                assert extra in extras, f"{page}: {line}"
