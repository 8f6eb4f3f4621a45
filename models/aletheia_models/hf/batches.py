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
Encoded = tuple[np.ndarray, int, Marks, Marks]
"""Token ids of prompt, completion and end token; where the completion starts; hints; previews."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`ids` (rows × columns), padded on the right; `targets` (rows × columns): what follows each position of the
    completion, -100 elsewhere; `hints` and `previews`: the same for the prompt; `tokens` counts what is not padding.
    """

    ids: torch.Tensor
    targets: torch.Tensor
    hints: torch.Tensor
    previews: torch.Tensor
    tokens: int


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
        encoded.sort(key=lambda e: len(e[0]))
        groups = list(_groups(encoded, tokens_per_batch))
        rng.shuffle(groups)
        for group in groups:
            yield _pad(group, tokenizer.pad_token_id)


def _encode(window: list[Example], tokenizer: PreTrainedTokenizerFast, max_length: int) -> list[Encoded]:
    backend = tokenizer.backend_tokenizer
    prompts = backend.encode_batch_fast([e.prompt for e in window], add_special_tokens=False)
    completions = backend.encode_batch_fast([e.completion for e in window], add_special_tokens=False)
    end = [tokenizer.eos_token_id]
    encoded = []
    for example, p, c in zip(window, prompts, completions, strict=True):
        hints, previews = (_marks(found, example.prompt, p.ids, backend) for found in (example.hints, example.previews))
        encoded.append((np.array(p.ids + c.ids + end, dtype=np.int32), len(p.ids), hints, previews))
    longest = max(len(ids) for ids, *_ in encoded)
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
        if group and len(item[0]) * (len(group) + 1) > tokens_per_batch:
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def _pad(group: list[Encoded], pad: int) -> Batch:
    shape = len(group), max(len(ids) for ids, *_ in group) - 1
    ids = np.full(shape, pad, dtype=np.int64)
    targets, hints, previews = (np.full(shape, -100, dtype=np.int64) for _ in range(3))
    for row, (tokens, start, *marks) in enumerate(group):
        ids[row, : len(tokens) - 1] = tokens[:-1]
        targets[row, start - 1 : len(tokens) - 1] = tokens[start:]
        for table, found in zip((hints, previews), marks, strict=True):
            for place, token in found:
                if place < start - 1:
                    table[row, place] = token
    total = sum(len(tokens) - 1 for tokens, *_ in group)
    tensor = torch.from_numpy
    return Batch(tensor(ids), tensor(targets), tensor(hints), tensor(previews), total)
