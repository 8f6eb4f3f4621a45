"""What a command says of an error that is not in the tree: a plugin's, the system's, or perhaps one of ours."""

import errno
import traceback
from pathlib import Path

from aletheia_plugins.loading import Plugins, culprit, kit, printable, said

__all__ = ["sentence"]


def sentence(error: BaseException, plugins: Plugins) -> str:
    """Empty where a traceback tells more: an error among built-ins is a defect of ours."""
    if isinstance(error, OSError) and error.errno == errno.EPIPE:  # click ends quietly when a pipe's reader has gone
        return ""
    if found := culprit(error):
        return f"{found}. {kit(*plugins.kinds(found))}"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror or error}" if error.filename else f"{error.strerror or error}"
    return _among_strangers(error, plugins) if isinstance(error, Exception) else ""


def _among_strangers(error: Exception, plugins: Plugins) -> str:
    """Raised by our code or a library's, perhaps over a value that a stranger's task or back-end returned."""
    strangers = plugins.strangers()
    if not strangers:
        return ""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    used = " and ".join(f"the {kind} {name} ({whose})" for (kind, name), whose in strangers.items())
    return (
        f"{printable(said(error))} ({place}). This command uses {used}; {kit(*(kind for kind, _ in strangers))}. "
        "If that finds nothing, it is a defect of aletheia-bench"
    )
