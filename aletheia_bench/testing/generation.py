"""What is promised of `generate`: the same problem again, another one for other arguments, in time, in its split."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from time import perf_counter
from typing import Any

from aletheia_bench.testing.findings import Finding, guarded
from aletheia_bench.testing.specimen import Place, Specimen
from aletheia_plugins import Split, Task, belongs

__all__ = ["again", "apart", "made", "places", "splits"]

SPLITS: tuple[Split, ...] = ("train", "test")
FURTHER = 1000
"""Added to a seed where problems of further seeds are wanted."""
MANY = 48
"""Further problems that are drawn where forms repeat, to see whether the level has few of them."""


def places(task: Task[Any], seed: int, count: int) -> list[Place]:
    return [Place(level, split, seed, index) for level in task.levels for split in SPLITS for index in range(count)]


def made(task: Task[Any], wanted: Sequence[Place], seconds: float, specimens: list[Specimen]) -> Iterator[Finding]:
    """Fills `specimens`, each problem within its time. The first one of a level may be slower: something is loaded."""
    for level, group in groupby(wanted, lambda place: place.level):
        yield from guarded(f"level {level}", _warm(task, level))
        for place in group:
            yield from guarded(str(place), _timed(task, place, seconds, specimens))


def _warm(task: Task[Any], level: str) -> Iterator[Finding]:
    task.canonical(Place(level, "train", FURTHER - 1, 0).generate(task))
    yield from ()


def _timed(task: Task[Any], place: Place, seconds: float, specimens: list[Specimen]) -> Iterator[Finding]:
    began = perf_counter()
    problem = place.generate(task)
    took = perf_counter() - began
    specimens.append(Specimen(task, place, problem))
    if took > seconds:
        wrong = f"`generate` takes {took:.1f} s, and may take {seconds:g}."
        yield Finding(str(place), wrong, "Make it quicker, make the level easier, or allow more: seconds=.")


def again(specimens: Sequence[Specimen]) -> Iterator[Finding]:
    """The same arguments, asked in another order of another instance."""
    fresh = type(specimens[0].task)()
    for each in reversed(specimens):
        if each.place.generate(fresh) != each.problem:
            yield each.finding(
                "the second problem of these arguments is not equal to the first.",
                "Draw from `generator` alone, and let problems compare by content: a frozen dataclass does.",
            )


def splits(specimens: Sequence[Specimen]) -> Iterator[Finding]:
    for each in specimens:
        if not belongs(each.task.canonical(each.problem), each.place.split):
            yield each.finding(
                "the canonical form of the problem belongs to the other split.",
                "Draw until `belongs(self.canonical(problem), split)`, so that no training has a test problem.",
            )


def apart(specimens: Sequence[Specimen]) -> Iterator[Finding]:
    """Other arguments, another form; where a level has few of them, some may come again."""
    for (_, split), group in groupby(specimens, lambda each: (each.place.level, each.place.split)):
        if split == "train":
            yield from _level_apart(list(group))


def _level_apart(group: Sequence[Specimen]) -> Iterator[Finding]:
    task, first = group[0].task, group[0].place
    by_index = [each.problem for each in group]
    by_seed = [Place(first.level, "train", first.seed + n, 0).generate(task) for n in range(len(group))]
    by_split = Place(first.level, "test", first.seed, 0).generate(task)
    where = f"level {first.level}, split train, seeds {first.seed} to {first.seed + len(group) - 1}"
    if len(group) > 2 and by_index[1:] == [first_of.generate(task) for first_of in _shifted(group)]:
        wrong = "a seed has the problems of the seed before it, one index on."
        yield Finding(
            where, wrong, "Seed with `generator(name, version, level, split, seed, index)`, not seed + index."
        )
    if by_split == by_index[0]:
        yield Finding(where, "both splits have the same problem.", "Let `split` be a part of the generator's key.")
    forms = [len({task.canonical(problem) for problem in problems}) for problems in (by_index, by_seed)]
    few = min(forms) < len(group) and _few(task, first)
    for distinct, other, what in zip(forms, forms[::-1], ("indices", "seeds"), strict=True):
        if distinct < len(group) and (not few or distinct == 1 or 2 * distinct < other):
            wrong = f"{len(group)} {what} give {distinct} canonical form{'s' * (distinct > 1)}."
            yield Finding(
                where, wrong, f"Let different {what} give different problems, and `canonical` tell them apart."
            )


def _shifted(group: Sequence[Specimen]) -> list[Place]:
    return [Place(p.level, p.split, p.seed + 1, p.index) for p in (each.place for each in group[:-1])]


def _few(task: Task[Any], place: Place) -> bool:
    """Whether forms repeat among other seeds and indices too, more often than those of many forms would."""
    others = [Place(place.level, "train", place.seed + FURTHER + n, n).generate(task) for n in range(MANY)]
    return len({task.canonical(problem) for problem in others}) < MANY
