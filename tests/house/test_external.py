"""A stranger's plugin, tests/external/aletheia-nqueens, is used by every command without an edit anywhere else."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]

PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-cache-dir")
LOCAL = ("--no-index", "--no-deps", "--no-build-isolation")
"""Nothing comes from the network; what is needed to build is here."""

CARD = """
name = "toy"
backend = "hf"
max_tokens = 200

[data]
tasks = ["nqueens"]
levels = ["tiny"]
count = 30

[architecture]
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 2
num_attention_heads = 2
num_key_value_heads = 2
max_position_embeddings = 256

[training]
tokens = 6_000
tokens_per_batch = 2000
learning_rate = 0.01
"""


def called(*command: str | Path, **options) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="session")
def plugin(root) -> Path:
    return root / "tests" / "external" / "aletheia-nqueens"


@pytest.fixture(scope="module")
def beside(plugin, tmp_path_factory) -> Command:
    """The command line where the plugin was installed beside what is here, in an empty folder."""
    site = tmp_path_factory.mktemp("site")
    called(*PIP, "install", *LOCAL, "--target", site, plugin)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ALETHEIA_")}
    environment = clean | {"PYTHONPATH": os.pathsep.join([str(site), *filter(None, sys.path)])}
    folder = tmp_path_factory.mktemp("work")
    return lambda *args: called(sys.executable, "-m", "aletheia_bench", *args, env=environment, cwd=folder)


def separate(folder: Path, root: Path, plugin: Path, package: str) -> tuple[Command, Path]:
    """The command line of an environment that has the wheels of both and sees other people's packages, and its folder.

    pip is done before the environment sees them: what is installed there is none of its business.
    """
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ALETHEIA_") and k != "PYTHONPATH"}
    called(*PIP, "wheel", *LOCAL, "--wheel-dir", folder / "wheels", root, plugin)
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    called(*PIP, "--python", python, "install", *LOCAL, *sorted((folder / "wheels").glob("*.whl")), env=clean)
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    for name in ("aletheia_bench", package):
        found = called(python, "-c", f"import {name}; print({name}.__file__)", env=clean, cwd=folder).stdout
        assert site in Path(found).parents
    command = folder / "venv" / "bin" / "aletheia-bench"
    work = folder / "work"
    work.mkdir()
    return lambda *args: called(command, *args, env=clean, cwd=work), work


@pytest.fixture(scope="module")
def fresh(root, plugin, tmp_path_factory) -> tuple[Command, Path]:
    return separate(tmp_path_factory.mktemp("fresh"), root, plugin, "aletheia_nqueens")


def test_a_strangers_task_is_listed_and_makes_traces_that_are_verified(beside):
    assert re.search(r"^nqueens +1 +tiny, small, medium$", beside("list", "tasks").stdout, re.MULTILINE)
    listed = beside("list", "plugins").stdout
    assert re.search(r"^nqueens +aletheia-nqueens 0\.3\.0 +active +nqueens$", listed, re.MULTILINE)
    made = beside("traces", "--task", "nqueens", "--level", "small", "-n", "8", "--workers", "1", "-o", "q.jsonl")
    assert made.stdout == "q.jsonl: 8 problems, every trace accepted by the checker.\n"
    assert beside("verify", "q.jsonl").stderr.endswith("8 traces, 0 bad.\n")


def test_what_a_stranger_builds_on_proves_too(beside):
    made = beside("traces", "--task", "nqueens", "-n", "8", "--workers", "1", "-o", "p.jsonl", "--proof", "proofs")
    assert re.fullmatch(r"proofs: [1-8] proofs\.", made.stdout.splitlines()[-1])


def test_a_strangers_task_goes_from_traces_to_a_report_in_a_fresh_environment(fresh):
    pytest.importorskip("torch")
    command, work = fresh
    assert "nqueens" in command("list", "tasks").stdout
    made = command("traces", "--task", "nqueens", "--level", "tiny", "-n", "20", "-o", "q.jsonl")
    assert made.stdout == "q.jsonl: 20 problems, every trace accepted by the checker.\n"
    assert command("verify", "q.jsonl").stderr.endswith("20 traces, 0 bad.\n")

    (work / "toy.toml").write_text(CARD)
    trained = command("train", "--model", "toy.toml", "-o", "student")
    assert re.fullmatch(r"student: SHA-256 [0-9a-f]{64}\n", trained.stdout)
    facts = json.loads((work / "student" / "training.json").read_text())
    assert facts["tokens"] >= 6_000

    ran = command("run", "--task", "nqueens", "--level", "tiny", "--model", "hf:student", "--limit", "4", "-o", "out")
    (run,) = (work / "out").glob("*/nqueens-tiny-*")
    assert ran.stdout.split()[0] == "nqueens-tiny"
    config = tomllib.loads((run / "config.toml").read_text())
    assert config["plugins"]["nqueens"] == "aletheia-nqueens 0.3.0"
    assert config["plugins"]["aletheia-tasks"].startswith("aletheia-bench ")
    assert config["versions"]["task"] == "1"
    results = json.loads((run / "results.json").read_text())
    assert list(results["results"]) == ["nqueens-tiny"]

    scored = command("score", str(run.relative_to(work)))
    assert scored.stdout == ran.stdout
    assert "nqueens" in (run / "report.md").read_text()
