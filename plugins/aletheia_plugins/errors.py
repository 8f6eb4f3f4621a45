"""What can go wrong, as one tree.

AletheiaError                 every error a user can cause; its text is fact + value + way out
├── UsageError                the command line or a card asks for something that is not there (exit code 2)
│   ├── UnknownNameError      a task, level, model, arm ... of that name does not exist
│   └── ProblemFileError      an instance file that cannot be read; names file, line and what was expected
├── TraceError                a text that is not a trace; names the line
├── CorpusError               a corpus or run file that is damaged, foreign, or holds a rejected trace
├── ModelFileError            a card, tokenizer or weights file that is malformed or does not match its hash
├── PluginError               a plugin that cannot be loaded; names the plugin, its distribution and the cause
└── MissingError              weights, an extra package or a device that is not installed (exit code 3)
"""

import difflib
from collections.abc import Iterable

__all__ = [
    "AletheiaError",
    "CorpusError",
    "MissingError",
    "ModelFileError",
    "PluginError",
    "ProblemFileError",
    "TraceError",
    "UnknownNameError",
    "UsageError",
]


class AletheiaError(Exception):
    """An error that a user can understand and mend; never shown with a traceback.

    Its `args` are those of `__init__`, so that it crosses a process border whole.
    """

    exit_code = 1


class UsageError(AletheiaError):
    exit_code = 2


class UnknownNameError(UsageError):
    """`kind` (say, "task") of that `name` does not exist; the nearest of the `known` names come first."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        super().__init__(kind, name, self.known)

    def __str__(self) -> str:
        near = difflib.get_close_matches(self.name, self.known, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        return f"There is no {self.kind} {self.name!r}.{hint} Known: {', '.join(self.known) or 'none'}."


class ProblemFileError(UsageError):
    """An instance text is malformed at `line` (1-based; None: the file as a whole).

    Tasks raise it without a `source`; whoever opened the file adds it with `at`.
    """

    def __init__(self, message: str, line: int | None = None, source: str | None = None) -> None:
        self.message, self.line, self.source = message, line, source
        super().__init__(message, line, source)

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.source, self.line) if part is not None)
        return f"{place}: {self.message}" if place else self.message

    def at(self, source: str) -> "ProblemFileError":
        return ProblemFileError(self.message, self.line, source)


class TraceError(AletheiaError):
    """A line of a trace does not follow the grammar; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        self.message, self.line = message, line
        super().__init__(message, line)

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


class CorpusError(AletheiaError):
    pass


class ModelFileError(AletheiaError):
    exit_code = 2


class PluginError(AletheiaError):
    """Plugin `plugin` of distribution `distribution` cannot be used because of `cause`."""

    def __init__(self, plugin: str, distribution: str, cause: str) -> None:
        self.plugin, self.distribution, self.cause = plugin, distribution, cause
        super().__init__(plugin, distribution, cause)

    def __str__(self) -> str:
        return f"plugin {self.plugin!r} of {self.distribution}: {self.cause}"


class MissingError(AletheiaError):
    exit_code = 3
