"""Writes a plugin of one's own, whole and at work, from templates/new. Knows names and files, not what is in them.

Paths and texts of templates are `string.Template`s with the fields of `Names`; `both` has what tasks and models share.
"""

import builtins
import re
import typing
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from string import Template
from typing import Literal as OneOf

import aletheia_plugins
from aletheia_plugins import Plugins, UsageError

__all__ = ["Kind", "Names", "chosen", "write"]

Kind = OneOf["task", "model"]

TEMPLATES = Path(__file__).with_name("templates") / "new"
SUFFIX = ".tmpl"
"""Behind the name of a template, so that no tool takes it for code, or for a .gitignore of ours."""
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST = 30
"""Letters of a name, so that lines with it stay short enough."""
CLASSES = {*aletheia_plugins.__all__, *typing.__all__, *dir(builtins), "Path", "Problem", "Writer"}
"""What templates import or define, or may well when they were changed; and what Python has anyway."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a new plugin is called, wherever it has a name."""

    name: str
    plugin: str
    """The task, or the back-end and its card; and the entry point."""
    package: str
    distribution: str
    class_name: str
    version: str
    """Of aletheia-bench, at least."""


def chosen(name: str, plugins: Plugins) -> Names:
    """Raises UsageError for a name that cannot be had."""
    given, name = name, name.replace("-", "_")
    plugin, package = name.replace("_", "-"), f"aletheia_{name}"
    class_name = "".join(part[0].upper() + part[1:] for part in name.split("_") if part)
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise UsageError(
            f"{given!r} is no name for a plugin: take at most {LONGEST} lower-case letters, digits and single "
            f"underscores between them, such as job_shop."
        )
    if iskeyword(name) or class_name in CLASSES:
        why = "is a keyword of Python" if iskeyword(name) else f"would be a class {class_name}, and there is one"
        raise UsageError(f"{name!r} {why}: take another name, such as my_{name}.")
    for report in plugins.reports:
        if plugin in (report.name, *report.tasks, *report.backends, *report.cards):
            raise UsageError(f"{plugin!r} is the name of something in {report.distribution}: take another one.")
    if find_spec(package):
        raise UsageError(f"There is a package {package} on this machine: take another name than {name!r}.")
    return Names(name, plugin, package, package.replace("_", "-"), class_name, version("aletheia-bench"))


def write(kind: Kind, names: Names, folder: Path) -> list[Path]:
    """The files, seen from the folder. Raises UsageError if it has any already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already, and no empty folder: take another one with -o.")
    texts = dict(_texts(kind, names))
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return sorted(texts)


def _texts(kind: Kind, names: Names) -> Iterator[tuple[Path, str]]:
    for root in (TEMPLATES / "both", TEMPLATES / kind):
        for template in root.rglob(f"*{SUFFIX}"):
            path, text = (
                Template(written).substitute(asdict(names))
                for written in (str(template.relative_to(root)), template.read_text(encoding="utf-8"))
            )
            yield Path(path.removesuffix(SUFFIX)), text
