"""What a check finds, in sentences. Knows neither tasks nor models."""

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["Finding", "guarded", "insist", "merged", "shortened"]

KIT = Path(__file__).parents[1]
"""The harness: what is raised here for want of a right value is the plugin's doing all the same."""
SHOWN = 160
"""Characters of a text that a sentence shows."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`where`: with which arguments; `wrong`: what is; `remedy`: what to do. Findings of one kind have one remedy."""

    where: str
    wrong: str
    remedy: str
    more: int = 0
    """How many others of this kind there are."""

    def __str__(self) -> str:
        more = f" ({self.more} more like this.)" if self.more else ""
        return f"{self.where}: {self.wrong} {self.remedy}{more}"


def merged(found: Iterable[Finding]) -> list[Finding]:
    """The first finding of each kind."""
    kinds: dict[str, Finding] = {}
    for finding in found:
        first = kinds.get(finding.remedy)
        kinds[finding.remedy] = replace(first, more=first.more + 1) if first else finding
    return list(kinds.values())


def insist(name: str, found: list[Finding]) -> None:
    """Raise AssertionError if anything was found."""
    if found:
        count = "1 finding" if len(found) == 1 else f"{len(found)} findings"
        raise AssertionError("\n".join([f"{name} does not keep the contract: {count}.", *map("- {}".format, found)]))


def guarded(where: str, found: Iterable[Finding]) -> Iterator[Finding]:
    """The findings, and, if looking for them raises an error, what that was and where."""
    try:
        yield from found
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises is a finding
        yield raised(where, error)


def raised(where: str, error: Exception) -> Finding:
    """Which method raised the error, and from which line it comes."""
    said = shortened(f"{type(error).__name__}: {error}")
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if KIT not in Path(frame.filename).parents]
    if not theirs:
        return Finding(where, f"what its methods return cannot be used ({said}).", "Return what the contract says.")
    folder = Path(theirs[0].filename).parent
    last = [frame for frame in theirs if folder in Path(frame.filename).parents][-1]
    place = f"{Path(last.filename).name}, line {last.lineno}"
    return Finding(where, f"`{theirs[0].name}` raises {said}.", f"The error comes from {place}: mend it.")


def shortened(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."
