"""Evaluation: turns, budgets and endings, and that a sample depends on its item and on nothing beside it."""

import itertools
from collections.abc import Callable

import pytest

from aletheia_bench.contexts import examples
from aletheia_bench.evaluate import Limits, evaluate
from aletheia_bench.items import Item, generated
from aletheia_bench.scoring import Outcome, score
from aletheia_bench.search import search
from aletheia_bench.testing import Playback
from aletheia_bench.text import render
from aletheia_plugins import AletheiaError, Completion, Example, Request, Verdict
from aletheia_tasks import aletheia_tasks

TASKS = {task.name: task() for task in aletheia_tasks()}
ITEMS = {name: list(generated(task, "tiny", seed=3, limit=4)) for name, task in TASKS.items()}
ENOUGH = Limits(10**6)


def reference(name: str, item: Item) -> str:
    return render(search(TASKS[name].csp(item.problem)))


def model_of(name: str, kind) -> Playback:
    """A model that knows the reference trace of each of the task's items."""
    return Playback(e for item in ITEMS[name] for e in examples(kind, item.prompt, reference(name, item)))


def one(model, kind="cumulative", limits=ENOUGH):
    """The sample of a lone item whose problem reads "problem"."""
    item = Item("item", None, "native", "problem\n", Verdict.SAT, {})
    (sample,) = evaluate(model, [(item, 0)], kind, limits)
    return sample


class Toy:
    """A model that writes what a function of the request says, newest request first; remembers what it was asked."""

    def __init__(self, write: Callable[[Request], Completion]) -> None:
        self.write, self.queue, self.asked = write, [], []

    def submit(self, request):
        self.queue.append(request)
        self.asked.append(request)

    def poll(self):
        return [self.write(self.queue.pop())] if self.queue else []

    def facts(self):
        return {}

    def close(self):
        self.queue.clear()


def says(text: str, finish="stop", error: str = "") -> Toy:
    return Toy(lambda r: Completion(r.id, text, tuple(range(len(text.split()))), 1, finish, 0.5, error))


@pytest.mark.parametrize("kind", ["folded", "cumulative"])
@pytest.mark.parametrize("name", TASKS)
def test_the_reference_traces_played_back_are_solved_and_certified(name, kind):
    samples = list(evaluate(model_of(name, kind), [(item, 0) for item in ITEMS[name]], kind, ENOUGH))
    assert len(samples) == len(ITEMS[name])
    for sample in samples:
        found = score(TASKS[name], sample)
        assert (found.outcome, found.certified, found.first_fault) == (Outcome.SOLVED, True, None)
        assert found.backtracks == found.valid_backtracks == sample["reference"]["backtracks"]


def test_a_sample_says_what_was_asked_and_what_it_cost():
    item = ITEMS["sat"][0]
    (sample,) = evaluate(model_of("sat", "folded"), [(item, 2)], "folded", ENOUGH)
    text = reference("sat", item)
    turns = list(examples("folded", item.prompt, text))
    assert sample == {
        "id": item.id,
        "epoch": 2,
        "problem": item.native,
        "verdict": str(item.verdict),
        "reference": item.reference,
        "completion": text,
        "finish": "answered",
        "turns": len(turns),
        "prompt_tokens": sum(len(turn.prompt.split()) for turn in turns),
        "tokens": len(text.split()),
        "seconds": 0.0,
        "error": "",
    }


def test_items_interleave_and_their_order_does_not_matter():
    work = [(item, epoch) for name in TASKS for item in ITEMS[name] for epoch in (0, 1)]
    known = [e for n in TASKS for i in ITEMS[n] for e in examples("folded", i.prompt, reference(n, i))]
    first = list(evaluate(Playback(known), work, "folded", ENOUGH))
    second = list(evaluate(Playback(known), work[::-1], "folded", ENOUGH))
    key = lambda sample: (sample["id"], sample["epoch"])  # noqa: E731 - said once, used twice
    assert sorted(first, key=key) == sorted(second, key=key)
    assert first != second
    assert [key(sample) for sample in first] != [(item.id, epoch) for item, epoch in work]


def test_each_epoch_is_a_sample_of_its_own():
    item = ITEMS["sat"][0]
    samples = list(evaluate(model_of("sat", "folded"), [(item, epoch) for epoch in range(3)], "folded", ENOUGH))
    assert sorted(sample["epoch"] for sample in samples) == [0, 1, 2]
    assert len({sample["completion"] for sample in samples}) == 1


# --- endings ---


def test_an_answer_ends_an_item_and_what_stands_after_it_is_dropped():
    sample = one(says("state: -\nanswer: UNSAT\nstate: -\nanswer: SAT\n"))
    assert (sample["finish"], sample["completion"]) == ("answered", "state: -\nanswer: UNSAT\n")


def test_an_answer_that_the_model_did_not_end_with_a_newline_counts():
    assert one(says("answer: UNSAT"))["finish"] == "answered"


@pytest.mark.parametrize("text", ["", "state: -", "state: -\nhm"])
def test_a_model_that_stops_in_the_middle_of_a_line_has_ended(text):
    sample = one(says(text))
    assert (sample["finish"], sample["completion"]) == ("ended", text)


