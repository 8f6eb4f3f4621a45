"""Where the instances made by others are, if anywhere."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def instances() -> Path:
    """A folder with sat/, coloring/ and sudoku/: ALETHEIA_INSTANCES, or one beside the repository."""
    named = os.environ.get("ALETHEIA_INSTANCES")
    for folder in [Path(named)] if named else sorted(ROOT.glob("../*/data")):
        if all((folder / task).is_dir() for task in ("sat", "coloring", "sudoku")):
            return folder
    pytest.skip("no folder of instances: set ALETHEIA_INSTANCES")
