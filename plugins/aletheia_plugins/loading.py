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
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from pathlib import Path
from time import perf_counter
from typing import Any, Literal as OneOf, TypeVar

import pluggy

from aletheia_plugins import hookspecs
from aletheia_plugins.contract import Backend, Task
from aletheia_plugins.errors import PluginError, UnknownNameError

__all__ = ["PluginReport", "Plugins", "culprit", "defect", "kit", "load_plugins", "printable", "said"]

GROUP = "aletheia_bench"
BUILT_IN = "aletheia-bench"
"""The distribution whose plugins come first and are never switched off."""
VARIABLE = "ALETHEIA_PLUGINS"
SLOW = 2.0
"""Seconds of loading from which on a plugin is named: every command waits for it."""
KIT = {"task": "check_task", "back-end": "check_model", "model": "check_model"}
"""What finds more about one that does wrong, in `aletheia_bench.testing`."""

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
    def release(self) -> str:
        """Distribution and version."""
        return f"{self.distribution} {self.version}"

    @property
    def label(self) -> str:
        """Whose something is, in a sentence about it."""
        return f"plugin {self.name!r} of {self.release}"

    @property
    def delay(self) -> str:
        """A sentence if every command waits for a stranger's plugin; otherwise nothing."""
        if self.seconds < SLOW or self.distribution == BUILT_IN:
            return ""
        return (
            f"{self.label} takes {self.seconds:.1f} s to load, and every command waits for it: "
            f"import what is heavy where it is used, or name the plugins to load in {VARIABLE}"
        )


@dataclass(frozen=True, slots=True)
class Plugins:
    """Everything that plugins provide, by name, and a report on each plugin: built-ins first, then by name."""

    tasks: Mapping[str, Task[Any]] = field(default_factory=dict)
    backends: Mapping[str, Backend] = field(default_factory=dict)
    cards: Mapping[str, Path] = field(default_factory=dict)
    """By file stem."""
    reports: tuple[PluginReport, ...] = ()
    used: set[tuple[str, str]] = field(default_factory=set, compare=False, repr=False)
    """Kind and name of the tasks and back-ends that were asked for."""

    def task(self, name: str) -> Task[Any]:
        self.used.add(("task", name))
        return _get("task", self.tasks, name)

    def backend(self, name: str) -> Backend:
        self.used.add(("back-end", name))
        return _get("back-end", self.backends, name)

    def card(self, name: str) -> Path:
        return _get("card", self.cards, name)

    def strangers(self) -> dict[tuple[str, str], str]:
        """Kind and name of what was asked for and is not built in → whose it is."""
        return {
            (kind, name): report.label
            for report in self.reports
            for kind, names in (("task", report.tasks), ("back-end", report.backends))
            for name in names
            if report.distribution != BUILT_IN and (kind, name) in self.used
        }

    def kinds(self, error: PluginError) -> list[str]:
        """Whether the plugin of the error brings tasks, back-ends or both."""
        found = [r for r in self.reports if (r.name, r.release) == (error.plugin, error.distribution)]
        return [kind for kind in ("task", "back-end") if any(r.tasks if kind == "task" else r.backends for r in found)]


def load_plugins(only: Sequence[str] | None = None, autoload: bool = True) -> Plugins:
    """Load every installed plugin, or, beside the built-ins, those named by `only` or else by ALETHEIA_PLUGINS.

    Without either, `autoload=False` loads the built-ins alone. Of two plugins that claim a name, a built-in wins, then
    the alphabetically first; the other one is broken as a whole. Raises UnknownNameError for a plugin that is named
    and not installed; all else that can go wrong stands in the reports.
    """
    sources, unread = _found()
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
    return Plugins(tasks, backends, cards, (*reports, *(unread if chosen is None else [])))


def culprit(error: BaseException) -> PluginError | None:
    """The plugin of a stranger whose code was at work when this was raised, in this process or in one of its own."""
    told = "".join(traceback.format_exception(error))
    for source in _found()[0]:
        module = sys.modules.get(source.package)
        file = getattr(module, "__file__", None)
        if file and not source.built_in:
            place = re.escape(str(Path(file).parent / "") if file.endswith("__init__.py") else file)
            if lines := re.findall(rf'File "({place}[^"]*)", line (\d+), in (\S+)', told):
                where, line, function = lines[-1]
                return source.error(f"{function} ({where}:{line}) failed: {said(error)}")
    return None


def defect(thing: object) -> str:
    """The end of a sentence on what a task, back-end or model does not keep: whose doing it is, and the way out."""
    package = type(thing).__module__.partition(".")[0]
    sources = (source for source in _found()[0] if source.package == package)
    kind = "task" if hasattr(thing, "generate") else "back-end" if hasattr(thing, "open") else "model"
    label = f"{kind} {getattr(thing, 'name', type(thing).__qualname__)}"
    return f"a defect of {next((source.origin(label) for source in sources), label)}; {kit(kind)}."


