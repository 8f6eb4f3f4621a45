"""Fake distributions: real entry points in a folder on sys.path, as pip would lay them."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """`install("toy", "1.2", "source of the module toy", plugins={"toy": "toy"})` makes a distribution in a folder.

    The last one installed hides another of its name, so `install("aletheia-bench", ...)` replaces the built-ins.
    """
    monkeypatch.delenv("ALETHEIA_PLUGINS", raising=False)
    before = set(sys.modules)

    def make(
        name: str, version: str = "1.0", source: str = "", *, module: str = "", plugins: dict[str, str] | None = None
    ) -> Path:
        module = module or name.replace("-", "_")
        folder = tmp_path / name
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [f"{plugin} = {value}\n" for plugin, value in (plugins or {name: module}).items()]
        (info / "entry_points.txt").write_text("[aletheia_bench]\n" + "".join(lines))
        (folder / f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(folder)
        return folder

    yield make
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
