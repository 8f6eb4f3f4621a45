"""Parity: a model that remembers, one that looks at its neighbours, and one that reads other ids are all found out."""

from collections import deque

import pytest

from aletheia_bench import parity
from aletheia_plugins import Completion, Encoding
from aletheia_tasks import aletheia_tasks

TASKS = [task() for task in aletheia_tasks()]
PROMPTS = [prompt for prompt, _ in parity.material(TASKS, "tiny", "folded", limit=12)]


class Toy:
    """Writes one token: what `tokens` makes of the prompt, how many requests came before, and how many wait with it."""

    def __init__(self, token=lambda prompt, before, beside: len(prompt)) -> None:
        self.token, self.queue, self.before = token, deque(), 0

    def submit(self, request):
        self.queue.append(request)

    def poll(self):
        beside, self.before = len(self.queue), self.before + 1
        if not beside:
            return []
        request = self.queue.popleft()
        return [Completion(request.id, "", (self.token(request.prompt, self.before, beside),), 1, "stop", 0.0)]

    def encode(self, text):
        return [self.token(text, 0, 0)]


def test_a_model_that_answers_by_the_prompt_alone_is_the_same_in_any_order_and_company():
    first = parity.alone(Toy(), PROMPTS)
    assert set(first) == set(PROMPTS)
    for other in (parity.alone(Toy(), PROMPTS, shuffle=1), parity.together(Toy(), PROMPTS)):
        assert parity.different(first, other) == []


def test_a_model_that_remembers_is_found_by_another_order():
    model = Toy(lambda prompt, before, _: before % 97)
    assert parity.different(parity.alone(model, PROMPTS), parity.alone(model, PROMPTS, shuffle=1))


def test_a_model_that_looks_at_its_neighbours_is_found_side_by_side():
    model = Toy(lambda prompt, _, beside: beside)
    first = parity.alone(model, PROMPTS)
    assert parity.different(first, parity.alone(model, PROMPTS, shuffle=1)) == []
    assert parity.different(first, parity.together(model, PROMPTS)) == list(dict.fromkeys(PROMPTS))[:-1]


def test_a_text_that_is_read_as_other_ids_is_named():
    ours, theirs = Toy(), Toy(lambda text, *_: len(text) + (text == PROMPTS[3]))
    assert isinstance(ours, Encoding)
    found = parity.different(parity.encoded(ours, PROMPTS), parity.encoded(theirs, PROMPTS))
    assert found == [PROMPTS[3]]


def test_failures_are_not_the_same():
    lost = {"a": Completion("0", "", (), 0, "error", 0.0, "it crashed")}
    assert parity.different(lost, lost) == ["a"]


@pytest.mark.parametrize("kind", ["folded", "cumulative"])
def test_material_is_of_each_task_in_turn_and_always_the_same(kind):
    found = parity.material(TASKS, "tiny", kind, limit=5)
    assert found == parity.material(TASKS, "tiny", kind, limit=5)
    for number, (prompt, text) in enumerate(found):
        task = TASKS[number % 3]
        problem = task.render(task.generate("tiny", split="test", seed=0, index=number // 3))
        assert text.startswith(problem)
        assert problem in prompt
