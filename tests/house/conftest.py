"""The source tree, and a way to ask a fresh interpreter."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def sources(root: Path) -> dict[str, Path]:
    """Package → its folder in the source tree."""
    homes = {
        "aletheia_bench": ".",
        "aletheia_plugins": "plugins",
        "aletheia_tasks": "tasks",
        "aletheia_models": "models",
    }
    return {package: root / home / package for package, home in homes.items()}


@pytest.fixture(scope="session")
def python() -> Callable[[str], str]:
    """Run a program text in a fresh interpreter; what it printed."""

    def run(code: str) -> str:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
