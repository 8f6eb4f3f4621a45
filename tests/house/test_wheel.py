"""The wheel holds the four packages, whole, and nothing else at its top."""

import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest
from hatchling.build import build_wheel


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        name = build_wheel(str(folder))
    with zipfile.ZipFile(folder / name) as archive:
        yield archive


def test_the_top_of_the_wheel_is_the_four_packages(wheel, sources):
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(sources)


def test_every_file_of_the_packages_is_in_the_wheel(wheel, sources):
    """Code, levels, cards and weights: hatchling leaves out what .gitignore names, without a word."""
    files = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in sources.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files - set(wheel.namelist()) == set()


def test_every_package_is_typed(wheel, sources):
    assert {f"{package}/py.typed" for package in sources} <= set(wheel.namelist())


def test_every_task_brings_its_levels(wheel):
    for task in ("sat", "coloring", "sudoku"):
        assert f"aletheia_tasks/{task}/levels.toml" in wheel.namelist()


def test_the_embedded_student_is_in_the_wheel(wheel):
    names = wheel.namelist()
    assert "aletheia_models/cards/aletheia-tiny.toml" in names
    assert any(Path(name).match("aletheia_models/students/aletheia-tiny/*.safetensors") for name in names)


def test_the_builtins_use_the_same_door_as_a_strangers_plugin(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt")]
    points = ConfigParser()
    points.read_string(wheel.read(name).decode())
    assert dict(points["aletheia_bench"]) == {"aletheia-tasks": "aletheia_tasks", "aletheia-models": "aletheia_models"}
    assert dict(points["console_scripts"]) == {"aletheia-bench": "aletheia_bench.cli:main"}


def test_the_licence_is_in_the_wheel(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
    assert "Apache License" in wheel.read(name).decode()
