"""What a process that works for another one does first. Knows no work."""

import multiprocessing
import os
import signal
import threading

__all__ = ["end_with_parent", "help_parent"]


def help_parent() -> None:
    """Leave Ctrl-C to the parent, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def end_with_parent(_: int = 0) -> None:
    """End this process, whose number does not matter, when its parent has ended, even if that was killed."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
