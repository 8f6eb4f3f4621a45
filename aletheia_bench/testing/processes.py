"""Asks another process, with another hash seed, for the same problems in another order."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

from aletheia_bench.testing.findings import Finding, shortened
from aletheia_bench.testing.fresh import orders
from aletheia_bench.testing.specimen import Place, Specimen

__all__ = ["Elsewhere", "Stuck", "compared", "elsewhere"]

SCRIPT = Path(__file__).with_name("fresh.py")
START = 60.0
"""Seconds that importing a task may take."""
PATIENCE = 30.0
SLOW = 4
"""A problem may take so many times its budget, and `PATIENCE`, before the process is ended."""

METHODS = ("render", "dumps", "canonical", "domains", "csp")

Elsewhere = dict[Place, list[str]]
"""What another process said of problems, by `METHODS`, or an error alone."""
Answers = Queue[str | list[str] | None]
"""Line by line; None for a class that it can use, and at its end."""


class Stuck(Exception):
    """The other process hung or died over a problem, and so would this one; its argument is the finding."""


def elsewhere(kind: type, places: Sequence[Place], seconds: float, said: Elsewhere) -> Iterator[Finding]:
    """Fills `said`; finds only a class that cannot be imported. Raises Stuck."""
    with _answers(kind, places[::-1]) as answers:
        problem = answers.get(timeout=START)
        if problem is not None:
            wrong = f"another process cannot import it from {kind.__module__} ({shortened(str(problem))})."
            remedy = "Let it stand in a module, and not in a function or a script, or switch this off: fresh=False."
            yield Finding(f"class {kind.__qualname__}", wrong, remedy)
            return
        for place in places[::-1]:
            said[place] = _answer(answers, place, PATIENCE + SLOW * seconds)


def _answer(answers: Answers, place: Place, patience: float) -> list[str]:
    try:
        found = answers.get(timeout=patience)
    except Empty:
        wrong = f"`generate` did not end within {patience:g} s in another process."
        remedy = "Let it end: is there a problem whose canonical form `belongs` to each split?"
        raise Stuck(Finding(str(place), wrong, remedy)) from None
    if not isinstance(found, list):
        wrong = "another process that was asked for this problem ended without a word."
        raise Stuck(Finding(str(place), wrong, "Nothing in a task may end the process."))
    return found


@contextmanager
def _answers(kind: type, order: Sequence[Place]) -> Iterator[Answers]:
    """What the process says, until it is no longer wanted."""
    asked = {
        "path": [str(Path(entry).absolute()) for entry in sys.path],
        "module": kind.__module__,
        "class": kind.__qualname__,
        "problems": [(place.level, place.split, place.seed, place.index) for place in order],
    }
    environment = os.environ | {"PYTHONHASHSEED": "4711" if os.environ.get("PYTHONHASHSEED") != "4711" else "1"}
    process = subprocess.Popen(
        [sys.executable, "-P", SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    answers: Answers = Queue()

    assert process.stdin is not None
    assert process.stdout is not None
    listener = Thread(target=_listen, args=(process.stdout, answers), daemon=True)
    listener.start()
    try:
        process.stdin.write(json.dumps(asked))
        process.stdin.close()
        yield answers
    finally:
        process.kill()
        process.wait()
        listener.join()
        process.stdout.close()


def _listen(said: Iterable[str], answers: Answers) -> None:
    for line in said:
        answers.put(json.loads(line))
    answers.put(None)


def compared(specimens: Sequence[Specimen], said: Elsewhere) -> Iterator[Finding]:
    """Where the other process made another problem of the same arguments."""
    for each in specimens:
        if each.place not in said:
            continue
        theirs = said[each.place]
        ours = [getattr(each.task, method)(each.problem) for method in METHODS[:3]]
        ours += orders(each.task, each.problem)
        if len(theirs) == 1:
            wrong = f"in another process this problem raises {shortened(theirs[0])}."
            yield each.finding(wrong, "Let it need nothing that another process does not have.")
        elif theirs != ours:
            number = next(n for n, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other)
            wrong = f"another process makes another problem of these arguments: `{METHODS[number]}` differs."
            yield each.finding(
                wrong, "Draw from `generator` alone, and depend on no order of sets, hash, clock, or earlier call."
            )
