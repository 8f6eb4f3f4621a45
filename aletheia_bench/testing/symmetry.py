"""What is promised of `canonical`: the same for all disguises of a problem, and for nothing else."""

import random
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any

from aletheia_bench.testing.findings import Finding
from aletheia_bench.testing.meaning import Outline, alike, outline
from aletheia_bench.testing.specimen import Place, Specimen
from aletheia_plugins import Disguising, Task

__all__ = ["disguised", "disguising", "inequivalent"]

DISGUISES = 3
DRAWN = 60
"""Problems among which two with the same canonical form are looked for: of the easiest level so many, ..."""
MOMENT = 0.1
"""... of the others so many as can be drawn in these seconds."""


def disguised(each: Specimen) -> Iterator[Finding]:
    """If the task knows disguises: they have the same form, and are the same problem in other words."""
    task = each.task
    if not isinstance(task, Disguising):
        return
    form, rng, before = task.canonical(each.problem), each.rng("disguised"), outline(each.csp)
    others = [task.disguise(each.problem, rng) for _ in range(DISGUISES)]
    yield from _drawn_alone(each, task)
    for other in others:
        if not alike(outline(task.csp(other)), before):
            wrong = "a disguise of the problem has other variables, constraints or solutions than the problem."
            yield each.finding(wrong, "Let `disguise` rename, permute and reorder, and change nothing else.")
        elif task.canonical(other) != form:
            wrong = "a disguise of the problem has another canonical form."
            yield each.finding(wrong, "Let `canonical` depend on nothing that `disguise` changes.")
        elif list(task.loads(task.dumps(other))) != [other]:
            yield each.finding("a disguise of the problem cannot be written and read.", "Let `disguise` make problems.")


def _drawn_alone(each: Specimen, task: Disguising[Any]) -> Iterator[Finding]:
    """From what it is given to draw from, whatever the generator that all the world shares would say."""
    shared, made = random.getstate(), []
    try:
        for seed in (1, 2):
            random.seed(seed)
            made.append(task.disguise(each.problem, each.rng("disguised")))
    finally:
        random.setstate(shared)
    if made[0] != made[1]:
        wrong = "two disguises of the problem, made with equal `rng`, differ."
        yield each.finding(wrong, "Draw a disguise from `rng` alone.")


def disguising(specimens: Sequence[Specimen]) -> Iterator[Finding]:
    """Some problems look the same in any disguise, but not all."""
    task = specimens[0].task
    if not isinstance(task, Disguising):
        return
    if all(task.disguise(each.problem, each.rng("disguising")) == each.problem for each in specimens):
        wrong = "the disguise of each problem is the problem itself."
        yield Finding("all levels", wrong, "Let `disguise` draw a new form from `rng`.")


def inequivalent(task: Task[Any], level: str, seed: int) -> Iterator[Finding]:
    """Two problems of a level with one form have as many variables, constraints and solutions."""
    known: dict[str, tuple[Outline, Place]] = {}
    began = monotonic()
    for index in range(DRAWN):
        if level != task.levels[0] and monotonic() - began > MOMENT:
            return
        place = Place(level, "train", seed, index)
        problem = place.generate(task)
        seen = outline(task.csp(problem))
        before, where = known.setdefault(task.canonical(problem), (seen, place))
        if not alike(seen, before):
            wrong = (
                f"the problem has the canonical form of the one of index {where.index}, but {_said(seen)} instead of "
                f"{_said(before)}."
            )
            yield Finding(str(place), wrong, "Let `canonical` tell problems apart that are no disguises of each other.")


def _said(seen: Outline) -> str:
    words = ("variables", "bounds", "solutions")
    return ", ".join(f"{count} {word}" for count, word in zip(seen, words, strict=True) if count is not None)
