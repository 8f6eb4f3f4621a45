"""Finds the installed plugins and loads each one on its own: a broken plugin is reported, and the others go on.

Knows the hooks, not what they bring: it runs no task, opens no back-end and reads no card. pluggy's own
`load_setuptools_entrypoints` is not used, because it stops at the first plugin that fails to import and skips a second
one of the same name without a word.
"""

import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from time import perf_counter
from typing import Any, Literal as OneOf, TypeVar

import pluggy

from aletheia_plugins import hookspecs
from aletheia_plugins.contract import Backend, Task
from aletheia_plugins.errors import PluginError, UnknownNameError

__all__ = ["PluginReport", "Plugins", "culprit", "defect", "load_plugins"]

GROUP = "aletheia_bench"
BUILT_IN = "aletheia-bench"
"""The distribution whose plugins come first and are never switched off."""
VARIABLE = "ALETHEIA_PLUGINS"
SLOW = 2.0
"""Seconds of loading from which on a plugin is named: every command waits for it."""
KIT = "'aletheia_bench.testing.check_task' tells its author more"
"""How a sentence about a task that does wrong ends."""

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
KINDS = {"aletheia_tasks": "task", "aletheia_backends": "back-end", "aletheia_cards": "card"}
METHODS = {
    "task": tuple(name for name in vars(Task) if not name.startswith("_")),
    "back-end": tuple(name for name in vars(Backend) if not name.startswith("_")),
}

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class PluginReport:
    """What became of one plugin, and the names it provides; nothing unless it is active."""

    name: str
    distribution: str
    version: str
    status: OneOf["active", "broken", "off"]
    tasks: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    cards: tuple[str, ...] = ()
    error: PluginError | None = None
    seconds: float = field(default=0.0, compare=False)
    """That loading it took."""

    @property
    def delay(self) -> str:
        """A sentence if every command waits for a stranger's plugin; otherwise nothing."""
        if self.seconds < SLOW or self.distribution == BUILT_IN:
            return ""
        return (
            f"plugin {self.name!r} of {self.distribution} {self.version} takes {self.seconds:.1f} s to load, and every "
            f"command waits for it: import what is heavy where it is used, or name the plugins to load in {VARIABLE}"
        )


@dataclass(frozen=True, slots=True)
class Plugins:
    """Everything that plugins provide, by name, and a report on each plugin: built-ins first, then by name."""

    tasks: Mapping[str, Task[Any]] = field(default_factory=dict)
    backends: Mapping[str, Backend] = field(default_factory=dict)
    cards: Mapping[str, Path] = field(default_factory=dict)
    """By file stem."""
    reports: tuple[PluginReport, ...] = ()

    def task(self, name: str) -> Task[Any]:
        return _get("task", self.tasks, name)

    def backend(self, name: str) -> Backend:
        return _get("back-end", self.backends, name)

    def card(self, name: str) -> Path:
        return _get("card", self.cards, name)


def load_plugins(only: Sequence[str] | None = None, autoload: bool = True) -> Plugins:
    """Load every installed plugin, or, beside the built-ins, those named by `only` or else by ALETHEIA_PLUGINS.

    Without either, `autoload=False` loads the built-ins alone. Of two plugins that claim a name, a built-in wins, then
    the alphabetically first; the other one is broken as a whole. Raises UnknownNameError for a plugin that is named
    and not installed; all else that can go wrong stands in the reports.
    """
    sources = sorted(map(_Source, entry_points(group=GROUP)), key=_Source.order)
    chosen = _chosen(only, autoload, [source.name for source in sources])
    taken: dict[tuple[str, str], _Item] = {}
    reports = []
    for source in sources:
        if chosen is not None and source.name not in chosen and not source.built_in:
            reports.append(source.report("off"))
            continue
        began = perf_counter()
        try:
            with redirect_stdout(sys.stderr):  # what a command prints is for those who read it, and its alone
                items = source.load(taken)
        except PluginError as error:
            reports.append(source.report("broken", error=error, seconds=perf_counter() - began))
            continue
        taken |= items
        reports.append(source.report("active", names=list(items), seconds=perf_counter() - began))
    tasks, backends, cards = ({n: i.value for (k, n), i in taken.items() if k == kind} for kind in KINDS.values())
    return Plugins(tasks, backends, cards, tuple(reports))


def culprit(error: BaseException) -> PluginError | None:
    """The plugin of a stranger whose code was at work when this was raised, in this process or in one of its own."""
    told = "".join(traceback.format_exception(error))
    for source in map(_Source, entry_points(group=GROUP)):
        module = sys.modules.get(source.entry.module.partition(".")[0])
        file = getattr(module, "__file__", None)
        if file and not source.built_in:
            place = re.escape(str(Path(file).parent / "") if file.endswith("__init__.py") else file)
            if lines := re.findall(rf'File "({place}[^"]*)", line (\d+), in (\w+)', told):
                where, line, function = lines[-1]
                return source.error(f"{function} ({where}:{line}) failed: {type(error).__name__}: {error}")
    return None


def defect(task: Task[Any]) -> str:
    """The end of a sentence about something that a task does not keep: whose doing it is, and the way out."""
    package = type(task).__module__.partition(".")[0]
    sources = (s for s in map(_Source, entry_points(group=GROUP)) if s.entry.module.partition(".")[0] == package)
    label = f"task {task.name}"
    return f"a defect of {next((source.origin(label) for source in sources), label)}; {KIT}."


