"""Builds and reads corpora: JSONL, one verified trace a line. Knows the harness's stations up to the checker, no model.

A record has the columns of `Record`; `prompt` and `completion` are what TRL and `datasets` expect. The records of a
corpus depend on its `Plan` alone, not on how many processes made them or how often they were interrupted.
"""

import json
from array import array
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import accumulate, groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypedDict, get_origin, get_type_hints

from aletheia_bench.arms import arm
from aletheia_bench.checker import Review, review
from aletheia_bench.locking import alone
from aletheia_bench.search import search
from aletheia_bench.shapes import generated, posed, reread, written
from aletheia_bench.text import render, segments
from aletheia_plugins import (
    Backtrack,
    Conflict,
    CorpusError,
    Decide,
    Disguising,
    ProblemFileError,
    Split,
    Task,
    Trace,
    UnknownNameError,
    Verdict,
    belongs,
    generator,
)
from aletheia_plugins.helping import help_parent
from aletheia_plugins.loading import defect

__all__ = ["Plan", "Record", "Records", "Rejected", "build", "digest", "make", "read", "verify"]

START = b'{"id":"'
"""How a record begins, also one that was only half written."""
TRACES = 2
"""Grows when a problem gets another trace than before: a training that was begun with the old ones cannot go on."""
MAX_STEPS = 20_000
CHUNK = 32
"""Problems that a worker process takes at a time; of fewer, each worker gets an eighth of its share."""


class Record(TypedDict):
    """One line of a corpus."""

    id: str
    task: str
    version: str
    level: str
    split: str
    seed: int
    index: int
    arm: str
    problem: str
    prompt: str
    completion: str
    steps: list[str]
    segments: list[str]
    difficulty: dict[str, int | str]
    canonical: str
    sha256: str


COLUMNS = {column: get_origin(kind) or kind for column, kind in get_type_hints(Record).items()}


@dataclass(frozen=True, slots=True)
class Plan:
    """Which traces to make: `count` problems of a task's level, of them the ones of shard (i, n): i, i + n, ..."""

    task: Task[Any]
    level: str
    count: int
    split: Split = "train"
    seed: int = 0
    arm: str = "backtracking"
    shard: tuple[int, int] = (0, 1)
    max_steps: int = MAX_STEPS
    disguises: int = 0
    """Every other problem is posed in that one of so many disguises that is hardest to read."""

    def indices(self) -> range:
        return range(self.shard[0], self.count, self.shard[1])

    def id(self, index: int) -> str:
        return f"{self.task.name}-{self.level}-{self.split}-{self.seed}-{index}"


class Rejected(CorpusError):
    """The checker rejected a trace of the search: a defect of the task or of the search, never of the user."""

    def __init__(self, record: Record, judgement: str, whose: str) -> None:
        self.record, self.judgement, self.whose = record, judgement, whose
        super().__init__(record, judgement, whose)

    def __str__(self) -> str:
        return f"{self.record['id']}: the checker rejects the trace: {self.judgement}. This is {self.whose}"


def make(plan: Plan, index: int) -> Record | None:
    """One verified record; None if the search did not end within `max_steps`. Raises Rejected."""
    record = _verified(plan, index)
    if record:
        record["sha256"] = digest(record)
    return record


def _verified(plan: Plan, index: int) -> Record | None:
    """The record without its hash."""
    task = plan.task
    problem = _problem(plan, index)
    canonical = written(task, "canonical", problem)
    if not belongs(canonical, plan.split):
        raise CorpusError(f"{plan.id(index)} does not belong to the {plan.split} split: {defect(task)}")
    native = written(task, "dumps", problem)
    trace = _search(task, problem, native, plan.max_steps)
    if trace.verdict is Verdict.UNKNOWN:
        return None
    text = render(trace)
    shown = arm(plan.arm)(trace, partial(_another, plan, canonical))
    record: Record = {
        "id": plan.id(index),
        "task": task.name,
        "version": task.version,
        "level": plan.level,
        "split": plan.split,
        "seed": plan.seed,
        "index": index,
        "arm": plan.arm,
        "problem": native,
        "prompt": written(task, "render", problem),
        "completion": shown,
        "steps": shown.splitlines(),
        "segments": list(segments(shown)),
        "difficulty": difficulty(trace),
        "canonical": canonical,
        "sha256": "",
    }
    found = review(task, reread(task, native), text)
    if not found.valid:
        raise Rejected(Record(**{**record, "completion": text}), _first(found), defect(task))
    return record


