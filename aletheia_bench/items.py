"""What a run evaluates: problems with their true verdict and what the reference search needed. Knows no model."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aletheia_bench import shapes
from aletheia_bench.checker import review
from aletheia_bench.corpus import difficulty
from aletheia_bench.search import search
from aletheia_bench.text import render
from aletheia_plugins import AletheiaError, CorpusError, ProblemFileError, Task, UsageError, Verdict
from aletheia_plugins.loading import defect

__all__ = ["Item", "from_file", "generated", "problems"]

MAX_STEPS = 50_000
"""Beyond this the reference search gives up on an item, and the solver's word alone counts."""


@dataclass(frozen=True, slots=True)
class Item:
    """One problem to solve. `reference` has the steps, decisions, conflicts and backtracks of the search."""

    id: str
    problem: Any
    native: str
    prompt: str
    verdict: Verdict
    reference: dict[str, int | str]


def generated(task: Task[Any], level: str, *, seed: int, limit: int) -> Iterator[Item]:
    """The first `limit` test problems of a level."""
    for index in range(limit):
        problem = shapes.generated(task, level, "test", seed, index)
        yield _item(task, problem, f"{task.name}-{level}-test-{seed}-{index}")


def from_file(task: Task[Any], path: Path) -> Iterator[Item]:
    """The problems of a file, or of all files of a folder, in the format of the task's field, as items."""
    for name, problem in problems(task, path):
        yield _item(task, problem, name)


def problems(task: Task[Any], path: Path) -> Iterator[tuple[str, Any]]:
    """The problems of a file, or of all files of a folder, each with a name."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        try:
            found = task.loads(file.read_text(encoding="utf-8"))
        except ProblemFileError as error:
            raise error.at(str(file)) from error
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read: {error}.") from error
        name = file.relative_to(path).as_posix() if path.is_dir() else file.stem
        for number, problem in enumerate(found):
            yield f"{name}-{number}", problem


def _item(task: Task[Any], problem: Any, name: str) -> Item:
    """The solver gives the verdict, and the verified search must agree where it ends."""
    trace = search(shapes.posed(task, problem), max_steps=MAX_STEPS)
    solution = shapes.solved(task, problem)
    if Verdict.UNKNOWN not in (trace.verdict, solution.verdict) and trace.verdict is not solution.verdict:
        said = f"{name}: the solver says {solution.verdict}, the search {trace.verdict}"
        raise AletheiaError(f"{said}: {defect(task)}")
    if trace.verdict is not Verdict.UNKNOWN and not review(task, problem, render(trace)).valid:
        raise CorpusError(f"{name}: the checker rejects the reference trace: {defect(task)}")
    verdict = solution.verdict if solution.verdict is not Verdict.UNKNOWN else trace.verdict
    native, prompt = (shapes.written(task, method, problem) for method in ("dumps", "render"))
    return Item(name, problem, native, prompt, verdict, difficulty(trace))