@dataclass(frozen=True, slots=True)
class _Item:
    """Something that a plugin provides; `origin` says who and where, for an error about it."""

    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class _Source:
    """One entry point: a plugin before it is loaded."""

    entry: EntryPoint

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def distribution(self) -> str:
        return self.entry.dist.name if self.entry.dist else "an unknown distribution"

    @property
    def version(self) -> str:
        return self.entry.dist.version if self.entry.dist else ""

    @property
    def built_in(self) -> bool:
        return self.distribution == BUILT_IN

    def order(self) -> tuple[bool, str, str]:
        return not self.built_in, self.name, self.distribution

    def report(
        self,
        status: OneOf["active", "broken", "off"],
        *,
        names: Sequence[tuple[str, str]] = (),
        error: PluginError | None = None,
        seconds: float = 0.0,
    ) -> PluginReport:
        tasks, backends, cards = (tuple(n for k, n in names if k == kind) for kind in KINDS.values())
        return PluginReport(self.name, self.distribution, self.version, status, tasks, backends, cards, error, seconds)

    def error(self, cause: str) -> PluginError:
        """Without line ends and escapes: a stranger's text may not clear a terminal or look like another sentence."""
        cause = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(cause.split()))
        return PluginError(self.name, f"{self.distribution} {self.version}".strip(), cause)

    @contextmanager
    def failing(self, what: str) -> Iterator[None]:
        """Turn whatever a stranger's code raises, SystemExit included, into a PluginError that starts with `what`."""
        try:
            yield
        except PluginError:
            raise
        except (Exception, SystemExit) as error:
            raise self.error(f"{what}: {type(error).__name__}: {error}".removesuffix(": ")) from error

    def load(self, taken: Mapping[tuple[str, str], _Item]) -> dict[tuple[str, str], _Item]:
        """All that the plugin provides, by kind and name. Raises PluginError, and then nothing of it is used."""
        with self.failing(f"importing {self.entry.value} failed"):
            plugin = self.entry.load()
        hooks = self.hooks(plugin)
        items: dict[tuple[str, str], _Item] = {}
        for hook, kind in KINDS.items():
            for thing in self.call(hooks, hook):
                with self.failing(f"a {kind} it provides cannot be used"):
                    name, item = self.card(thing) if kind == "card" else self.instance(kind, thing)
                if other := taken.get((kind, name)) or items.get((kind, name)):
                    raise self.error(
                        f"the {kind} name {name!r} of {item.origin} is taken by {other.origin}; "
                        f"rename one, or name the plugins to load in {VARIABLE}"
                    )
                items[kind, name] = item
        return items

    def hooks(self, plugin: object) -> pluggy.HookRelay:
        """The plugin's hooks, in a manager of its own: what is wrong with one plugin cannot reach another."""
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        with self.failing(f"{self.entry.value} does not fit the hooks {', '.join(KINDS)}"):
            manager.register(plugin, self.name)
            manager.check_pending()
        if not manager.get_hookcallers(plugin):
            raise self.error(f"{self.entry.value} implements no hook; mark one of {', '.join(KINDS)} with hookimpl")
        return manager.hook

    def call(self, hooks: pluggy.HookRelay, hook: str) -> Sequence[Any]:
        caller = getattr(hooks, hook)
        with self.failing(f"its hook {hook} failed"):
            results = caller()
        if len(results) < len(caller.get_hookimpls()):  # pluggy drops None
            results.append(None)
        for result in results:
            if not isinstance(result, list | tuple):
                raise self.error(f"its hook {hook} must return a list, not {result!r}")
        return [thing for result in results for thing in result]

    def instance(self, kind: str, thing: Any) -> tuple[str, _Item]:
        """The task or back-end of class `thing`."""
        if not isinstance(thing, type):
            raise self.error(f"{thing!r} is not a {kind} class")
        label = f"class {thing.__module__}.{thing.__qualname__}"
        name = getattr(thing, "name", None)
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise self.error(f"the name of {label} must be lower-case letters, digits and hyphens, not {name!r}")
        if missing := [method for method in METHODS[kind] if not callable(getattr(thing, method, None))]:
            raise self.error(f"{label} is not a {kind}: it lacks {', '.join(missing)}")
        if kind == "task":
            self.check_task(thing, label)
        with self.failing(f"{label} cannot be made without arguments"):
            return name, _Item(thing(), self.origin(label))

    def check_task(self, thing: type, label: str) -> None:
        version, levels = getattr(thing, "version", None), getattr(thing, "levels", None)
        if not isinstance(version, str) or not version:
            raise self.error(f"the version of {label} must be a string such as '1', not {version!r}")
        if not isinstance(levels, list | tuple) or not levels or not all(isinstance(level, str) for level in levels):
            raise self.error(f"the levels of {label} must be a tuple of names such as ('tiny',), not {levels!r}")

    def card(self, thing: Any) -> tuple[str, _Item]:
        if not isinstance(thing, Path) or thing.suffix != ".toml" or not thing.is_file():
            raise self.error(f"a card must be the Path of a .toml file that exists, not {thing!r}")
        return thing.stem, _Item(thing, self.origin(f"file {thing}"))

    def origin(self, label: str) -> str:
        return f"{label} (plugin {self.name!r} of {self.distribution} {self.version})"


def _chosen(only: Sequence[str] | None, autoload: bool, known: Sequence[str]) -> frozenset[str] | None:
    """The plugins to load beside the built-ins; None: all."""
    if only is None and VARIABLE in os.environ:
        only = [name.strip() for name in os.environ[VARIABLE].split(",") if name.strip()]
    if only is None:
        return None if autoload else frozenset()
    for name in only:
        if name not in known:
            raise UnknownNameError("plugin", name, known)
    return frozenset(only)


def _get(kind: str, things: Mapping[str, V], name: str) -> V:
    if name not in things:
        raise UnknownNameError(kind, name, things)
    return things[name]
