"""constraints.txt pins what the Makefile installs."""

import tomllib

import pytest
from packaging.dependency_groups import resolve_dependency_groups
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@pytest.fixture(scope="module")
def pins(root) -> list[Requirement]:
    lines = (root / "constraints.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def test_every_dependency_is_pinned_inside_its_range(root, pins):
    data = tomllib.loads((root / "pyproject.toml").read_text())
    wanted = [*data["project"]["dependencies"], *data["project"]["optional-dependencies"]["hf"]]
    wanted += [*resolve_dependency_groups(data["dependency-groups"], "dev"), *data["build-system"]["requires"]]
    versions = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)], prereleases=True), (
            requirement
        )


def test_a_pin_is_exact_and_takes_any_build_of_its_version(pins):
    for pin in pins:
        assert str(pin.specifier).startswith("=="), pin
        assert "+" not in str(pin.specifier), pin
        assert pin.url is None, pin


def test_torch_is_pinned_first(pins):
    assert pins[0].name == "torch"
