"""How options are spelt: ALETHEIA_<OPTION> in the environment, comma lists and repeats, `_` for `-`."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["Names", "Shard", "names", "option", "spelling"]

F = TypeVar("F", bound=Callable[..., Any])


def option(*spellings: str, **attributes: Any) -> Callable[[F], F]:
    """click.option that also reads ALETHEIA_<OPTION>, and shows its default."""
    longs = [s.partition("/")[0] for s in spellings if s.startswith("--")]
    variables = ["ALETHEIA_" + long.removeprefix("--").upper().replace("-", "_") for long in longs]
    return click.option(
        *spellings, **{"envvar": variables, "show_default": attributes.get("default") is not None, **attributes}
    )


def spelling(name: str) -> str:
    """`--max_tokens` is `--max-tokens`."""
    return name.replace("_", "-")


class Names(click.ParamType[tuple[str, ...]]):
    """One or more names, separated by commas."""

    name = "name[,name]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        parts = tuple(part for part in (part.strip() for part in str(value).split(",")) if part)
        if not parts:
            self.fail(f"{value!r} has no name in it.", param, ctx)
        return parts


def names(values: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The names of a repeated option, each once, in order."""
    return tuple(dict.fromkeys(name for value in values for name in value))


class Shard(click.ParamType[tuple[int, int]]):
    """i/n: the i-th of n equal parts, counted from 0."""

    name = "i/n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        part, _, total = str(value).partition("/")
        if not (part.isdecimal() and total.isdecimal() and int(part) < int(total)):
            self.fail(f"{value!r} is not i/n with 0 <= i < n, such as 0/4.", param, ctx)
        return int(part), int(total)


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def folder() -> click.Path:
    return click.Path(file_okay=False, path_type=Path)


def file(*, exists: bool = False) -> click.Path:
    return click.Path(dir_okay=False, exists=exists, path_type=Path)
