"""Prepares the pages of a corpus in other processes. Knows examples, not what they become."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from aletheia_plugins import AletheiaError, Example

__all__ = ["prepared"]

HELPERS = 16
"""Seven keep a student of two million parameters busy on a large GPU; each takes 300 MB."""

T = TypeVar("T")
Prepare = Callable[[list[Example], int], T]
"""What is to be made of a page and its number. Can be pickled."""


class _Prepared(Dataset[T | AletheiaError], Generic[T]):
    """What is made of one page after the other, pass after pass; or what is wrong with a page."""

    def __init__(self, pages: Sequence[Iterable[Example]], prepare: Prepare[T]) -> None:
        self.pages, self.prepare = pages, prepare

    def __getitem__(self, number: int) -> T | AletheiaError:
        try:
            return self.prepare(list(self.pages[number % len(self.pages)]), number)
        except AletheiaError as error:  # a loader would wrap it in the traceback of another process
            return error


def prepared(
    pages: Sequence[Iterable[Example]], prepare: Prepare[T], *, first: int = 0, workers: int = 1
) -> Iterator[tuple[int, T]]:
    """What `prepare` makes of each page from the first on, pass after pass without end, with its number.

    The same for any number of workers; all but one of them, `HELPERS` at most, are at work ahead of the caller.
    """
    loader: Iterable[T | AletheiaError] = DataLoader(
        _Prepared(pages, prepare),
        batch_size=None,
        sampler=count(first),
        collate_fn=_as_it_is,
        generator=torch.Generator(),  # of its own: dropout draws from PyTorch's
        num_workers=min(workers - 1, HELPERS),
        multiprocessing_context="forkserver" if workers > 1 else None,
        worker_init_fn=_end_with_parent,
    )
    for number, made in enumerate(loader, first):
        if isinstance(made, AletheiaError):
            raise made
        yield number, made


def _as_it_is(made: T) -> T:
    return made


def _end_with_parent(_: int) -> None:
    """End this process when the one that trains has ended, even if that was killed."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
