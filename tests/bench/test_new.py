"""`aletheia-bench new`: what a plugin may be called, and that it is written whole, anywhere, and over nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from aletheia_bench.scaffold import CLASSES, LONGEST, chosen, write
from aletheia_plugins import Plugins

from .test_cli import said

KINDS = ("task", "model")
NAMES = ("kakuro", "job_shop", "x", "a1", "sudoku_4x4", "n" * LONGEST, "an_old_one_of_the_longest_kind")
TASK = ["aletheia_kakuro/__init__.py", "aletheia_kakuro/py.typed", "aletheia_kakuro/task.py"]
RUFF = Path(sys.executable).with_name("ruff")


@pytest.mark.parametrize(
    ("name", "package", "plugin", "class_name"),
    [
        ("kakuro", "aletheia_kakuro", "kakuro", "Kakuro"),
        ("job_shop", "aletheia_job_shop", "job-shop", "JobShop"),
        ("job-shop", "aletheia_job_shop", "job-shop", "JobShop"),
        ("x", "aletheia_x", "x", "X"),
        ("sudoku_4x4", "aletheia_sudoku_4x4", "sudoku-4x4", "Sudoku4x4"),
    ],
)
def test_a_name_is_spelt_as_each_place_wants_it(name, package, plugin, class_name):
    names = chosen(name, Plugins())
    assert (names.package, names.plugin, names.class_name) == (package, plugin, class_name)
    assert names.distribution == f"aletheia-{plugin}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Kakuro", "'Kakuro' is no name for a plugin: take at most 30 lower-case letters, digits and single "),
        ("job shop", "'job shop' is no name for a plugin: "),
        ("4x4", "'4x4' is no name for a plugin: "),
        ("a__b", "'a__b' is no name for a plugin: "),
        ("_", "'_' is no name for a plugin: "),
        ("../up", "'../up' is no name for a plugin: "),
        ("straße", "'straße' is no name for a plugin: "),
        ("n" * (LONGEST + 1), f"'{'n' * (LONGEST + 1)}' is no name for a plugin: "),
        ("class", "'class' is a keyword of Python: take another name, such as my_class."),
        ("task", "'task' would be a class Task, and there is one: take another name, such as my_task."),
        ("none", "'none' would be a class None, and there is one: take another name, such as my_none."),
        ("key_error", "'key_error' would be a class KeyError, and there is one: "),
        ("all_different", "'all_different' would be a class AllDifferent, and there is one: "),
        ("sat", "'sat' is the name of something in aletheia-bench: take another one."),
        ("hf", "'hf' is the name of something in aletheia-bench: take another one."),
        ("aletheia_tiny", "'aletheia-tiny' is the name of something in aletheia-bench: take another one."),
        ("aletheia_tasks", "'aletheia-tasks' is the name of something in aletheia-bench: take another one."),
        ("bench", "There is a package aletheia_bench on this machine: take another name than 'bench'."),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_had_is_refused_in_a_sentence_and_nothing_is_written(run, tmp_path, kind, name, message):
    assert said(run("new", kind, name), 2).startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_it_writes_a_folder_and_says_what_to_type_next(run, tmp_path):
    assert run("new", "task", "kakuro").output.splitlines() == [
        "aletheia-kakuro: 8 files, the task 'kakuro'. It works as it is:",
        "",
        "    cd aletheia-kakuro && pip install -e .",
        "    aletheia-bench traces --task kakuro -n 100 -o traces.jsonl",
        "    pip install --group dev && pytest",
        "",
        "What to change is marked '# change:' in aletheia_kakuro/task.py.",
    ]
    folder = tmp_path / "aletheia-kakuro"
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    rest = ["README.md", *TASK, "pyproject.toml", "tests/test_kakuro.py"]
    assert found == [".github/workflows/test.yml", ".gitignore", *rest]
    assert "# change:" in (folder / "aletheia_kakuro/task.py").read_text()


def test_a_model_has_a_card_of_its_name(run, tmp_path):
    assert "aletheia-bench run --task sat --model word-count --limit 20\n" in run("new", "model", "word_count").output
    assert (tmp_path / "aletheia-word-count" / "aletheia_word_count" / "cards" / "word-count.toml").exists()


def test_it_writes_over_nothing(run, tmp_path):
    (tmp_path / "mine").mkdir()
    assert run("new", "model", "x", "-o", "mine").exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    message = "mine is there already, and no empty folder: take another one with -o."
    assert said(run("new", "task", "kakuro", "-o", "mine"), 2) == message
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("kind", KINDS)
def test_no_class_of_a_plugin_can_have_the_name_of_another_in_its_modules(tmp_path, kind):
    names = chosen("kakuro", Plugins())
    for path in write(kind, names, tmp_path):
        if path.suffix == ".py":
            nodes = list(ast.walk(ast.parse((tmp_path / path).read_text())))
            found = {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
            found |= {node.name for node in nodes if isinstance(node, ast.ClassDef)}
            assert {name for name in found if name[0].isupper()} <= CLASSES | {names.class_name}


def test_whatever_the_name_is_the_code_is_as_ruff_wants_it(tmp_path):
    folders = [tmp_path / f"{kind}-{name}" for kind in KINDS for name in NAMES]
    for folder in folders:
        kind, name = folder.name.split("-")
        write(kind, chosen(name, Plugins()), folder)
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run([RUFF, *command, "--no-cache", *folders], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
