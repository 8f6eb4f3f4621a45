"""What all tests share: no deadlines on a busy machine, instances made by others, proof of which copy is tested."""

import os
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ["aletheia_bench", "aletheia_plugins", "aletheia_tasks", "aletheia_models"]

hypothesis.settings.register_profile("local", deadline=None)
if hypothesis.settings.get_current_profile_name() == "default":  # in CI, Hypothesis has chosen "ci" by itself
    hypothesis.settings.load_profile("local")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--installed", type=Path, help="the folder that all four packages must come from")


def pytest_configure(config: pytest.Config) -> None:
    folder: Path | None = config.getoption("--installed")
    if folder is None:
        return
    for package in PACKAGES:
        spec = find_spec(package)
        origin = Path(spec.origin if spec and spec.origin else "nowhere").resolve()
        if folder.resolve() not in origin.parents:
            raise pytest.UsageError(f"{package} comes from {origin}, not from {folder}")


@pytest.fixture(scope="session")
def instances() -> Path:
    """A folder with sat/, coloring/ and sudoku/: ALETHEIA_INSTANCES, or one beside the repository."""
    named = os.environ.get("ALETHEIA_INSTANCES")
    for folder in [Path(named)] if named else sorted(ROOT.glob("../*/data")):
        if all((folder / task).is_dir() for task in ("sat", "coloring", "sudoku")):
            return folder
    pytest.skip("no folder of instances: set ALETHEIA_INSTANCES")
