"""Processes that prepare something while another one trains. Imports no torch."""

import multiprocessing
import os
import signal
import threading

__all__ = ["HELPERS", "end_with_parent", "start"]

HELPERS = 16
"""On small problems, seven keep a student of two million parameters busy on a large GPU; hard ones take more time to
prepare. Each takes 300 MB.
"""


def start() -> None:
    """At the start of a process: leave Ctrl-C to its parent, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def end_with_parent(_: int = 0) -> None:
    """End this process when its parent has ended, even if that was killed."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
