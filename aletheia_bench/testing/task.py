"""What the contract promises of a task, looked for in problems of all its levels."""

from collections.abc import Iterator, Sequence
from typing import Any

from aletheia_bench.testing.declaration import described, usable
from aletheia_bench.testing.findings import Finding, guarded, insist, merged
from aletheia_bench.testing.generation import again, apart, made, places, splits
from aletheia_bench.testing.processes import Elsewhere, Stuck, compared, elsewhere
from aletheia_bench.testing.semantics import agreeing, monotone, unknown_names
from aletheia_bench.testing.solving import hurried, scored, searched, timeless
from aletheia_bench.testing.specimen import Specimen
from aletheia_bench.testing.symmetry import disguised, disguising, inequivalent
from aletheia_bench.testing.texts import drawn, filed, garbage, named, rendered, sent, shaped, told_apart
from aletheia_plugins import Task

__all__ = ["check_task", "findings"]

OF_ALL = (again, splits, apart, told_apart, disguising)
OF_EACH = (rendered, named, filed, sent)
OF_FEW = (agreeing, monotone, searched, disguised)
"""They take longer: of levels other than the first, which is easy, they are shown one problem of each split."""
OF_ONE = (garbage, scored, unknown_names, timeless, hurried, drawn)
"""They look at little in a problem: they are shown one of each level and split."""


def check_task(
    task: type[Task[Any]], *, problems: int = 6, seconds: float = 5.0, seed: int = 1, fresh: bool = True
) -> None:
    """Raises AssertionError with all that `findings` finds."""
    insist(task.__qualname__, findings(task, problems=problems, seconds=seconds, seed=seed, fresh=fresh))


def findings(
    task: type[Task[Any]], *, problems: int = 6, seconds: float = 5.0, seed: int = 1, fresh: bool = True
) -> list[Finding]:
    """What is wrong with a task; of each kind the first finding.

    `problems`: how many of each level and split are looked at; `seconds`: that generating one may take; `fresh`:
    whether another process is asked for the same problems, for which the class must stand in a module that can be
    imported. What keeps other things from being looked at is found alone.
    """
    blocking = list(usable(task))
    if blocking:
        return merged(blocking)
    made_task = task()
    found = list(guarded(f"class {task.__qualname__}", described(made_task)))
    wanted = places(made_task, seed, problems)
    said: Elsewhere = {}
    if fresh:
        try:
            found += elsewhere(task, wanted, seconds, said)
        except Stuck as stuck:
            return merged([*found, stuck.args[0]])
    specimens: list[Specimen] = []
    found += made(made_task, wanted, seconds, specimens)
    misshapen = [
        finding for each in specimens if not each.place.index for finding in guarded(str(each.place), shaped(each))
    ]
    if misshapen or not specimens:
        return merged(found + misshapen)
    found += guarded("all levels", compared(specimens, said))
    return merged([*found, *_looked_at(made_task, specimens, seed)])


def _looked_at(task: Task[Any], specimens: Sequence[Specimen], seed: int) -> Iterator[Finding]:
    for check in OF_ALL:
        yield from guarded("all levels", check(specimens))
    for each_of in OF_EACH:
        for each in specimens:
            yield from guarded(str(each.place), each_of(each))
    for of_few in OF_FEW:
        for each in specimens:
            if not each.place.index or each.place.level == task.levels[0]:
                yield from guarded(str(each.place), of_few(each))
    for of_one in OF_ONE:
        for each in specimens:
            if not each.place.index:
                yield from guarded(str(each.place), of_one(each))
    for level in task.levels:
        yield from guarded(f"level {level}", inequivalent(task, level, seed))
