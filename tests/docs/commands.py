"""The commands that the documents show, as they stand there."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GENERATED = "docs/command-line.md"
TUTORIAL = "docs/write-a-task.md"
"""Run by test_write_a_task.py, in the folder that it makes."""
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/*.md"))]
PAGES = [page for page in PAGES if page not in (GENERATED, TUTORIAL)]
PROGRAM = "aletheia-bench "
PLACEHOLDER = re.compile(r"\b([A-Z]{3,}|N)\b")
"""Something to fill in, such as FILE or RUN."""


@dataclass(frozen=True, slots=True)
class Command:
    page: str
    text: str
    """Without comments and the name of the program."""
    block: bool
    """It stands in a block of code, and not in a sentence, where it may be only the half of one."""

    @property
    def args(self) -> list[str]:
        return shlex.split(self.text)

    @property
    def open(self) -> bool:
        return PLACEHOLDER.search(self.text) is not None

    def __str__(self) -> str:
        return f"{self.page}: {PROGRAM}{self.text}"


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def parts(text: str) -> tuple[list[str], str]:
    """The lines of all blocks of code, fenced or indented, and what stands between them."""
    code: list[str] = []
    prose: list[str] = []
    fenced, before = False, ""
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or (line.startswith("    ") and (not before.strip() or before.startswith("    "))):
            code.append(line)
        else:
            prose.append(line)
        before = line
    return code, "\n".join(prose)


def spans(prose: str) -> list[str]:
    """What stands between backquotes, on one line each."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]


def commands(page: str) -> Iterator[Command]:
    code, prose = parts(read(page))
    for line in re.sub(r"\\\n", " ", "\n".join(code)).splitlines():
        text = line.strip().removeprefix("$ ")
        if text.startswith(PROGRAM):
            yield Command(page, shlex.join(shlex.split(text.removeprefix(PROGRAM), comments=True)), block=True)
    for span in spans(prose):
        if span.startswith(PROGRAM):
            yield Command(page, shlex.join(shlex.split(span.removeprefix(PROGRAM))), block=False)
