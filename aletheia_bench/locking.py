"""Lets one process at a time write something. Knows files, not what is in them."""

from pathlib import Path

import filelock

from aletheia_plugins import AletheiaError

__all__ = ["alone"]


def alone(path: Path, busy: AletheiaError) -> filelock.BaseFileLock:
    """The lock in the file `path`, acquired. Raises `busy` if another process has it."""
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise busy from error
    return lock
