"""The hooks a plugin may implement: this file is the table of contents."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pluggy

from aletheia_plugins.contract import Backend, Task

hookspec = pluggy.HookspecMarker("aletheia_bench")
hookimpl = pluggy.HookimplMarker("aletheia_bench")


@hookspec
def aletheia_tasks() -> Sequence[type[Task[Any]]]:
    """Task classes."""
    raise NotImplementedError


@hookspec
def aletheia_backends() -> Sequence[type[Backend]]:
    """Back-end classes."""
    raise NotImplementedError


@hookspec
def aletheia_cards() -> Sequence[Path]:
    """TOML files, each the card of one model."""
    raise NotImplementedError
