"""The site builds without a warning, has all that plugins may import, and takes nothing from another host."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import aletheia_bench.testing
import aletheia_plugins

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", folder],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    return folder


def test_the_reference_has_every_public_name(site):
    page = (site / "reference.html").read_text(encoding="utf-8")
    for module in (aletheia_plugins, aletheia_bench.testing):
        missing = [name for name in module.__all__ if f'id="{module.__name__}.{name}"' not in page]
        assert missing == [], module.__name__


def test_nothing_is_loaded_from_another_host(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert re.findall(r'(?:\bsrc|<link[^>]*\bhref)="(?:https?:)?//[^"]*', text) == [], page.name


def test_every_include_is_written_as_one():
    for page in ROOT.glob("docs/*.md"):
        lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("--8")]
        assert [line for line in lines if not re.fullmatch(r'--8<-- "[^"]+"', line)] == [], page.name
