"""Turns examples into padded batches of about equal cost. Knows token ids, not models."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedTokenizerFast

from aletheia_models.hf.helpers import HELPERS
from aletheia_plugins import WORD, AletheiaError, Example, ModelFileError
from aletheia_plugins.helping import end_with_parent

__all__ = ["NONE", "REASONS", "Batch", "Place", "Said", "batches", "stream", "up"]

REASONS = 9
"""Words of what a hint rests on: those of nine values of a cell, say; further ones are left out."""
NONE = -100
"""No word: what PyTorch's losses ignore."""
EVEN = 8
"""Rows are padded to a multiple of this: matrix units are slow on odd lengths."""

Table = NDArray[np.int32]
Marks = list[tuple[int, list[int]]]
"""(place, token ids)."""
Place = tuple[int, int]
"""A page, and how many of its batches are before this place."""


class Encoded(NamedTuple):
    """An example as token ids; each completion ends in the end token."""

    prompt: list[int]
    completions: list[list[int]]
    learnt: list[int]
    """The first of the completions, without what is not learnt of it."""
    exercises: list[tuple[int, list[int]]]
    hints: Marks
    previews: Marks

    @property
    def length(self) -> int:
        return len(self.prompt) + sum(map(len, self.completions)) + sum(len(ids) for _, ids in self.exercises)

    @property
    def columns(self) -> int:
        return up(self.length, EVEN)


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be said where: `at` are places in the flattened table of a batch, `words` has a row for each.

    Of several words (columns), -100 stands for none.
    """

    at: Table
    words: Table


@dataclass(frozen=True, slots=True)
class Batch:
    """A row is a prompt and one or more completions, which do not see each other; these tables are rows × columns.

    `ids`: padded on the right; `parts`: 0 in the prompt, the number of the completion in each, -1 in padding; `places`:
    positions, which start behind the prompt in each completion. `targets`: what follows each position of a completion;
    `exercises`: the same of an exercise, a part like a completion; `hints`, `reasons` and `previews`: what is to be
    said in the prompt. `tokens` counts what is not padding.
    """

    tokens: int
    ids: Table
    parts: Table
    places: Table
    targets: Said
    exercises: Said
    hints: Said
    reasons: Said
    previews: Said

    def tables(self) -> tuple[Table, ...]:
        """Its tables in a fixed order: ids, parts, places, then `at` and `words` of each of the others."""
        said = (self.targets, self.exercises, self.hints, self.reasons, self.previews)
        return self.ids, self.parts, self.places, *(table for one in said for table in (one.at, one.words))


class _Batches(Dataset[list[Batch] | AletheiaError]):
    """The batches of one page after the other, pass after pass; or what is wrong with a page."""

    def __init__(
        self,
        pages: Sequence[Iterable[Example]],
        tokenizer: PreTrainedTokenizerFast,
        tokens_per_batch: int,
        max_length: int,
        seed: int,
    ) -> None:
        self.pages, self.tokenizer, self.seed = pages, tokenizer, seed
        self.tokens_per_batch, self.max_length = tokens_per_batch, max_length

    def __getitem__(self, number: int) -> list[Batch] | AletheiaError:
        try:
            return batches(
                self.pages[number % len(self.pages)],
                self.tokenizer,
                tokens_per_batch=self.tokens_per_batch,
                max_length=self.max_length,
                seed=self.seed + number,
            )
        except AletheiaError as error:  # a loader would wrap it in the traceback of another process
            return error


def stream(
    pages: Sequence[Iterable[Example]],
    tokenizer: PreTrainedTokenizerFast,
    start: Place = (0, 0),
    *,
    tokens_per_batch: int,
    max_length: int,
    seed: int,
    workers: int = 1,
) -> Iterator[tuple[Place, Batch]]:
    """The batches from `start` on, pass after pass over all pages without end, each with the place behind it.

    The same ones for any number of workers; all but one of them, `HELPERS` at most, prepare pages while the caller is
    at work.
    """
    numbered = _Batches(pages, tokenizer, tokens_per_batch, max_length, seed)
    first, done = start
    loader: Iterable[list[Batch] | AletheiaError] = DataLoader(
        numbered,
        batch_size=None,
        sampler=count(first),
        collate_fn=_as_it_is,
        generator=torch.Generator(),  # of its own: dropout draws from PyTorch's
        num_workers=min(workers - 1, HELPERS),
        multiprocessing_context="forkserver" if workers > 1 else None,
        worker_init_fn=end_with_parent,
    )
    for number, page in enumerate(loader, first):
        if isinstance(page, AletheiaError):
            raise page
        for place, batch in enumerate(page[done:], done + 1):
            yield (number, place), batch
        done = 0


def _as_it_is(page: list[Batch] | AletheiaError) -> list[Batch] | AletheiaError:
    return page


def batches(
    examples: Iterable[Example],
    tokenizer: PreTrainedTokenizerFast,
    *,
    tokens_per_batch: int,
    max_length: int,
    seed: int,
) -> list[Batch]:
    """Batches of at most `tokens_per_batch` positions, padding included, of examples of about the same length.

    Raises ModelFileError if an example is longer than `max_length`: a completion is never cut silently.
    """
    encoded = _encode(list(examples), tokenizer, max_length)
    encoded.sort(key=lambda example: example.length)
    groups = list(_groups(encoded, tokens_per_batch))
    random.Random(seed).shuffle(groups)
    return [_pad(group, tokenizer.pad_token_id or 0) for group in groups]


def up(length: int, step: int) -> int:
    """The next multiple of `step`."""
    return -(-length // step) * step


def _encode(window: list[Example], tokenizer: PreTrainedTokenizerFast, max_length: int) -> list[Encoded]:
    backend = tokenizer.backend_tokenizer

    def tokens(texts: list[str]) -> list[list[int]]:
        return [found.ids for found in backend.encode_batch_fast(texts, add_special_tokens=False)]

    end, vocabulary = tokenizer.eos_token_id, backend.get_vocab()
    if end is None:
        raise ModelFileError(f"{tokenizer.name_or_path} has no end token, so that nothing tells where to stop.")
    completions = iter(tokens([text for e in window for text in (e.completion, *e.alternatives)]))
    exercises = iter(tokens([lines for e in window for _, lines in e.exercises]))
    encoded: list[Encoded] = []
    for example, prompt in zip(window, tokens([e.prompt for e in window]), strict=True):
        previews = [(place, (word,)) for place, word in example.previews]
        written = [[*ids, end] for ids in islice(completions, 1 + len(example.alternatives))]
        encoded.append(
            Encoded(
                prompt,
                written,
                _learnt(example, written[0], backend),
                [(given, next(exercises)) for given, _ in example.exercises],
                _marks(example.hints, example.prompt, prompt, vocabulary),
                _marks(previews, example.prompt, prompt, vocabulary),
            )
        )
    longest = max((len(e.prompt) + max(map(len, e.completions)) for e in encoded), default=0)
    if longest > max_length:
        raise ModelFileError(
            f"An example has {longest} tokens, the student reads {max_length}: "
            f"raise that (max_position_embeddings in a card's [architecture]; for lora, length in its [training]), "
            f"or train on an easier level."
        )
    return encoded


def _learnt(example: Example, ids: list[int], tokenizer: Tokenizer) -> list[int]:
    """The ids of its completion, -100 in the lines from which nothing is learnt."""
    if not example.unlearnt:
        return ids
    starts = [start for start, _ in tokenizer.encode(example.completion, add_special_tokens=False).offsets]
    lines = [example.completion.count("\n", 0, start) for start in starts]
    return [NONE if line in example.unlearnt else word for line, word in zip(lines, ids[:-1], strict=True)] + ids[-1:]


def _marks(
    found: Sequence[tuple[int, tuple[str, ...]]], text: str, prompt: list[int], tokens: Mapping[str, int]
) -> Marks:
    """Where each word of the prompt is one token, what is to be said at these tokens; all but the last of them."""
    if not found or len(WORD.findall(text)) != len(prompt):
        return []
    last = len(prompt) - 1
    return [(place, [tokens.get(word, NONE) for word in words]) for place, words in found if place < last]


def _groups(encoded: list[Encoded], tokens_per_batch: int) -> Iterator[list[Encoded]]:
    group: list[Encoded] = []
    for item in encoded:
        if group and item.columns * (len(group) + 1) > tokens_per_batch:
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def _pad(group: list[Encoded], pad: int) -> Batch:
    columns = max(example.columns for example in group)
    ids, parts, places = (np.full((len(group), columns), fill, dtype=np.int32) for fill in (pad, -1, 0))
    targets: Marks = []
    exercises: Marks = []
    hints: Marks = []
    previews: Marks = []
    for row, example in enumerate(group):
        begin, start = row * columns, len(example.prompt)
        end = start
        ids[row, :start], parts[row, :start], places[row, :start] = example.prompt, 0, np.arange(start)
        targets.append((begin + start - 1, example.learnt[:1]))
        learnt = [example.learnt, *example.completions[1:]]
        asked = [(targets, 1, *pair) for pair in zip(example.completions, learnt, strict=True)]
        practised = [(exercises, given, part, part) for given, part in example.exercises]
        for number, (said, given, part, words) in enumerate(asked + practised, 1):
            first, end = end, end + len(part)
            ids[row, first:end], parts[row, first:end] = part, number
            places[row, first:end] = np.arange(start, start + len(part))
            said += [(begin + place, [word]) for place, word in enumerate(words[given:], first + given - 1)]
        hints += [(begin + place, words) for place, words in example.hints]
        previews += [(begin + place, words) for place, words in example.previews]
    reasons = [(place, words[1:]) for place, words in hints if len(words) > 1]
    every = (
        _said(targets, 1),
        _said(exercises, 1),
        _said(hints, 1),
        _said(reasons, REASONS),
        _said(previews, 1),
    )
    return Batch(int((parts >= 0).sum()), ids, parts, places, *every)


def _said(marks: Marks, columns: int) -> Said:
    marks = [(place, found[:columns]) for place, found in marks if any(word != NONE for word in found[:columns])]
    words = np.full((len(marks), columns), NONE, dtype=np.int32)
    for row, (_, found) in enumerate(marks):
        words[row, : len(found)] = found
    return Said(np.array([place for place, _ in marks], dtype=np.int32), words)
