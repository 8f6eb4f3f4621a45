"""Turns examples into padded batches of about equal cost. Knows token ids, not models."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from aletheia_plugins import WORD, Example, ModelFileError

__all__ = ["Batch", "batches"]

WINDOW = 16_384
"""Examples that are sorted by length together."""

Marks = list[tuple[int, int]]
"""(place, token id)."""
Encoded = tuple[list[list[int]], Marks, Marks]
"""Token ids of the prompt, then of each completion with an end token; hints; previews."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A row is a prompt and one or more completions, which do not see each other. All tables are rows × columns.

    `ids`: padded on the right; `parts`: 0 in the prompt, the number of the completion in each, -1 in padding; `places`:
    positions, which start behind the prompt in each completion; `targets`: what follows each position of a completion,
    -100 elsewhere; `hints` and `previews`: what is to be said in the prompt. `tokens` counts what is not padding.
    """

    tokens: int
    ids: torch.Tensor
    parts: torch.Tensor
    places: torch.Tensor
    targets: torch.Tensor
    hints: torch.Tensor
    previews: torch.Tensor


def batches(
    examples: Iterable[Example],
    tokenizer: PreTrainedTokenizerFast,
    *,
    tokens_per_batch: int,
    max_length: int,
    seed: int,
) -> Iterator[Batch]:
    """Batches of at most `tokens_per_batch` positions, padding included; sorted by length inside a window.

    Raises ModelFileError if an example is longer than `max_length`: a completion is never cut silently.
    """
    stream, rng = iter(examples), random.Random(seed)
    while window := list(islice(stream, WINDOW)):
        encoded = _encode(window, tokenizer, max_length)
        encoded.sort(key=_length)
        groups = list(_groups(encoded, tokens_per_batch))
        rng.shuffle(groups)
        for group in groups:
            yield _pad(group, tokenizer.pad_token_id)


def _length(encoded: Encoded) -> int:
    return sum(map(len, encoded[0]))


def _encode(window: list[Example], tokenizer: PreTrainedTokenizerFast, max_length: int) -> list[Encoded]:
    backend = tokenizer.backend_tokenizer

    def tokens(texts: list[str]) -> list[list[int]]:
        return [found.ids for found in backend.encode_batch_fast(texts, add_special_tokens=False)]

    end = tokenizer.eos_token_id
    counts = [1 + len(e.alternatives) for e in window]
    completions = iter(tokens([text for e in window for text in (e.completion, *e.alternatives)]))
    prompts = tokens([e.prompt for e in window])
    encoded: list[Encoded] = []
    for example, prompt, count in zip(window, prompts, counts, strict=True):
        parts = [prompt, *([*part, end] for part in islice(completions, count))]
        hints = _marks(example.hints, example.prompt, prompt, backend)
        encoded.append((parts, hints, _marks(example.previews, example.prompt, prompt, backend)))
    longest = max(len(prompt) + max(map(len, parts)) for (prompt, *parts), *_ in encoded)
    if longest > max_length:
        raise ModelFileError(
            f"An example has {longest} tokens, the student reads {max_length}: "
            f"raise max_position_embeddings in the card's [architecture], or train on an easier level."
        )
    return encoded


def _marks(found: Sequence[tuple[int, str]], text: str, prompt: list[int], tokenizer: Tokenizer) -> Marks:
    """Where each word of the prompt is one token, what is to be said at these tokens."""
    if not found or len(WORD.findall(text)) != len(prompt):
        return []
    marks = ((place, tokenizer.token_to_id(word)) for place, word in found)
    return [(place, token) for place, token in marks if token is not None]


def _groups(encoded: list[Encoded], tokens_per_batch: int) -> Iterator[list[Encoded]]:
    group: list[Encoded] = []
    for item in encoded:
        if group and _length(item) * (len(group) + 1) > tokens_per_batch:
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def _pad(group: list[Encoded], pad: int) -> Batch:
    shape = len(group), max(map(_length, group))
    ids, parts, places = (np.full(shape, fill, dtype=np.int64) for fill in (pad, -1, 0))
    targets, hints, previews = (np.full(shape, -100, dtype=np.int64) for _ in range(3))
    for row, ((prompt, *completions), *marks) in enumerate(group):
        start = len(prompt)
        end = start
        for number, part in enumerate((prompt, *completions)):
            first = end if number else 0
            end = first + len(part)
            ids[row, first:end], parts[row, first:end] = part, number
            places[row, first:end] = np.arange(len(part)) + (start if number else 0)
            if number:
                targets[row, first : end - 1] = part[1:]
        targets[row, start - 1] = completions[0][0]
        for table, found in zip((hints, previews), marks, strict=True):
            for place, token in found:
                if place < start - 1:
                    table[row, place] = token
    tables = map(torch.from_numpy, (ids, parts, places, targets, hints, previews))
    return Batch(int((parts >= 0).sum()), *tables)
