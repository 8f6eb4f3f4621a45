"""The smallest back-end that keeps the contract: its model says the prompt again."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import ClassVar

from aletheia_plugins import WORD, Backend, Card, Completion, Request, hookimpl


# --8<-- [start:model]
class Repeating:
    """A word is a token, and its length is the token's id."""

    def __init__(self) -> None:
        self.queue: deque[Request] = deque()

    def submit(self, request: Request) -> None:
        self.queue.append(request)

    def poll(self) -> Sequence[Completion]:
        return [self.answer(self.queue.popleft())] if self.queue else []

    def facts(self) -> Mapping[str, str | int | float]:
        return {"version": "1", "batch_size": 1}

    def close(self) -> None:
        self.queue.clear()

    def answer(self, request: Request) -> Completion:
        words = WORD.findall(request.prompt)
        text, count, stopped = "", 0, False
        while count < min(len(words), request.max_tokens) and not stopped:
            text += words[count]
            stopped = any(stop in text for stop in request.stop)
            count += 1
        tokens = tuple(map(len, words[:count]))
        done = stopped or count == len(words)
        read = len(WORD.findall(request.instruction)) + len(words)
        return Completion(request.id, text, tokens, read, "stop" if done else "length", seconds=0.0)


# --8<-- [end:model]


# --8<-- [start:backend]
class Parrot:
    name: ClassVar[str] = "parrot"

    def open(self, card: Card) -> Repeating:
        return Repeating()


@hookimpl
def aletheia_backends() -> Sequence[type[Backend]]:
    return [Parrot]


# --8<-- [end:backend]
