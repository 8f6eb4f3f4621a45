"""The published figures are what the published completions say, and the README's are theirs."""

import json
import re
import tarfile
from pathlib import Path

import pytest

from aletheia_bench.results import Results
from aletheia_bench.runs import Run
from aletheia_plugins import load_plugins

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "reports" / "published"
STUDIES = sorted(path.parent.name for path in PUBLISHED.glob("*/study.json"))


def told(study):
    """(student, run) → what study.json says of it."""
    students = json.loads((PUBLISHED / study / "study.json").read_text(encoding="utf-8"))["students"]
    return {
        (student["training"]["card"], tuple(run["config"]["hashes"].items()), run["config"]["run"]["epochs"]): run
        for student in students
        for run in (*student["runs"], *student["tried"].values())
    }


def measured_again(study, tmp_path, *, every):
    """One run in so many of the archive's, measured from its samples."""
    with tarfile.open(PUBLISHED / study / "samples.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    plugins = load_plugins()
    for path in sorted(tmp_path.glob("*/*"))[::every]:
        run = Run(path)
        config = run.config()
        key = config["card"]["name"], tuple(config["hashes"].items()), config["run"]["epochs"]
        yield key, Results.of(run, plugins.task(config["run"]["task"])).json()


def same(study, tmp_path, *, every):
    expected = told(study)
    found = dict(measured_again(study, tmp_path, every=every))
    assert found
    assert {key: json.loads(json.dumps(run)) for key, run in found.items()} == {key: expected[key] for key in found}
    return found, expected


@pytest.mark.parametrize("study", STUDIES)
def test_a_published_run_is_what_its_completions_say(study, tmp_path):
    same(study, tmp_path, every=9)


@pytest.mark.heavy
@pytest.mark.parametrize("study", STUDIES)
def test_every_published_run_is_what_its_completions_say(study, tmp_path):
    found, expected = same(study, tmp_path, every=1)
    assert found.keys() == expected.keys()


def test_the_table_of_the_readme_is_the_published_one():
    readme = (ROOT / "README.md").read_text(encoding="utf-8").split("<!-- table -->")[1]
    report = (PUBLISHED / "paper" / "report.md").read_text(encoding="utf-8")
    published = [re.sub(r" +\|", " |", line) for line in report.splitlines()]
    rows = [line for line in readme.splitlines() if re.match(r"\| [\w -]+ \| (backtracking|linearized) \|", line)]
    assert len(rows) == 8
    assert [row for row in rows if not any(line.startswith(row) for line in published)] == []
