"""Processes that work for a command end with it, even if it is killed: else they hold its files for hours."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .test_cli import needs
from .test_study import CARD, LEAST

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def until(found, seconds=60):
    """The first of what `found` returns that is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if it := found():
            return it
        time.sleep(0.1)
    pytest.fail(f"waited for {seconds} seconds")


def descendants(process: int) -> list[int]:
    try:
        children = [
            int(n) for path in Path(f"/proc/{process}/task").glob("*/children") for n in path.read_text().split()
        ]
    except FileNotFoundError:
        return []
    return children + [each for child in children for each in descendants(child)]


def at_work(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("line", "begun"),
    [
        ("traces --task sat --level small -n 100000 --workers 2 -o corpus.jsonl", "corpus.jsonl"),
        ("study study.toml --workers 1 -o out", "out/**/checkpoint"),
    ],
)
def test_the_processes_of_a_command_end_when_it_is_killed(tmp_path, line, begun):
    needs("torch")
    (tmp_path / "m.toml").write_text(CARD.replace("4_000", "400_000") + "checkpoint_seconds = 1\n")
    (tmp_path / "study.toml").write_text(LEAST)
    command = subprocess.Popen([sys.executable, "-m", "aletheia_bench", *line.split()], cwd=tmp_path)
    try:
        until(lambda: [p for p in tmp_path.glob(begun) if p.is_dir() or p.stat().st_size])
        helpers = descendants(command.pid)
    finally:
        command.send_signal(signal.SIGKILL)
        command.wait()
    assert helpers
    until(lambda: not any(map(at_work, helpers)), 20)