def test_a_model_that_stops_after_a_line_is_asked_again_with_that_line_in_its_prompt():
    texts = iter(["state: -\n", "answer: UNSAT\n"])
    model = Toy(lambda r: Completion(r.id, next(texts), (1, 2), 1, "stop", 0.25))
    sample = one(model)
    assert [request.prompt for request in model.asked] == ["problem\n", "problem\nstate: -\n"]
    assert (sample["turns"], sample["tokens"], sample["prompt_tokens"], sample["seconds"]) == (2, 4, 2, 0.5)


def test_the_token_budget_is_of_the_item_and_not_of_a_turn():
    model = says("state: - -\n")
    sample = one(model, limits=Limits(8))
    assert [request.max_tokens for request in model.asked] == [8, 5, 2]
    assert (sample["finish"], sample["turns"]) == ("truncated", 3)


def test_a_playback_cut_off_by_the_budget_is_truncated_in_the_middle():
    item = ITEMS["sat"][0]
    text = reference("sat", item)
    budget = len(text.split()) - 2
    (sample,) = evaluate(model_of("sat", "folded"), [(item, 0)], "folded", Limits(budget))
    assert sample["finish"] == "truncated"
    assert sample["tokens"] == budget
    assert text.startswith(sample["completion"])


def test_a_turn_is_given_the_seconds_that_are_left():
    lines = iter(["state: -\n", "decide x1=1\n", "answer: UNSAT\n"])
    model = Toy(lambda r: Completion(r.id, next(lines), (1,), 1, "stop", 0.5))
    one(model, "folded", Limits(99, seconds=2.0))
    assert [request.seconds for request in model.asked] == [2.0, 1.5, 1.0]


@pytest.mark.parametrize("finish", ["length", "timeout", "error"])
def test_an_answer_that_was_cut_off_is_none(finish):
    sample = one(says("state: -\nanswer: SAT x1=1 x2", finish))
    assert sample["finish"] == {"length": "truncated"}.get(finish, finish)


def test_an_answer_within_the_last_token_is_an_answer():
    item = ITEMS["sat"][0]
    budget = len(reference("sat", item).split())
    (sample,) = evaluate(model_of("sat", "folded"), [(item, 0)], "folded", Limits(budget))
    assert sample["finish"] == "answered"


@pytest.mark.parametrize("finish", ["timeout", "error"])
def test_a_failing_model_is_told_apart_from_a_wrong_one_with_what_it_wrote_and_the_cause(finish):
    sample = one(says("state: -\n", finish, "out of memory"))
    assert (sample["finish"], sample["completion"], sample["error"]) == (finish, "state: -\n", "out of memory")


def test_one_item_that_fails_does_not_stop_the_others():
    items = [Item(str(n), None, "", f"problem {n}\n", Verdict.SAT, {}) for n in range(5)]

    def write(request):
        if request.id == "2/0":
            return Completion(request.id, "", (), 0, "error", 0.0, "boom")
        return Completion(request.id, "answer: UNSAT\n", (1, 2), 2, "stop", 0.0)

    samples = evaluate(Toy(write), [(item, 0) for item in items], "cumulative", ENOUGH)
    assert {s["id"]: s["finish"] for s in samples} == dict.fromkeys("0134", "answered") | {"2": "error"}


def test_a_model_that_forgets_a_request_is_a_defect_and_not_an_endless_loop():
    model = says("")
    model.poll = list
    with pytest.raises(AletheiaError) as caught:
        one(model)
    assert str(caught.value) == (
        "`poll` returns [], and not what became of 1 requests, 'item/0' among them: a defect of model Toy; "
        "'aletheia_bench.testing.check_model' tells its author more."
    )


# --- seeds ---


def seeds(items, limits, *, turns: int = 2, backwards: bool = False) -> dict[tuple[str, int], int]:
    """The seed of every turn of every item."""
    model = says("state: -\n")
    texts = {f"{item.id}/{epoch}": itertools.count(1) for item, epoch in items}

    def write(request):
        text = "state: -\n" if next(texts[request.id]) < turns else ""
        return Completion(request.id, text, (1, 2), 1, "stop", 0.0)

    model.write = write
    list(evaluate(model, items[::-1] if backwards else items, "cumulative", limits))
    found: dict[tuple[str, int], int] = {}
    for request in model.asked:
        found[request.id, sum(name == request.id for name, _ in found)] = request.seed
    return found


def test_a_seed_depends_on_item_epoch_turn_and_the_run_and_on_nothing_else():
    items = [(item, epoch) for item in ITEMS["sat"][:3] for epoch in (0, 1)]
    every = seeds(items, Limits(100, 1.0, seed=0))
    assert len(set(every.values())) == len(every) == 12
    assert seeds(items, Limits(100, 1.0, seed=0), backwards=True) == every
    assert seeds(items[3:], Limits(100, 1.0, seed=0)).items() <= every.items()
    assert seeds(items, Limits(50, 0.5, seed=0)) == every
    assert not set(seeds(items, Limits(100, 1.0, seed=1)).values()) & set(every.values())
    assert all(0 <= seed < 2**63 for seed in every.values())


def test_temperature_and_the_stop_texts_reach_the_model():
    model = says("")
    one(model, limits=Limits(10, 0.7, 1))
    (request,) = model.asked
    assert (request.temperature, request.stop, request.id) == (0.7, (), "item/0")


def test_a_model_without_a_clue_ends_every_item():
    samples = evaluate(Playback([Example("?", "!")]), [(i, 0) for i in ITEMS["coloring"]], "folded", ENOUGH)
    assert [sample["finish"] for sample in samples] == ["ended"] * 4
