"""A model whose native code runs in processes of its own. Knows requests, completions and how a process ends.

If one dies or falls silent, a fresh one takes over: each request that it was writing is tried again alone, and the one
that alone brings the process down is an error, or a timeout if it fell silent. All others are completed.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Literal as OneOf

from aletheia_plugins import Completion, ModelFileError, Request

__all__ = ["GGUFModel"]

Message = Mapping[str, Any]
"""See worker.py."""
COMMAND = [sys.executable, "-m", "aletheia_models.gguf.worker"]
LOADING, TEMPLATE = 600.0, 10.0
"""Seconds in which a file has to be loaded, and its chat template, which could go on for ever, has to be read."""
AHEAD = 2
"""Requests sent for each slot of a process, so that a slot that is done need not wait for the next one."""


class _Process:
    """A process, a thread that passes on what it says, and None when it has ended, and one that writes to it.

    Raises ModelFileError if it cannot load the file.
    """

    def __init__(self, options: Mapping[str, Any], tell: Callable[["_Process", Message | None], None]) -> None:
        self.tell = tell
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
        self.process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
        )  # fmt: skip
        self.loaded: SimpleQueue[Message] = SimpleQueue()
        self.outbox: SimpleQueue[Message | None] = SimpleQueue()
        for work in (self._listen, self._write):
            Thread(target=work, daemon=True).start()
        self.send(options)
        said = self._next(LOADING, f"{options['file']} cannot be loaded: it took more than {LOADING:g} s.")
        if "template" in said:
            said = self._next(TEMPLATE, f"{options['file']}: its chat template takes more than {TEMPLATE:g} s.")
        if "failed" in said:
            why = said["failed"] or f"{options['file']} cannot be loaded: {self.obituary()}."
            self.close()
            raise ModelFileError(why)
        self.facts: Mapping[str, str | int | float] = said["facts"]

    def send(self, message: Message) -> None:
        """Never waits: a process that hangs reads nothing."""
        self.outbox.put(message)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.errors.close()
        self.outbox.put(None)

    def obituary(self) -> str:
        """How it ended, and what it said last; not to be asked after `close`."""
        code = self.process.wait()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace").strip().splitlines()
        return f"the process of llama.cpp {how}" + (f": {said[-1]}" if said else "")

    def _next(self, seconds: float, otherwise: str) -> Message:
        try:
            return self.loaded.get(timeout=seconds)
        except Empty:
            return {"failed": otherwise}

    def _listen(self) -> None:
        assert self.process.stdout
        loading = True
        with self.process.stdout as lines, suppress(ValueError):  # a line that was cut off is the last one
            for line in lines:
                message = json.loads(line)
                if loading:
                    self.loaded.put(message)
                    loading = "template" in message
                else:
                    self.tell(self, message)
        self.loaded.put({"failed": ""})
        self.tell(self, None)

    def _write(self) -> None:
        assert self.process.stdin
        with suppress(OSError), self.process.stdin as stdin:  # it has gone, which the listener says
            while (message := self.outbox.get()) is not None:
                stdin.write(json.dumps(message).encode() + b"\n")
                stdin.flush()


@dataclass(slots=True)
class _Lane:
    """What one process is busy with, and its successors after it."""

    room: int
    process: _Process | None = None
    sent: dict[str, Request] = field(default_factory=dict)
    suspects: deque[Request] = field(default_factory=deque)
    """What was being written when a process was lost: to be tried alone."""
    alone: bool = False
    """Whether what is sent is a suspect."""
    heard: float = 0.0
    memory: int = 0
    """The most that a process has held, in bytes."""

    def source(self, queue: deque[Request]) -> deque[Request]:
        """Where the next request comes from; empty if there is none to be sent now."""
        if not self.sent:
            self.alone = bool(self.suspects)
        if self.alone:
            return self.suspects if not self.sent else deque()
        return queue if len(self.sent) < self.room else deque()

    def done(self, message: Message) -> list[Completion]:
        self.heard = time.monotonic()
        if "done" not in message:
            return []
        self.memory = max(self.memory, message["memory"])
        fields = message["done"]
        asked = self.sent.pop(fields["id"])
        late = {"error": f"it took more than {asked.seconds:g} s"} if fields["finish"] == "timeout" else {}
        return [Completion(**fields | {"tokens": tuple(fields["tokens"])} | late)]

    def bury(self, finish: OneOf["error", "timeout"], cause: str) -> list[Completion]:
        """Give up the process; a request that was tried alone is done, others will be."""
        assert self.process
        self.process.close()
        self.process = None
        sent, self.sent = list(self.sent.values()), {}
        if self.alone:
            return [Completion(request.id, "", (), 0, finish, 0.0, cause) for request in sent]
        self.suspects.extendleft(reversed(sent))
        return []


class GGUFModel:
    """A GGUF file in processes of its own. Raises ModelFileError if it cannot be loaded, now or again.

    `options` are the worker's; `patience`: seconds of silence after which a process is given up; `about`: facts of the
    file.
    """

    def __init__(
        self, options: Mapping[str, Any], *, processes: int, patience: float, about: Mapping[str, str | int]
    ) -> None:
        self.options, self.patience = options, patience
        self.queue: deque[Request] = deque()
        self.inbox: SimpleQueue[tuple[_Process, Message | None]] = SimpleQueue()
        self.lanes = [_Lane(AHEAD * options["slots"]) for _ in range(processes)]
        self.lanes[0].process = first = self._start()
        self._facts = {**first.facts, **about, "processes": processes}

    def submit(self, request: Request) -> None:
        self.queue.append(request)

    def poll(self) -> Sequence[Completion]:
        done: list[Completion] = []
        while not self.inbox.empty():  # a process may have died while there was nothing to do
            done += self._receive(0)
        while not done:
            self._feed()
            busy = [lane for lane in self.lanes if lane.sent]
            if not busy:
                break
            done += self._receive(min(lane.heard for lane in busy) + self.patience)
            while not self.inbox.empty():
                done += self._receive(0)
            for lane in busy:
                if lane.sent and time.monotonic() > lane.heard + self.patience:
                    done += lane.bury("timeout", f"llama.cpp said nothing for {self.patience:g} s")
        return done

    def facts(self) -> Mapping[str, str | int | float]:
        return {**self._facts, "memory_bytes": sum(lane.memory for lane in self.lanes)}

    def encode(self, text: str) -> list[int]:
        return list(self._ask([{"encode": text}], "ids of a text")[0])

    def likelihoods(
        self, prompts: Sequence[str], continuations: Sequence[str], *, instruction: str = ""
    ) -> Sequence[Sequence[float] | None]:
        fixed = {"continuations": list(continuations), "instruction": instruction}
        return self._ask([{"weigh": {"prompt": prompt, **fixed}} for prompt in prompts], "likelihoods")

    def _ask(self, questions: Sequence[Message], wanted: str) -> list[Any]:
        """The answers, in order; the processes share the questions. Raises ModelFileError when one of them is lost."""
        left = [deque(range(n, len(questions), len(self.lanes))) for n in range(len(self.lanes))]
        for number, question in enumerate(questions):
            lane = self.lanes[number % len(self.lanes)]
            lane.process, lane.heard = lane.process or self._start(), time.monotonic()
            lane.process.send(question)
        answers: dict[int, Any] = {}
        while waiting := [lane for lane, numbers in zip(self.lanes, left, strict=True) if numbers]:
            until = min(lane.heard for lane in waiting) + self.patience
            try:
                process, message = self.inbox.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:
                raise self._unanswered(waiting, f"no {wanted} in {self.patience:g} s") from None
            place = next((n for n, lane in enumerate(self.lanes) if lane.process is process), None)
            if place is None:  # the last words of one that was given up
                continue
            self.lanes[place].heard = time.monotonic()
            if message is None and left[place]:
                raise self._unanswered(waiting, f"no {wanted}: {process.obituary()}")
            if message is None:
                self.lanes[place].bury("error", "")
            elif "answer" in message:
                answers[left[place].popleft()] = message["answer"]
        return [answers[number] for number in range(len(questions))]

    def _unanswered(self, lanes: Sequence[_Lane], why: str) -> ModelFileError:
        """Give up processes whose answers nobody waits for any more."""
        for lane in lanes:
            lane.bury("error", "")
        return ModelFileError(f"{self.options['file']}: {why}.")

    def close(self) -> None:
        self.queue.clear()
        for lane in self.lanes:
            if lane.process:
                lane.process.close()
                lane.process = None

    def _start(self) -> _Process:
        return _Process(self.options, lambda process, message: self.inbox.put((process, message)))

    def _feed(self) -> None:
        """Send as much as keeps all slots busy, evenly."""
        while ready := [lane for lane in self.lanes if lane.source(self.queue)]:
            lane = min(ready, key=lambda lane: len(lane.sent))
            lane.process = lane.process or self._start()
            request = lane.source(self.queue).popleft()
            if not lane.sent:
                lane.heard = time.monotonic()
            lane.sent[request.id] = request
            lane.process.send(asdict(request) | {"seconds": request.seconds * self._busy()})

    def _receive(self, until: float) -> list[Completion]:
        """What the next message brings; nothing if there is none until then."""
        try:
            process, message = self.inbox.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            return []
        lane = next((lane for lane in self.lanes if lane.process is process), None)
        if lane is None:  # the last words of one that was given up
            return []
        if message is None:
            return lane.bury("error", process.obituary())
        share = self._busy()
        return [replace(c, seconds=c.seconds / share) for c in lane.done(message)]

    def _busy(self) -> int:
        """Processes that share the machine."""
        return sum(bool(lane.sent) for lane in self.lanes)