def _problem(plan: Plan, index: int) -> Any:
    """The problem at that index of the plan; every other one as `disguises` says."""
    task = plan.task
    problem = generated(task, plan.level, plan.split, plan.seed, index)
    if not (plan.disguises and index % 2 and isinstance(task, Disguising)):
        return problem
    rng = generator("disguises", plan.split, plan.seed, index)
    others = [task.disguise(problem, rng) for _ in range(plan.disguises)]
    return max([problem, *others], key=partial(_gap, task))


def _gap(task: Task[Any], problem: Any) -> int:
    """The most variables in a row that have no value yet: where a student loses its place among those that have."""
    known = [len(values) == 1 for values in task.domains(problem).values()]
    return max((len(list(row)) for given, row in groupby(known) if not given), default=0)


def _search(task: Task[Any], problem: Any, native: str, max_steps: int) -> Trace:
    """A search that takes any conflict or implication that is equally good, the same ones for the same problem.

    A student need not learn which of them is the first, and sees them all alike.
    """
    return search(posed(task, problem), rng=generator("search", native), max_steps=max_steps)


def _another(plan: Plan, canonical: str) -> Trace:
    """The trace of another problem of the level, no disguise of this one; the same one for the same problem."""
    rng = generator("another", plan.split, plan.seed, canonical)
    while True:
        problem = plan.task.generate(plan.level, split=plan.split, seed=plan.seed, index=rng.randrange(1 << 30))
        if plan.task.canonical(problem) != canonical:
            trace = _search(plan.task, problem, plan.task.dumps(problem), plan.max_steps)
            if trace.verdict is not Verdict.UNKNOWN:
                return trace


def difficulty(trace: Trace) -> dict[str, int | str]:
    """What the search needed for the problem."""
    kinds = [type(step) for step in trace.steps]
    return {
        "verdict": str(trace.verdict),
        "steps": len(kinds),
        "decisions": kinds.count(Decide),
        "conflicts": kinds.count(Conflict),
        "backtracks": kinds.count(Backtrack),
    }


def digest(record: Record) -> str:
    """SHA-256 of the record as a line with this column empty."""
    return sha256(_encoded({**record, "sha256": ""}).encode()).hexdigest()


def _encoded(record: Record) -> str:
    return json.dumps(record, separators=(",", ":"))


