"""The process in which native code runs: reads requests from stdin, writes completions to stdout, a JSON object a line.

In:   {"file", "slots", "context", "threads", "batch", "exact", "instructed", "chat"}, then requests, and, while nothing
      is written, questions: {"encode": text} or {"weigh": {"prompt", "continuations", "instruction"}}.
Out:  {"template": true} before a chat template is read; {"facts": {...}} or {"failed": "why"}; then {"answer": token
      ids, log-probabilities or null}, {"done": completion, "memory": the most bytes that were held}, and
      {"beat": true} now and then while it works.
"""

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, BinaryIO

from aletheia_models.memory import most_memory
from aletheia_plugins import ModelFileError, Request

if TYPE_CHECKING:
    from aletheia_models.gguf.engine import Engine

Question = dict[str, Any]
"""See above; answered at once."""
BEAT = 0.3
"""Seconds between signs of life, at least."""


def main() -> None:
    """Ends at once, whatever its threads do; the last line of stderr says why, if it is not done."""
    try:
        _work()
    except Exception as error:  # noqa: BLE001  # the one who started it reads the line
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201
        os._exit(1)
    os._exit(0)


def _work() -> None:
    sending = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native code prints is not for the reader of completions
    receiving = sys.stdin.buffer
    from aletheia_models.gguf.engine import Engine, Settings

    options = json.loads(receiving.readline())
    try:
        file, chat = Path(options.pop("file")), options.pop("chat")
        engine = Engine(file, Settings(**options), _Heart(sending).beat)
        if chat:
            _send(sending, {"template": True})
            engine.read_template()
    except ModelFileError as error:
        _send(sending, {"failed": str(error)})
        return
    _send(sending, {"facts": engine.facts()})
    inbox: SimpleQueue[Request | Question | None] = SimpleQueue()
    Thread(target=_listen, args=(receiving, inbox), daemon=True).start()
    while True:
        for request in _received(inbox, wait=not engine.busy):
            if request is None:
                return
            if isinstance(request, Request):
                engine.submit(request)
            else:
                _send(sending, {"answer": _answer(engine, request)})
        if not engine.busy:
            continue
        for completion in engine.step():
            _send(sending, {"done": asdict(completion), "memory": most_memory()})


def _answer(engine: "Engine", question: Question) -> list[int] | list[float] | None:
    return engine.weigh(**question["weigh"]) if "weigh" in question else engine.tokenize(question["encode"])


class _Heart:
    """Says that work goes on; not too often."""

    def __init__(self, sending: BinaryIO) -> None:
        self.sending, self.last = sending, time.monotonic()

    def beat(self) -> None:
        if time.monotonic() - self.last > BEAT:
            _send(self.sending, {"beat": True})
            self.last = time.monotonic()


def _listen(receiving: BinaryIO, inbox: "SimpleQueue[Request | Question | None]") -> None:
    for line in receiving:
        fields = json.loads(line)
        inbox.put(Request(**fields | {"stop": tuple(fields["stop"])}) if "stop" in fields else fields)
    inbox.put(None)


def _received(inbox: "SimpleQueue[Request | Question | None]", *, wait: bool) -> list[Request | Question | None]:
    """All that has come; with `wait`, at least one."""
    found = [inbox.get()] if wait else []
    try:
        while True:
            found.append(inbox.get_nowait())
    except Empty:
        return found


def _send(sending: BinaryIO, message: dict[str, Any]) -> None:
    sending.write(json.dumps(message).encode() + b"\n")
    sending.flush()


if __name__ == "__main__":
    main()
