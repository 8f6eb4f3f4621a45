"""Finds the answer in what a model wrote that was never trained on traces. Knows words, variables and values, no task.

Lenient where it looks, strict in what it takes: the last answer counts, in whatever frame it stands (bold, fenced, as
JSON, in prose), and whether it is a solution is judged elsewhere. What can be read in two ways is no answer.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from aletheia_plugins import Answer, Domains, Literal, Verdict

__all__ = ["find_answer"]

MARK = re.compile(r"\banswer\b", re.IGNORECASE)
TAIL = 20_000
"""Characters at the end of a text in which an answer is looked for."""
MARKS = 20
"""Marked places that are looked at, the last ones."""
ALL = (
    r"(?:the |this |that |given ){0,2}"
    r"(?:formula|problem|instance|graph|puzzle|grid|it|all (?:the )?clauses|constraints)"
)
NEGATED = r"(?:not|never|isn't|n't|neither) (?:\w+ )?"
UNSAT = re.compile(
    r"\bun-?sat(?:isfiable)?\b"
    rf"|\b{ALL} (?:is |are |can |could ){{0,2}}(?:not|never|cannot|can't|impossible to) (?:be )?"
    r"(?:satisfi|colou?r|solv)\w*"
    rf"|\b(?:not possible|impossible) to (?:satisfy|colou?r|solve) {ALL}"
    r"|\b(?:there (?:is|exists) no|has no|no)(?: such)?(?: \w+){0,2} (?:solution|colou?ring|(?<=satisfying )assignment|"
    r"assignment(?= exists| that| satisf))\w*"
    r"|[\"'](?:sat|satisfiable|solvable)[\"'] ?: ?false",
    re.IGNORECASE,
)
SAT = re.compile(r"\bsat(?:isfiable)?\b|[\"'](?:sat|satisfiable|solvable)[\"'] ?: ?true", re.IGNORECASE)
NOT_UNSAT = re.compile(rf"\b{NEGATED}un-?sat(?:isfiable)?\b|\bno other\b", re.IGNORECASE)
PAIR = re.compile(r"(?<![\w~!¬-])(?=(\w+)[\"'`*]{0,3}\s{0,4}(?::=|=|:|->|→|\bis\b|\bto\b)\s{0,4}[\"'`*]{0,3}(\w+))")
TRUTH = {"true": "1", "false": "0"}
"""How values are called where they are 0 and 1."""


def find_answer(text: str, domains: Domains, *, given: Iterable[str] = (), marked: bool = False) -> Answer | None:
    """The last answer at the end of `text`, without the lines that were `given` to the model; None if there is none.

    Behind the word "answer" if one is there, else, unless it must be `marked`, in all of it. A complete assignment is
    SAT, unless a refutation stands before it; of a variable that is named twice, the last value counts. A claim of SAT
    without one has the values it names. A verdict that is taken back, or given both ways, is none.
    """
    said = {line.strip() for line in given}
    text = "\n".join(line for line in text[-TAIL:].splitlines() if line.strip() not in said)
    parts = [*_behind(text), *([] if marked else [text])]
    return next((found for part in parts if (found := _read(part, domains))), None)


def _behind(text: str) -> Iterator[str]:
    """What stands behind each "answer", the last one first, up to the next."""
    marks = [mark.start() for mark in MARK.finditer(text)][-MARKS:]
    for start, end in reversed(list(pairwise([*marks, len(text)]))):
        yield text[start:end]


def _read(text: str, domains: Domains) -> Answer | None:
    values = {variable: found[0] for variable, found in domains.items() if len(found) == 1}
    place = len(text)
    for place, variable, value in _values(text, domains):  # noqa: B007 - the last place is asked for
        values[variable] = value
    plain = NOT_UNSAT.sub("", text)
    refuted = UNSAT.search(plain)
    if len(values) == len(domains):
        before = refuted is not None and UNSAT.search(NOT_UNSAT.sub("", text[:place])) is not None
        return None if before else _sat(values, domains)
    claimed = SAT.search(UNSAT.sub("", plain))
    if refuted and not claimed:
        return Answer(Verdict.UNSAT)
    return _sat(values, domains) if claimed and not refuted else None


def _sat(values: dict[str, str], domains: Domains) -> Answer:
    found = tuple([Literal(variable, values[variable]) for variable in domains if variable in values])
    return Answer(Verdict.SAT, found)


def _values(text: str, domains: Domains) -> Iterator[tuple[int, str, str]]:
    """Each `x1=0`, `"x1": false`, `x1 is 0`, `x1 -> 0` ... of which variable and value exist, and where it stands."""
    names = {variable.lower(): variable for variable in domains}
    for pair in PAIR.finditer(text):
        variable = names.get(pair[1].lower())
        if variable is not None:
            choices = domains[variable]
            value = TRUTH.get(pair[2].lower(), pair[2]) if set(choices) <= {"0", "1"} else pair[2]
            if value in choices:
                yield pair.start(), variable, value
