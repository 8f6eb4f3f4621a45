"""Test problems that someone plants in a training corpus, in disguise, are found: all of them, and nothing else."""

import json
import random

import pytest
from click.testing import CliRunner

from aletheia_bench.cli import main
from aletheia_bench.corpus import Plan, digest, make
from aletheia_bench.search import search
from aletheia_bench.text import render, segments
from aletheia_plugins import generator
from aletheia_tasks import aletheia_tasks

TASKS = {task.name: task() for task in aletheia_tasks()}
PLANTED = {"sat": 200, "coloring": 150, "sudoku": 150}
"""500 in all, 100 of other people's problems among them."""
HONEST = 40


def disguised_record(task, honest, problem):
    """A record of a training corpus that tells of another problem: whole, right, and with its hash."""
    text = render(search(task.csp(problem), rng=generator("search", task.dumps(problem))))
    record = honest | {
        "problem": task.dumps(problem),
        "prompt": task.render(problem),
        "canonical": task.canonical(problem),
        "completion": text,
        "steps": text.splitlines(),
        "segments": list(segments(text)),
    }
    return record | {"sha256": digest(record)}


@pytest.mark.parametrize("name", PLANTED)
def test_every_disguised_duplicate_is_found(name, tmp_path):
    task, rng = TASKS[name], random.Random(5)
    honest = [make(Plan(task, "small", HONEST), index) for index in range(HONEST)]
    n = PLANTED[name]
    known = [task.generate("small", split="test", seed=3, index=index) for index in range(n - 50)]
    others = [task.generate("small", split="train", seed=3, index=index) for index in range(50)]
    planted = [disguised_record(task, honest[0], task.disguise(problem, rng)) for problem in known + others]
    assert all(record["problem"] != task.dumps(p) for record, p in zip(planted, known + others, strict=True))
    lines = [*map(json.dumps, honest), *map(json.dumps, planted)]
    (tmp_path / "corpus.jsonl").write_text("".join(f"{line}\n" for line in lines))
    (tmp_path / "theirs").mkdir()
    for number, problem in enumerate(others):
        (tmp_path / "theirs" / f"{number}.txt").write_text(task.dumps(problem))
    command = ["verify", str(tmp_path / "corpus.jsonl"), "--against", str(tmp_path / "theirs")]
    found = CliRunner().invoke(main, command)
    assert found.exit_code == 1
    said = found.stdout.splitlines()
    assert [int(line.split(":")[1]) for line in said] == list(range(HONEST + 1, HONEST + n + 1))
    assert sum("is a test problem in disguise" in line for line in said) == len(known)
    assert sum("theirs" in line.partition(": ")[2] for line in said) == len(others)


def test_a_file_that_is_no_problem_cannot_be_compared_with(tmp_path):
    (tmp_path / "corpus.jsonl").write_text(json.dumps(make(Plan(TASKS["sat"], "tiny", 1), 0)) + "\n")
    (tmp_path / "notes.txt").write_text("hello\n")
    command = ["verify", str(tmp_path / "corpus.jsonl"), "--against", str(tmp_path / "notes.txt")]
    found = CliRunner().invoke(main, command)
    assert found.exit_code == 2
    assert found.stderr.startswith(f"Error: {tmp_path / 'notes.txt'}")
