"""Models that know nothing, or everything: each scores exactly what can be said of it beforehand."""

from collections.abc import Sequence

import pytest

from aletheia_bench.contexts import examples
from aletheia_bench.evaluate import Limits, evaluate
from aletheia_bench.items import generated
from aletheia_bench.measures import measure
from aletheia_bench.scoring import Outcome, score
from aletheia_bench.search import search
from aletheia_bench.testing import Playback
from aletheia_bench.text import render, render_step
from aletheia_plugins import (
    Answer,
    Backtrack,
    Completion,
    Conflict,
    Decide,
    Imply,
    Literal,
    Request,
    State,
    Verdict,
    generator,
)
from aletheia_tasks import aletheia_tasks

from .mutants import mutant
from .naive import holds, objection

TASKS = {task.name: task() for task in aletheia_tasks()}
LIMITS = Limits(100_000)
ITEMS = {name: list(generated(task, "tiny", seed=5, limit=40)) for name, task in TASKS.items()}
every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
both_kinds = pytest.mark.parametrize("kind", ["folded", "cumulative"])


class Says:
    """Answers each prompt by a function of it, whole."""

    def __init__(self, say) -> None:
        self.say, self.queue = say, []

    def submit(self, request: Request) -> None:
        self.queue.append(request)

    def poll(self) -> Sequence[Completion]:
        done, self.queue = self.queue, []
        return [Completion(r.id, self.say(r.prompt), (1,), 1, "stop", 0.1) for r in done]


def judged(task, model, kind="cumulative", *, lenient=False):
    samples = evaluate(model, [(item, 0) for item in ITEMS[task.name]], kind, LIMITS)
    return [score(task, sample, lenient=lenient) for sample in samples]


@every_task
@both_kinds
@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("say", [lambda _: "", lambda prompt: prompt.rstrip("\n")], ids=["nothing", "an echo"])
def test_a_model_that_says_nothing_or_repeats_the_prompt_solves_nothing(task, kind, lenient, say):
    found = judged(task, Says(say), kind, lenient=lenient)
    assert {s.outcome for s in found} == {Outcome.UNPARSED}
    figures = measure(found)
    assert (figures["solve_accuracy"].value, figures["backtrack_event_rate"].value) == (0, 0)
    claims = ("conflict_precision", "conflict_recall", "backtrack_validity", "repair_rate", "search_efficiency")
    assert {figures[name].value for name in claims} == {None}


@every_task
@both_kinds
def test_a_model_that_always_says_unsat_solves_what_is_unsat_and_proves_none_of_it(task, kind):
    found = judged(task, Says(lambda _: "answer: UNSAT\n"), kind)
    verdicts = {item.id: item.verdict for item in ITEMS[task.name]}
    assert all((s.outcome is Outcome.SOLVED) == (verdicts[s.item] is Verdict.UNSAT) for s in found)
    assert not any(s.certified or s.decisive for s in found)
    assert {s.first_error_step for s in found} == {1}


@every_task
def test_a_model_that_always_gives_the_first_values_solves_what_they_satisfy(task):
    prompts = {item.prompt: item for item in ITEMS[task.name]}

    def first_values(prompt):
        domains = task.domains(prompts[prompt].problem)
        return render_step(Answer(Verdict.SAT, tuple(Literal(v, values[0]) for v, values in domains.items()))) + "\n"

    for found in judged(task, Says(first_values)):
        item = next(item for item in ITEMS[task.name] if item.id == found.item)
        csp = task.csp(item.problem)
        firsts = {variable: values[0] for variable, values in csp.domains.items()}
        assert (found.outcome is Outcome.SOLVED) == all(
            holds(constraint, firsts, csp.domains) for constraint in csp.constraints
        )
        assert not found.certified


def random_walk(task, problem, rng):
    """A text of the grammar in which no line needs to be true, and an answer that is a guess."""
    csp = task.csp(problem)
    variables, names = list(csp.domains), [constraint.name for constraint in csp.constraints]

    def any_literal():
        variable = rng.choice(variables)
        return Literal(variable, rng.choice(csp.domains[variable]))

    steps = [State(((any_literal(),),))]
    for _ in range(rng.randrange(12)):
        cites = tuple(any_literal() for _ in range(rng.randrange(3)))
        steps += rng.choice(
            [
                [Decide(any_literal())],
                [Imply(rng.choice(names), cites, any_literal())],
                [Conflict(rng.choice(names), cites), Backtrack(rng.choice(variables)), State(((any_literal(),),))],
            ]
        )
    guess = {variable: rng.choice(values) for variable, values in csp.domains.items()}
    verdict = rng.choice([Verdict.SAT, Verdict.UNSAT])
    literals = tuple(Literal(*pair) for pair in guess.items()) if verdict is Verdict.SAT else ()
    return "".join(render_step(step) + "\n" for step in [*steps, Answer(verdict, literals)]), verdict, guess


@every_task
def test_a_random_well_formed_trace_is_right_where_its_guess_is_and_never_for_its_steps(task):
    for item in ITEMS[task.name]:
        text, verdict, guess = random_walk(task, item.problem, generator("walk", item.id))
        (sample,) = evaluate(Says(lambda _, text=text: text), [(item, 0)], "cumulative", LIMITS)
        found = score(task, sample)
        csp = task.csp(item.problem)
        right = all(holds(constraint, guess, csp.domains) for constraint in csp.constraints)
        expected = right if verdict is Verdict.SAT else item.verdict is Verdict.UNSAT
        assert (found.outcome is Outcome.SOLVED) == expected
        assert found.certified == (expected and objection(task.csp(item.problem), text) is None)
        assert found.backtracks == text.count("\nbacktrack ")
        assert found.conflicts == text.count("\nconflict ")
        assert not any(fault == "not a step" for _, fault in found.faults)


@every_task
@both_kinds
def test_the_reference_search_has_every_figure_at_its_best(task, kind):
    texts = {item.id: render(search(task.csp(item.problem))) for item in ITEMS[task.name]}
    known = Playback(e for item in ITEMS[task.name] for e in examples(kind, item.prompt, texts[item.id]))
    found = measure(judged(task, known, kind))
    assert found["solve_accuracy"].value == found["certified_accuracy"].value == 1
    for name in ("conflict_precision", "conflict_recall", "backtrack_validity", "repair_rate", "search_efficiency"):
        assert found[name].value in (1, None)
    assert found["first_error_step"].value is None
    needing = sum(item.reference["backtracks"] > 0 for item in ITEMS[task.name])
    assert found["backtrack_event_rate"].value == needing / len(ITEMS[task.name])


@every_task
def test_the_reference_with_one_wrong_step_is_never_certified(task):
    spoilt = 0
    for item in ITEMS[task.name]:
        csp, rng = task.csp(item.problem), generator("spoil", item.id)
        text = render(search(csp))
        changed = next(c for c in (mutant(rng, text, csp)[1] for _ in range(100)) if objection(csp, c) is not None)
        whole = changed.rstrip("\n")  # what ends in a newline would be asked to go on
        (sample,) = evaluate(Says(lambda _, text=whole: text), [(item, 0)], "cumulative", LIMITS)
        found = score(task, sample)
        assert not found.certified
        assert found.first_error_step is not None
        spoilt += 1
    assert spoilt == len(ITEMS[task.name])
