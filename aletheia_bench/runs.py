"""A run on disk: one directory, one evaluation. Knows files, hashes and locks; neither models nor measures.

config.toml      the options (re-runnable: aletheia-bench --config FILE run), versions, hashes, the machine
samples.jsonl    one line per item and epoch, appended and flushed as it ends, each with a checksum; or probes.jsonl
forced.jsonl     the same of items into whose completion an error was put
"""

import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO, cast

import tomli_w

from aletheia_bench.evaluate import Sample
from aletheia_bench.locking import alone
from aletheia_plugins import AletheiaError, CorpusError

__all__ = ["FORCED", "Run", "identity"]

CONFIG, SAMPLES, FORCED, LOCK = "config.toml", "samples.jsonl", "forced.jsonl", ".lock"

NEEDED = (("card", "name"), ("versions", "task"))
OF_COMMAND = {
    "run": (("run", "task"), ("run", "level"), ("hashes", "items")),
    "probes": (("probes", "task"), ("probes", "level"), ("hashes", "probes")),
}


def identity(options: Any) -> str:
    """Eight hexadecimal digits that stand for a configuration."""
    return sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:8]


@dataclass
class Run:
    """A run's directory. As a context manager it is locked for writing; reading needs no lock."""

    path: Path
    name: str = SAMPLES
    """The file of what is done."""

    def __enter__(self) -> "Run":
        self.path.mkdir(parents=True, exist_ok=True)
        busy = f"{self.path} is being written by another process: wait for it, or choose another -o."
        self._lock = alone(self.path / LOCK, AletheiaError(busy))
        self._mend()
        self._file: TextIO = (self.path / self.name).open("a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # closing tries again to write what a full disk refused, which `append` has said
            self._file.close()
        self._lock.release()

    def configure(self, config: Mapping[str, Any]) -> None:
        self.write(CONFIG, tomli_w.dumps(config))

    def write(self, name: str, text: str) -> None:
        """Write a file of the run whole or not at all."""
        new = self.path / f"{name}.new"
        new.write_text(text, encoding="utf-8", errors="backslashreplace")  # a model may write half a character
        new.replace(self.path / name)

    def config(self, command: str = "run") -> dict[str, Any]:
        """What `configure` wrote for that command. Raises CorpusError."""
        try:
            config = tomllib.loads((self.path / CONFIG).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise CorpusError(f"{self.path} is not a run: {CONFIG} cannot be read ({error}).") from error
        for table, key in (*OF_COMMAND[command], *NEEDED):
            if not isinstance(config.get(table), dict) or key not in config[table]:
                raise CorpusError(f"{self.path} is not a run: {CONFIG} has no {key} in a table [{table}].")
        return config

    def append(self, sample: Mapping[str, Any]) -> None:
        """Add a finished item; it is on disk when this returns."""
        line = json.dumps(sample, separators=(",", ":"))
        try:
            self._file.write(f'{line[:-1]},"sha256":"{_checksum(line)}"}}\n')
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise AletheiaError(
                f"{self.path / self.name}: {error.strerror}. Finished items are kept: make room and repeat the command."
            ) from error

    def clear(self) -> None:
        """Forget all that is done."""
        self._file.truncate(0)

    def samples(self) -> Iterable[Sample]:
        """The finished items; of one that was tried again, the last try. Raises CorpusError."""
        found: dict[tuple[str, int], Sample] = {}
        for content in self.lines():
            sample = cast("Sample", content)
            found[sample["id"], sample["epoch"]] = sample
        return found.values()

    def lines(self) -> Iterator[dict[str, Any]]:
        """All that is done. Raises CorpusError if a line was changed; a last line without its end is not one."""
        path = self.path / self.name
        if not path.exists():
            raise CorpusError(f"{self.path} is not a run: it has no {self.name}.")
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    yield _content(line, path, number)

    def _mend(self) -> None:
        """Cut off a last line that was only half written."""
        path = self.path / self.name
        if path.exists():
            content = path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                with path.open("r+b") as file:
                    file.truncate(whole)


def _checksum(line: str) -> str:
    return sha256(line.encode()).hexdigest()[:16]


def _content(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(line)
        checksum = content.pop("sha256")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise CorpusError(f"{path}:{number}: expected a sample, got {line[:40]!r}.") from error
    if _checksum(json.dumps(content, separators=(",", ":"))) != checksum:
        raise CorpusError(f"{path}:{number}: the line was changed after it was written; restore it, or use --fresh.")
    return content
