"""Finds the answer in what a model wrote that was never trained on traces. Knows words, variables and values, no task.

Lenient where it looks, strict in what it takes: the last answer counts, in whatever frame it stands (bold, fenced, as
JSON, in prose), and whether it is a solution is judged elsewhere.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from aletheia_plugins import Answer, Domains, Literal, Verdict

__all__ = ["find_answer"]

MARK = re.compile(r"\banswer\b", re.IGNORECASE)
NO = re.compile(
    r"\bun-?sat(?:isfiable)?\b|\b(?:not|never|isn't|cannot be|can't be|impossible to) "
    r"(?:be )?(?:satisf|colou?r|solv)\w*|\bno (?:\w+ ){0,2}(?:solution|assignment|colou?ring)s?\b",
    re.IGNORECASE,
)
YES = re.compile(r"\bsat(?:isfiable)?\b", re.IGNORECASE)
TRUTH = {"true": "1", "false": "0"}
"""How values are called where they are 0 and 1."""


def find_answer(text: str, domains: Domains, *, given: Iterable[str] = (), marked: bool = False) -> Answer | None:
    """The last answer in `text`, without the lines that were `given` to the model; None if there is none.

    Behind the word "answer" if one is there, else, unless it must be `marked`, in all of it. A complete assignment is
    SAT; of a variable that is named twice, the last value counts. A claim of SAT without one has the values it names.
    """
    said = {line.strip() for line in given}
    text = "\n".join(line for line in text.splitlines() if line.strip() not in said)
    parts = [*_behind(text), *([] if marked else [text])]
    return next((found for part in parts if (found := _read(part, domains))), None)


def _behind(text: str) -> Iterator[str]:
    """What stands behind each "answer", the last one first, up to the next."""
    marks = [mark.start() for mark in MARK.finditer(text)]
    for start, end in reversed(list(pairwise([*marks, len(text)]))):
        yield text[start:end]


def _read(text: str, domains: Domains) -> Answer | None:
    values = {variable: found[0] for variable, found in domains.items() if len(found) == 1}
    values |= _values(text, domains)
    unsat = NO.search(text) is not None
    if len(values) == len(domains):
        return None if unsat else _sat(values, domains)
    if unsat:
        return Answer(Verdict.UNSAT)
    return _sat(values, domains) if YES.search(text) else None


def _sat(values: dict[str, str], domains: Domains) -> Answer:
    return Answer(
        Verdict.SAT, tuple([Literal(variable, values[variable]) for variable in domains if variable in values])
    )


def _values(text: str, domains: Domains) -> Iterator[tuple[str, str]]:
    """Each `x1=0`, `"x1": false`, `x1 is 0`, `x1 -> 0` ... of which variable and value exist."""
    names = {variable.lower(): variable for variable in domains}
    known = "|".join(map(re.escape, names))
    pairs = rf"(?<![\w~!-])({known})[\"'`*]*\s*(?::=|=|:|->|→|\bis\b|\bto\b)\s*[\"'`*]*(\w+)"
    for name, value in re.findall(pairs, text, re.IGNORECASE):
        choices = domains[names[name.lower()]]
        found = TRUTH.get(value.lower(), value) if set(choices) <= {"0", "1"} else value
        if found in choices:
            yield names[name.lower()], found
