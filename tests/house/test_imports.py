"""Arrows point at the contract, and what is heavy is imported where it is used."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ["numpy", "ortools", "pandas", "pysat", "scipy", "torch", "transformers"]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def lint_imports(root: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Lint the packages in `folder`, or those that are installed if it holds none: lint-imports looks there first."""
    command = [LINT_IMPORTS, "--config", root / "pyproject.toml", "--no-cache"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)


def test_every_arrow_between_the_packages_is_allowed(root, tmp_path):
    done = lint_imports(root, tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("aletheia_bench/search.py", "import aletheia_tasks", "The harness, the tasks and the models never import"),
        ("aletheia_tasks/sat/__init__.py", "import aletheia_bench.text", "The harness, the tasks and the models never"),
        ("aletheia_plugins/values.py", "import pysat.formula", "The contract knows neither the other packages"),
        ("aletheia_tasks/sat/__init__.py", "import aletheia_tasks.sudoku", "No task imports another"),
        ("aletheia_bench/text.py", "import aletheia_bench.search", "The checker shares no code with the search"),
        ("aletheia_plugins/values.py", "import aletheia_plugins.contract", "There are no import cycles"),
    ],
)
def test_an_arrow_that_is_not_allowed_is_caught(root, sources, tmp_path, module, line, contract):
    for package, source in sources.items():
        shutil.copytree(source, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "students"))
    with (tmp_path / module).open("a") as file:
        file.write(f"\n{line}\n")
    done = lint_imports(root, tmp_path)
    assert done.returncode == 1
    assert any(report.startswith(contract) and "BROKEN" in report for report in done.stdout.splitlines()), done.stdout


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import aletheia_plugins", HEAVY),
        ("import aletheia_bench.checker", HEAVY),
        (
            "import aletheia_plugins; aletheia_plugins.load_plugins([])",
            ["ortools", "pandas", "pysat", "torch", "transformers"],
        ),
        ("import aletheia_bench.cli", ["ortools", "pandas", "pysat", "torch", "transformers"]),
    ],
)
def test_starting_is_cheap(python, code, absent):
    imported = python(f"{code}\nimport sys; print(*sys.modules)").split()
    assert [name for name in absent if name in imported] == []


@pytest.mark.parametrize(
    "line", ["import tasks", "import models", "from plugins import aletheia_plugins", "import reports"]
)
def test_a_source_folder_is_not_to_be_imported(root, line):
    """An editable install would let it succeed, as an empty namespace package."""
    ruff = [Path(sys.executable).with_name("ruff"), "check", "--no-cache", "--config", root / "pyproject.toml"]
    done = subprocess.run(
        [*ruff, "--select=TID251", "-"], input=f"{line}\n", capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "is a folder" in done.stdout
