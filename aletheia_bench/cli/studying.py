"""What `study` does: students and their runs in processes of their own, then one report."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click

from aletheia_bench import study_report
from aletheia_bench.cli.building import known_level, ready
from aletheia_bench.cli.options import cores
from aletheia_bench.evaluation import Options, prepare, run as evaluate
from aletheia_bench.results import Results
from aletheia_bench.runs import Run
from aletheia_bench.shapes import opened
from aletheia_bench.study import LINEAR, Student, Study, read, students, tries
from aletheia_bench.study_report import Conducted
from aletheia_plugins import AletheiaError, Task
from aletheia_plugins.helping import end_with_parent
from aletheia_plugins.loading import Plugins, load_plugins

__all__ = ["study"]

Found = Mapping[str, Results]
"""Results by task and level."""


@dataclass(frozen=True, slots=True)
class _Job:
    """What one process does: train a student, if it is not, and evaluate it."""

    study: Study
    student: Student
    out: Path
    """Where students and runs land, which other studies may share."""
    log: Path
    autoload: bool
    tries: Mapping[str, int] | None = None
    """How often to try items of a task and level; None: once, greedily, with all that the study asks for."""


def study(plugins: Plugins, *, file: Path, out: Path, workers: int, scale: float, autoload: bool) -> None:
    """Train and evaluate all students, going on where an earlier call stopped, and write the report."""
    plan = read(file)
    list(_work(plugins, plan))  # before anything is trained
    chosen = students(plan, plugins, file.parent, scale=scale)
    folder = out / (plan.name if scale == 1 else f"{plan.name}-x{scale:g}")
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    os.environ["OMP_NUM_THREADS"] = str(max(1, cores() // workers))  # of the processes, which are not there yet
    click.echo(f"{len(chosen)} students, {workers} at a time; their logs are in {logs}.", err=True)
    with ProcessPoolExecutor(workers, get_context("spawn"), end_with_parent) as pool:
        jobs = [_Job(plan, s, out, logs / f"{s.card.name}.log", autoload) for s in chosen]
        greedy = _all(pool, jobs)
        again = [
            replace(job, tries=_tries(plan, job.student, chosen, greedy))
            for job in jobs
            if job.student.card.arm in LINEAR and plan.best_of > 1
        ]
        tried = _all(pool, [job for job in again if job.tries])
    done = [_conducted(plugins, s, out, greedy[s.card.name], tried.get(s.card.name, {})) for s in chosen]
    _write(plan, done, folder)
    click.echo(study_report.markdown(plan, done))
    click.echo(f"{folder / 'report.md'}", err=True)


def _work(plugins: Plugins, plan: Study) -> Iterator[tuple[Task[Any], str]]:
    """The tasks and levels of a study. Raises UnknownNameError."""
    for name in plan.tasks:
        yield from ((plugins.task(name), known_level(plugins.task(name), level)) for level in plan.levels)


def _all(pool: ProcessPoolExecutor, jobs: Iterable[_Job]) -> dict[str, Found]:
    """Results by student; says when each is done. A job that fails does not keep the others from their work.

    Raises AletheiaError naming the student and its log when all others are done.
    """
    waiting = {pool.submit(_conduct, job): job for job in jobs}
    done: dict[str, Found] = {}
    failed: list[str] = []
    for future in as_completed(waiting):
        job = waiting[future]
        name = job.student.card.name
        try:
            done[name] = future.result()
        except BrokenProcessPool:
            failed.append(f"{name}: a process was ended from outside, perhaps for want of memory ({job.log})")
        except AletheiaError as error:
            failed.append(f"{name}: {error}")
        else:
            click.echo(f"{name}: done ({len(done)} of {len(waiting)})", err=True)
    if failed:
        raise AletheiaError(f"{failed[0]}; {len(done)} of {len(waiting)} students are done, repeat the command.")
    return done


def _conduct(job: _Job) -> Found:
    """The work of one process, whose messages go into a log."""
    log = job.log.open("a", encoding="utf-8")
    sys.stderr.flush()
    os.dup2(log.fileno(), 2)
    plugins, plan = load_plugins(autoload=job.autoload), job.study
    card = ready(plugins, job.student.card, job.out, seed=job.student.seed, workers=1)
    card = replace(card, source=card.weights or card.source)  # a run says what it evaluated, not what it was made from
    found: dict[str, Results] = {}
    with closing(opened(plugins.backend(card.backend), card)) as model:
        for task, level in _work(plugins, plan):
            name = f"{task.name}-{level}"
            epochs = 1 if job.tries is None else job.tries.get(name, 0)
            if epochs:
                options = Options(
                    task=task.name, level=level, model=card.name, limit=plan.limit, seed=0, epochs=epochs,
                    context=card.context, max_tokens=card.max_tokens,
                    temperature=0.0 if job.tries is None else plan.temperature,
                    forced=plan.forced if job.tries is None else 0,
                )  # fmt: skip
                items = prepare(task, level, seed=0, limit=plan.limit, path=None)
                found[name] = evaluate(options, items, card, model, plugins, out=job.out, fresh=False)
    return found


def _tries(plan: Study, student: Student, chosen: Iterable[Student], greedy: Mapping[str, Found]) -> Mapping[str, int]:
    """How often a student may try each task and level for the price of the first arm; nothing where that is once."""
    first = next(s for s in chosen if (s.model, s.card.arm, s.seed) == (student.model, plan.arms[0], student.seed))
    ours, theirs = greedy[first.card.name], greedy[student.card.name]
    counts = {name: tries(ours[name], theirs[name], plan.best_of) for name in theirs}
    return {name: count for name, count in counts.items() if count > 1}


def _conducted(plugins: Plugins, student: Student, out: Path, greedy: Found, tried: Found) -> Conducted:
    card = ready(plugins, student.card, out, seed=student.seed, workers=1)
    assert card.weights
    facts = json.loads((card.weights / "training.json").read_text(encoding="utf-8"))
    return Conducted(student.model, card.arm, student.seed, facts, list(greedy.values()), tried)


def _write(plan: Study, done: list[Conducted], folder: Path) -> None:
    run = Run(folder)
    run.write("study.json", json.dumps(study_report.data(plan, done), indent=1) + "\n")
    run.write("report.md", study_report.markdown(plan, done))
    if find_spec("jinja2"):
        from aletheia_bench import page

        run.write("report.html", page.of_study(plan, study_report.sections(plan, done)))
