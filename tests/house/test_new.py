"""What `aletheia-bench new` writes is checked, tested, trained on and evaluated as it is, without an edit."""

import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .test_external import CARD, LOCAL, PIP, Command, called, separate

PLUGINS = {"task": "job_shop", "model": "word_count"}


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, Path]:
    """A task and a model, in the folders that `new` chooses."""
    folder = tmp_path_factory.mktemp("written")
    for kind, name in PLUGINS.items():
        called(sys.executable, "-m", "aletheia_bench", "new", kind, name, cwd=folder)
    return {kind: folder / f"aletheia-{name.replace('_', '-')}" for kind, name in PLUGINS.items()}


@pytest.fixture(scope="module")
def beside(written, tmp_path_factory) -> Command:
    """The command line where both were installed beside what is here, in an empty folder."""
    site = tmp_path_factory.mktemp("site")
    called(*PIP, "install", *LOCAL, "--target", site, *written.values())
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ALETHEIA_")}
    environment = clean | {"PYTHONPATH": os.pathsep.join([str(site), *filter(None, sys.path)])}
    folder = tmp_path_factory.mktemp("work")
    return lambda *args: called(sys.executable, "-m", "aletheia_bench", *args, env=environment, cwd=folder)


@pytest.mark.parametrize("kind", PLUGINS)
def test_what_is_written_passes_its_own_tests(written, kind):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    called(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=written[kind], env=environment)


def test_what_is_written_is_typed(written, tmp_path):
    homes = {str(Path(find_spec(name).origin).parents[1]) for name in ("aletheia_bench", "aletheia_plugins")}
    environment = os.environ | {"MYPYPATH": os.pathsep.join(sorted(homes))}
    for folder in written.values():
        called(sys.executable, "-m", "mypy", "--cache-dir", tmp_path / "cache", cwd=folder, env=environment)


def test_both_are_listed(beside):
    assert re.search(r"^job-shop +1 +tiny, small, medium$", beside("list", "tasks").stdout, re.MULTILINE)
    models = beside("list", "models").stdout
    assert re.search(r"^word-count +word-count +cumulative +backtracking +no", models, re.MULTILINE)
    plugins = beside("list", "plugins").stdout
    assert re.search(r"^job-shop +aletheia-job-shop 0\.1\.0 +active +job-shop$", plugins, re.MULTILINE)


def test_the_task_makes_traces_that_are_verified_and_proofs(beside):
    made = beside("traces", "--task", "job-shop", "-n", "8", "--workers", "1", "-o", "t.jsonl", "--proof", "proofs")
    assert made.stdout.startswith("t.jsonl: 8 problems, every trace accepted by the checker.\nproofs: ")
    assert beside("verify", "t.jsonl").stderr.endswith("8 traces, 0 bad.\n")


def test_the_model_is_trained_on_the_task_and_evaluated_on_it(beside):
    course = ("--task", "job-shop", "--level", "tiny", "-n", "20", "--workers", "1")
    trained = beside("train", "--model", "word-count", *course, "-o", "student")
    assert re.fullmatch(r"student: SHA-256 [0-9a-f]{64}\n", trained.stdout)
    ran = beside("run", "--task", "job-shop", "--model", "word-count:student", "--limit", "3", "-o", "out")
    assert ran.stdout.split()[0] == "job-shop-tiny"


def test_the_model_is_trained_first_where_it_has_no_weights(beside):
    ran = beside("run", "--task", "sat", "--model", "word-count", "--limit", "3")
    assert "word-count has no weights yet: training it into reports/students/word-count-" in ran.stderr
    assert ran.stdout.split()[0] == "sat-tiny"


@pytest.mark.heavy
def test_the_task_goes_from_traces_to_a_report_in_a_fresh_environment(root, written, tmp_path):
    pytest.importorskip("torch")
    command, work = separate(tmp_path, root, written["task"], "aletheia_job_shop")
    (work / "toy.toml").write_text(CARD.replace("nqueens", "job-shop"))
    command("train", "--model", "toy.toml", "-M", "architecture.max_position_embeddings=512", "-o", "student")
    for model in ("hf:student", "aletheia-tiny"):
        limits = ("--limit", "4", "--max-tokens", "64", "--no-control")
        ran = command("run", "--task", "job-shop", "--model", model, *limits, "-o", model.replace(":", "-"))
        assert ran.stdout.split()[0] == "job-shop-tiny"
        (report,) = (work / model.replace(":", "-")).glob("*/job-shop-tiny-*/report.md")
        assert "job-shop" in report.read_text()
