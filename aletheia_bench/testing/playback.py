"""A small real model for tests: it repeats what it was given. Knows prompts and completions, neither traces nor tasks.

model = Playback(examples(kind, problem, text))        knows every turn of one trace
samples = list(evaluate(model, [(item, 0)], kind, limits))
"""

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from zlib import crc32

from aletheia_plugins import Completion, Example, Request

__all__ = ["Playback"]

BATCH = 3
"""Requests that one poll ends, oldest first: a next turn waits behind the others, so that items interleave."""
WORD = re.compile(r"\S+\s*|\s+")
"""What counts as a token: a word with the white space after it. Its id is its CRC-32."""


class Playback:
    """Continues a prompt that it knows with the example's completion, and any other with nothing.

    Raises ValueError if two examples continue one prompt differently: a model cannot do both.
    """

    def __init__(self, examples: Iterable[Example]) -> None:
        self.completions: dict[str, str] = {}
        self.queue: deque[Request] = deque()
        for example in examples:
            if self.completions.setdefault(example.prompt, example.completion) != example.completion:
                raise ValueError(f"two completions for one prompt: {example.prompt!r}")

    def submit(self, request: Request) -> None:
        self.queue.append(request)

    def poll(self) -> Sequence[Completion]:
        return [self._write(self.queue.popleft()) for _ in range(min(BATCH, len(self.queue)))]

    def facts(self) -> Mapping[str, str | int | float]:
        return {"examples": len(self.completions), "batch_size": BATCH}

    def close(self) -> None:
        self.queue.clear()

    def _write(self, request: Request) -> Completion:
        wanted = WORD.findall(_up_to(request.stop, self.completions.get(request.prompt, "")))
        written = wanted[: request.max_tokens]
        return Completion(
            request.id,
            "".join(written),
            tokens=tuple(crc32(word.encode()) for word in written),
            prompt_tokens=len(WORD.findall(request.instruction + request.prompt)),
            finish="stop" if written == wanted else "length",
            seconds=0.0,
        )


def _up_to(stops: Sequence[str], text: str) -> str:
    """`text` up to the end of the first of the stop texts in it."""
    ends = [text.index(stop) + len(stop) for stop in stops if stop in text]
    return text[: min(ends)] if ends else text
