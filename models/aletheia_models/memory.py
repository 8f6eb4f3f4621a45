"""How much memory this process has held at most. Knows the kernel, no model."""

from pathlib import Path

__all__ = ["most_memory"]


def most_memory() -> int:
    """Bytes; 0 where the kernel does not tell.

    Not ru_maxrss, which begins with what the process that started this one held.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])
