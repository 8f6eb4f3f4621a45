"""What is promised of `solve`, and what search, checker and scores make of a problem."""

from collections.abc import Iterator
from random import Random
from time import monotonic

from aletheia_bench.checker import review
from aletheia_bench.evaluate import Sample
from aletheia_bench.scoring import score
from aletheia_bench.search import search
from aletheia_bench.testing.findings import Finding, shortened
from aletheia_bench.testing.specimen import Specimen, literals
from aletheia_bench.text import render
from aletheia_plugins import Solution, Verdict

__all__ = ["hurried", "scored", "searched", "timeless"]

MAX_STEPS = 10_000
SECONDS = 20.0
"""For one problem. A slower solver is of no use for thousands of them."""
HURRIED = (1e-6, 0.05)
OVERTIME = 2.0
"""Seconds that a solver may take longer than it is allowed: to set up, and to look at the clock."""
TIMED_OUT = "Say UNKNOWN when `seconds` did not suffice: a time-out is never UNSAT."
TEXTS = ("", "\n", "answer: SAT\n", "state: |\n", "answer: SAT x=1 x=2\n", "conflict :\n", "I do not know.", "\0é∧\n")


def searched(each: Specimen) -> Iterator[Finding]:
    """The solver's word, the search's, and the checker's on what the search wrote."""
    solution = each.task.solve(each.problem, seconds=SECONDS)
    yield from _solution(each, solution)
    trace = search(each.csp, rng=each.rng("search"), max_steps=MAX_STEPS)
    verdicts = (solution.verdict, trace.verdict)
    if Verdict.UNKNOWN not in verdicts and solution.verdict is not trace.verdict:
        wrong = f"`solve` says {solution.verdict}, and a search of `csp` says {trace.verdict}."
        yield each.finding(wrong, "Let `solve` and `csp` have the same constraints.")
    if trace.verdict is not Verdict.UNKNOWN:
        found = review(each.task, each.task.loads(each.task.dumps(each.problem))[0], render(trace))
        if found.first_fault is not None:
            bad = found.judgements[found.first_fault]
            wrong = f"the checker rejects the line {shortened(bad.line)!r} of a search of `csp`: {bad.fault}."
            yield each.finding(wrong, "Let `csp` and `falsified` have the same constraints, by the same names.")


def _solution(each: Specimen, solution: Solution) -> Iterator[Finding]:
    assignment, domains = solution.assignment, each.task.domains(each.problem)
    if solution.verdict is Verdict.UNKNOWN:
        wrong = f"`solve` has no verdict after {SECONDS:g} s."
        yield each.finding(wrong, "Use a quicker solver, or make the level easier.")
    if solution.verdict is not Verdict.SAT:
        if assignment is not None:
            wrong = f"`solve` says {solution.verdict} and gives an assignment."
            yield each.finding(wrong, "Give an assignment with the verdict SAT alone.")
        return
    if assignment is None or set(assignment) != set(domains):
        differing = sorted(set(domains) ^ set(assignment or {}))
        wrong = f"the solver's solution is not complete: it differs in {shortened(' '.join(differing))}."
        yield each.finding(wrong, "Let the solution assign each variable of `domains`, and no other.")
    elif any(value not in domains[variable] for variable, value in assignment.items()):
        odd = {variable: value for variable, value in assignment.items() if value not in domains[variable]}
        wrong = f"the solver's solution is outside the domains: {shortened(literals(odd))}."
        yield each.finding(wrong, "Let the solution have values of `domains` alone, as texts.")
    elif (name := each.task.falsified(each.problem, assignment)) is not None:
        wrong = f"the solver's solution falsifies {name!r}."
        yield each.finding(wrong, "Let `solve` and `falsified` have the same constraints.")


def timeless(each: Specimen) -> Iterator[Finding]:
    found = each.task.solve(each.problem, seconds=0)
    if found.verdict is not Verdict.UNKNOWN or found.assignment is not None:
        wrong = f"`solve` without any time says {found.verdict}."
        yield each.finding(wrong, TIMED_OUT)


def hurried(each: Specimen) -> Iterator[Finding]:
    """With little time: the verdict that much time gives, or none; and about in that time, also if asked again."""
    for seconds in HURRIED:
        verdict, took = _hurried(each, seconds)
        if took > OVERTIME and (took := min(took, _hurried(each, seconds)[1])) > OVERTIME:
            wrong = f"`solve` takes {took:.1f} s, and may take {seconds:g}."
            yield each.finding(wrong, "Hand `seconds` on to the solver, or look at the clock.")
        if verdict is not Verdict.UNKNOWN:
            right = each.task.solve(each.problem, seconds=SECONDS).verdict
            if right not in (verdict, Verdict.UNKNOWN):
                wrong = f"`solve` says {verdict} after {seconds:g} s, and {right} if it has {SECONDS:g}."
                yield each.finding(wrong, TIMED_OUT)


def _hurried(each: Specimen, seconds: float) -> tuple[Verdict, float]:
    began = monotonic()
    verdict = each.task.solve(each.problem, seconds=seconds).verdict
    return verdict, monotonic() - began


def scored(each: Specimen) -> Iterator[Finding]:
    """Whatever a model writes can be scored."""
    rng, trace = each.rng("scored"), render(search(each.csp, max_steps=40))
    native = each.task.dumps(each.problem)
    for number, text in enumerate([*TEXTS, trace, *(_spoilt(trace, rng) for _ in range(10))]):
        try:
            score(each.task, _sample(text, native), lenient=number % 2 > 0)
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises is a finding
            wrong = f"scoring the completion {shortened(repr(text))} raises {type(error).__name__}: {error}."
            yield each.finding(wrong, "Let `falsified` take any partial assignment and raise KeyError alone.")
            return


def _spoilt(text: str, rng: Random) -> str:
    """With words changed, left out or repeated."""
    words = text.split(" ")
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(words))
        words[place : place + rng.randint(0, 2)] = rng.choices(words, k=rng.randint(0, 2)) or ["-"]
    return " ".join(words)


def _sample(text: str, native: str) -> Sample:
    return {
        "id": "garbage",
        "epoch": 0,
        "problem": native,
        "verdict": "SAT",
        "reference": {},
        "completion": text,
        "finish": "answered",
        "turns": 1,
        "prompt_tokens": 1,
        "tokens": 1,
        "seconds": 0.0,
        "error": "",
    }
