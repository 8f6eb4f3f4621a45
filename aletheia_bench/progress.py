"""Shows how far a long job is: a bar on a terminal, a line now and then elsewhere. Knows nothing of the job."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
import rich.console
from rich.progress import BarColumn, Progress as Bars, TextColumn, TimeRemainingColumn

from aletheia_plugins import Progress

__all__ = ["progress"]

QUIET = 2.0
"""Seconds before a job is worth mentioning."""
EVERY = 15.0
"""Seconds between plain lines."""


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """A function to call with (done, total, figure=value ...)."""
    if not sys.stderr.isatty():
        yield _lines(title)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"), TimeRemainingColumn())
    with Bars(*columns, console=rich.console.Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None, text="")

        def show(done: int, total: int, **figures: float) -> None:
            bars.update(task, completed=done, total=total, text=_text(done, total, figures))

        yield show


def _lines(title: str) -> Progress:
    last = time.monotonic() + QUIET - EVERY

    def show(done: int, total: int, **figures: float) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            click.echo(f"{title}: {_text(done, total, figures)}", err=True)

    return show


def _text(done: int, total: int, figures: dict[str, float]) -> str:
    return "  ".join([f"{done:,}/{total:,}", *(f"{name} {value:,.4g}" for name, value in figures.items())])
