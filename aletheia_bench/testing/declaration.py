"""What a task says of itself: its name, version, levels, legend, and the methods that it has."""

import re
from collections.abc import Iterator
from typing import Any

from aletheia_bench.testing.findings import Finding
from aletheia_plugins import Task, UnknownNameError
from aletheia_plugins.loading import METHODS, NAME

__all__ = ["described", "usable"]

LEGEND = re.compile(r"\S+( \S+)*\.")


def usable(kind: type) -> Iterator[Finding]:
    """What keeps a class from being looked at any further."""
    where = f"class {kind.__qualname__}"
    missing = [name for name in METHODS["task"] if not callable(getattr(kind, name, None))]
    if missing:
        yield Finding(where, f"it has no {', no '.join(missing)}.", "Write each method that the contract has.")
    levels = getattr(kind, "levels", None)
    named = isinstance(levels, list | tuple) and all(
        isinstance(level, str) and NAME.fullmatch(level) for level in levels
    )
    if not named or not levels or len(set(levels)) < len(levels):
        remedy = "Name each level once, in lower-case letters, digits and hyphens: levels = ('tiny', 'small')."
        yield Finding(where, f"its levels are {levels!r}.", remedy)
    try:
        kind()
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises is a finding
        yield Finding(where, f"it cannot be made ({error}).", "Let it be made without arguments.")


def described(task: Task[Any]) -> Iterator[Finding]:
    where = f"class {type(task).__qualname__}"
    name, version, legend = (getattr(task, word, None) for word in ("name", "version", "legend"))
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield Finding(where, f"its name is {name!r}.", "Name it in lower-case letters, digits and hyphens.")
    if not isinstance(version, str) or not version or not version.isprintable() or " " in version:
        yield Finding(where, f"its version is {version!r}.", "Let the version be a string such as '1'.")
    if not isinstance(legend, str) or not LEGEND.fullmatch(legend):
        remedy = "Say in sentences, with single spaces and a full stop, how to read a problem."
        yield Finding(where, f"its legend is {legend!r}.", remedy)
    try:
        task.generate("no-such-level", split="train", seed=0, index=0)
    except UnknownNameError:
        return
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises is a finding
        said = f"raises {type(error).__name__}"
    else:
        said = "makes a problem"
    remedy = "Raise UnknownNameError('level', level, self.levels) for a level that it does not have."
    yield Finding(where, f"`generate` of the level 'no-such-level' {said}.", remedy)