def build(plan: Plan, path: Path, *, workers: int = 1) -> Iterator[int]:
    """Write the plan's corpus to `path`, going on where an earlier call stopped; yields the problems done so far.

    A rejected trace is kept in `path` + ".rejected" and ends the build.
    """
    arm(plan.arm)
    if path.exists() and not path.is_file():
        raise CorpusError(f"{path} is no file that can be continued: write to another one.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        busy = CorpusError(f"{path} is being written by another process: wait for it, or write elsewhere.")
        stack.callback(alone(path.with_name(f".{path.name}.lock"), busy).release)
        done = _resume(plan, path)
        yield done
        indices = plan.indices()[done:]
        file = stack.enter_context(path.open("a", encoding="utf-8"))
        lines: Iterable[str] = map(partial(_line, plan), indices)
        if workers > 1:
            size = max(1, min(workers, len(indices)))
            pool = ProcessPoolExecutor(size, get_context("forkserver"), help_parent)
            stack.callback(pool.shutdown, cancel_futures=True)
            chunk = max(1, min(CHUNK, len(indices) // (8 * workers)))
            lines = pool.map(partial(_line, plan), indices, chunksize=chunk)
        try:
            for line in lines:
                file.write(line)
                done += 1
                yield done
        except Rejected as rejected:
            path.with_name(path.name + ".rejected").write_text(json.dumps(rejected.record) + "\n")
            raise
        except BrokenProcessPool as error:
            raise CorpusError(
                f"{path}: a process that makes traces was ended, by the system for want of memory or by a plugin; "
                f"{done} of {len(plan.indices())} problems are done: repeat the command, perhaps with --workers 1."
            ) from error


def _line(plan: Plan, index: int) -> str:
    """A record as a line; nothing for a problem that the search gave up on."""
    record = _verified(plan, index)
    if not record:
        return ""
    line = _encoded(record)  # once, and the hash put into its place, the last one
    return f'{line[:-2]}{sha256(line.encode()).hexdigest()}"}}\n'


def _resume(plan: Plan, path: Path) -> int:
    """How many of the plan's problems the file has; cuts off a last line that was only half written."""
    if not path.exists():
        return 0
    done, end, indices = 0, 0, plan.indices()
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                if not line.startswith(START[: len(line)]):
                    raise CorpusError(f"{path}:{number}: expected a record, got {line[:40]!r}: write to another file.")
                break
            content = _content(line, path, number)
            _same(plan, content, indices[done:], path, number)
            done, end = indices.index(content["index"]) + 1, end + len(line)
    if end < path.stat().st_size:
        with path.open("r+b") as file:
            file.truncate(end)
    return done


def _same(plan: Plan, content: dict[str, Any], left: range, path: Path, number: int) -> None:
    """Whether the line is a record of the plan, at one of the indices that are left: some may have been skipped."""
    index = content.get("index")
    same = isinstance(index, int) and index in left and content.get("id") == plan.id(index)
    if not same or (content.get("arm"), content.get("version")) != (plan.arm, plan.task.version):
        raise CorpusError(
            f"{path}:{number} has {content.get('id')!r} (arm {content.get('arm')!r}), this build "
            f"{'would put ' + repr(plan.id(left[0])) if left else 'is shorter'}: "
            f"write to another file, or delete this one."
        )


def read(path: Path) -> Iterator[Record]:
    """The records of a corpus, one at a time. Raises CorpusError naming file and line."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield _record(line, path, number)
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror}.") from error


class Records:
    """The records of a corpus in any order: keeps where each line begins, and reads it when it is asked for.

    Raises CorpusError at a record that is not what `build` wrote.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            self.starts = array("Q", accumulate(map(len, file), initial=0))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> Record:
        if not 0 <= number < len(self):
            raise IndexError(f"{self.path} has {len(self)} records, no {number}")
        with self.path.open("rb") as file:
            file.seek(self.starts[number])
            record = _record(file.readline(), self.path, number + 1)
        if digest(record) != record["sha256"]:
            raise CorpusError(
                f"{self.path}:{number + 1} was changed after it was written (its hash differs): delete the file."
            )
        return record


def _record(line: bytes, path: Path, number: int) -> Record:
    content = _content(line, path, number)
    wrong = [column for column, kind in COLUMNS.items() if not isinstance(content.get(column), kind)]
    if wrong:
        raise CorpusError(f"{path}:{number}: no {min(wrong)!r}: this is no trace file, or a damaged one.")
    return content  # type: ignore[return-value]


def _content(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except ValueError as error:
        raise CorpusError(f"{path}:{number}: expected a JSON object, got {line[:40]!r}.") from error
    if not isinstance(content, dict):
        raise CorpusError(f"{path}:{number}: expected a JSON object, got {type(content).__name__}.")
    return content


def verify(record: Record, task: Task[Any]) -> str | None:
    """What is wrong with a record, in a few words; None if its hash is right and the checker accepts its trace.

    An arm that leaves steps out must be what the arm makes of the verified trace of that problem.
    """
    if digest(record) != record["sha256"]:
        return "the record was changed after it was written (its hash differs)"
    try:
        problem = task.loads(record["problem"])[0]
        arm(record["arm"])
    except ProblemFileError as error:
        return f"the problem cannot be read: {error}"
    except UnknownNameError as error:
        return str(error)
    if task.render(problem) != record["prompt"] or task.canonical(problem) != record["canonical"]:
        return "the prompt or the canonical form is not that of the problem"
    if not belongs(record["canonical"], record["split"]):  # type: ignore[arg-type]  # a split
        return "the problem is a test problem in disguise" if record["split"] == "train" else "it is a training problem"
    text = record["completion"]
    if record["steps"] != text.splitlines() or record["segments"] != list(segments(text)):
        return "the steps or segments are not those of the completion"
    found = review(task, problem, record["completion"])
    if record["arm"] == "backtracking":
        return None if found.valid else _first(found)
    plan = Plan(task, record["level"], 1, record["split"], record["seed"])  # type: ignore[arg-type]  # a split
    trace = _search(task, problem, record["problem"], MAX_STEPS)
    if arm(record["arm"])(trace, partial(_another, plan, record["canonical"])) != record["completion"]:
        return f"the completion is not what the arm {record['arm']!r} makes of the verified trace"
    return None


def _first(found: Review) -> str:
    index = found.first_fault
    if index is None:
        return "no fault"
    judgement = found.judgements[index]
    return f"line {index + 1}: {judgement.fault}: {judgement.line}"
