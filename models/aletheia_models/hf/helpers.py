"""Processes that prepare something for the one that trains. Knows no examples, and imports no torch."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from aletheia_plugins import ModelFileError
from aletheia_plugins.helping import help_parent

__all__ = ["HELPERS", "each"]

HELPERS = 16
"""On small problems, seven keep a student of two million parameters busy on a large GPU; hard ones take more time to
prepare. Each takes 300 MB.
"""

T = TypeVar("T")


def each(function: Callable[[int], T], count: int, *, workers: int) -> Generator[T, None, None]:
    """What `function`, which can be pickled, makes of 0 to `count` - 1, in order.

    By so many processes, `HELPERS` at most; closed, it waits for none of them. Raises ModelFileError if one is ended.
    """
    size = min(workers, count, HELPERS)
    if size <= 1:
        yield from map(function, range(count))
        return
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(size, multiprocessing.get_context("forkserver"), help_parent)
    try:
        asked = deque(pool.submit(function, number) for number in range(count))
        while asked:
            yield asked.popleft().result()
    except BrokenProcessPool as error:
        raise ModelFileError(
            "A process that prepares the training was ended, by the system for want of memory or by a plugin: "
            "repeat the command, perhaps with --workers 1."
        ) from error
    finally:
        for helper in set(multiprocessing.active_children()) - others:
            helper.terminate()
        pool.shutdown(wait=False)  # nothing is cancelled: a pool that is broken has no patience with what is
