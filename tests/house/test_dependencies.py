"""What the packages import is declared, and what is declared is imported."""

import sys
import tomllib
from importlib.metadata import packages_distributions

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

THROUGH = {"bitsandbytes"}
"""What other packages import when ours ask them to."""


@pytest.fixture(scope="module")
def imported(sources) -> set[str]:
    """The distributions whose modules the four packages import."""
    graph = grimp.build_graph(*sources, include_external_packages=True, cache_dir=None)
    modules = {name.partition(".")[0] for name in graph.modules} - set(sources) - sys.stdlib_module_names
    return {canonicalize_name(name) for module in modules for name in packages_distributions()[module]}


@pytest.fixture(scope="module")
def declared(root) -> set[str]:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = project["dependencies"] + [line for extra in extras.values() for line in extra]
    return {canonicalize_name(Requirement(line).name) for line in lines} - {project["name"]}


def test_what_is_imported_is_declared(imported, declared):
    assert imported <= declared


def test_what_is_declared_is_imported(imported, declared):
    assert declared - THROUGH <= imported
    assert not THROUGH & imported
