"""The page about the command line is what the commands say of themselves."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_help_says(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")  # whatever the terminal
    page = runpy.run_path(str(ROOT / "tools/command_line.py"))["page"]()
    assert (ROOT / "docs/command-line.md").read_text(encoding="utf-8") == page, (
        "python tools/command_line.py > docs/command-line.md"
    )