def kit(*kinds: str) -> str:
    """Where the author of a task, back-end or model finds out more."""
    checks = dict.fromkeys(f"'aletheia_bench.testing.{KIT[kind]}'" for kind in kinds or KIT)
    return f"{' or '.join(checks)} tells its author more"


@dataclass(frozen=True, slots=True)
class _Item:
    """Something that a plugin provides; `origin` says who and where, for an error about it."""

    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class _Source:
    """One entry point: a plugin before it is loaded."""

    entry: EntryPoint
    name: str
    distribution: str
    version: str

    @classmethod
    def of(cls, entry: EntryPoint) -> "_Source":
        return cls(entry, printable(entry.name), *_label(entry.dist))

    @property
    def package(self) -> str:
        """The module at the top; of a value that names none, nothing that is imported."""
        return re.split(r"[.:\s]", self.entry.value, maxsplit=1)[0]

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
        return PluginError(self.name, f"{self.distribution} {self.version}".strip(), printable(cause))

    @contextmanager
    def failing(self, what: str) -> Iterator[None]:
        """Turn whatever a stranger's code raises, but for Ctrl-C, into a PluginError that starts with `what`."""
        try:
            yield
        except (PluginError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise self.error(f"{what}: {said(error)}") from error

    def load(self, taken: Mapping[tuple[str, str], _Item]) -> dict[tuple[str, str], _Item]:
        """All that the plugin provides, by kind and name. Raises PluginError, and then nothing of it is used."""
        with self.failing(f"importing {self.entry.value} failed"):
            plugin = self.entry.load()
        hooks = self.hooks(plugin)
        items: dict[tuple[str, str], _Item] = {}
        for hook, kind in KINDS.items():
            with self.failing(f"its hook {hook} failed"):
                things = self.call(hooks, hook)
            for thing in things:
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
        if type(name) is not str or not NAME.fullmatch(name):
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
        if not version.isprintable() or " " in version:
            raise self.error(f"the version of {label} must be a word such as '1', not {version!r}")
        if not isinstance(levels, list | tuple) or not levels or not all(isinstance(level, str) for level in levels):
            raise self.error(f"the levels of {label} must be a tuple of names such as ('tiny',), not {levels!r}")
        for level in levels:
            if not NAME.fullmatch(level):
                raise self.error(f"a level of {label} must be lower-case letters, digits and hyphens, not {level!r}")

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


def _found() -> tuple[list[_Source], list[PluginReport]]:
    """The installed plugins, the built-in ones first, then by name; and a report on what cannot be read."""
    unread: list[PluginReport] = []
    try:
        sources = [_Source.of(entry) for entry in entry_points(group=GROUP)]
    except Exception:  # noqa: BLE001 - some distribution's files are damaged, anyone's
        sources, unread = _one_by_one()
    return sorted(sources, key=_Source.order), unread


def _one_by_one() -> tuple[list[_Source], list[PluginReport]]:
    """The same, slowly; of two distributions of a name, the first on the path counts, as for `entry_points`."""
    sources: list[_Source] = []
    reports: list[PluginReport] = []
    seen: set[str] = set()
    for distribution in distributions():
        name, version = _label(distribution)
        if (key := re.sub("[-_.]+", "-", name).lower()) in seen:
            continue
        seen.add(key)
        try:
            sources += map(_Source.of, distribution.entry_points.select(group=GROUP))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            if _claims(distribution):
                cause = printable(f"its entry_points.txt cannot be read: {said(error)}; install it again")
                broken = PluginError(name, f"{name} {version}", cause)
                reports.append(PluginReport(name, name, version, "broken", error=broken))
    return sources, reports


def _claims(distribution: Distribution) -> bool:
    """Whether a damaged distribution meant to bring plugins of ours."""
    try:
        return f"[{GROUP}]" in (distribution.read_text("entry_points.txt") or "")
    except UnicodeDecodeError as error:
        return f"[{GROUP}]".encode() in error.object


def _label(distribution: Distribution | None) -> tuple[str, str]:
    """Name and version, or what to call a distribution that does not say them."""
    if distribution is None:
        return "an unknown distribution", ""
    try:
        said = {field: distribution.metadata[field] for field in ("Name", "Version") if field in distribution.metadata}
    except UnicodeDecodeError:
        said = {}
    name = said.get("Name") or f"an unnamed distribution in {distribution.locate_file('')}"
    return printable(name), printable(said.get("Version") or "without a version")


def said(error: BaseException) -> str:
    """Kind and text of an error; the kind alone if it has no text, or none that can be had."""
    kind = type(error).__name__
    try:
        return f"{kind}: {error}".removesuffix(": ")
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - it is a stranger's
        return kind


def printable(text: str) -> str:
    """Without line ends and escapes: a stranger's text may not clear a terminal or look like another sentence."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))


def _get(kind: str, things: Mapping[str, V], name: str) -> V:
    if name not in things:
        raise UnknownNameError(kind, name, things)
    return things[name]
