"""Scoring: how probable a continuation is, against a softmax written out, in each back-end that tells it."""

import copy
import json
import math
import signal
import time
from dataclasses import replace
from importlib.util import find_spec

import pytest

if find_spec("torch") is None:
    pytest.skip("without the extra [hf]", allow_module_level=True)

import torch

from aletheia_bench import cards, parity
from aletheia_bench.testing import Playback
from aletheia_models.gguf import GGUF
from aletheia_models.hf import HF
from aletheia_models.hf.generation import HFModel
from aletheia_plugins import Card, Model, ModelFileError, Request, Scoring, load_plugins

PROMPTS = ["after red comes\n", "after green\n", "red green blue grey pink black white\n", "x\n", "", "after red"]
CONTINUATIONS = ["green\n", "red", "answer: none of them\n", " blue", ""]
WORDS = ["conflict", "decide", "imply", "answer:"]


@pytest.fixture(params=["hf", "lora", "gguf"])
def model(request, student, tokenizer, tmp_path):
    """Makes a model of each back-end around the same untrained student."""
    made: list[Model] = []

    def make(**options) -> Model:
        if request.param == "hf":
            made.append(HFModel(student(), tokenizer, **options))
        elif request.param == "gguf":
            file, settings = request.getfixturevalue("toy_file"), {"generation": {"processes": 1, **options}}
            card = Card("toy", "gguf", file, chat=True, instructed=True, weights=file, settings=settings)
            made.append(GGUF().open(card))
        else:
            made.append(adapted(student(), tokenizer, tmp_path, options))
        return made[-1]

    if request.param == "gguf" and find_spec("llama_cpp") is None:
        pytest.skip("without the extra [gguf]")
    if request.param == "lora" and find_spec("peft") is None:
        pytest.skip("without the extra [lora]")
    yield make
    for each in made:
        each.close()


def adapted(base, tokenizer, folder, options) -> Model:
    """The student with a fresh adapter, which changes nothing yet, as the back-end opens one from a folder."""
    from aletheia_models.lora import LoRA
    from aletheia_models.lora.backend import BASE
    from aletheia_models.lora.bases import fingerprint
    from aletheia_models.lora.training import Adapter, Recipe, adapted as fresh

    base.save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    fresh(base, Adapter(rank=2), Recipe(tokens=1), seed=0).save_pretrained(folder / "adapter")
    tokenizer.save_pretrained(folder / "adapter")
    told = {"base": str(folder / "base"), "sha256": fingerprint(folder / "base")}
    (folder / "adapter" / BASE).write_text(json.dumps(told))
    card = Card(
        "toy", "lora", folder, base=str(folder / "base"), weights=folder / "adapter", settings={"generation": options}
    )
    return LoRA().open(card)


def by_hand(student, tokenizer, prompt: str, continuation: str) -> float:
    """A token at a time, with a softmax of the logits; no batch, no padding."""
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"] or [tokenizer.eos_token_id]
    total = 0.0
    for token in tokenizer(continuation, add_special_tokens=False)["input_ids"]:
        with torch.inference_mode():
            logits = student(torch.tensor([ids])).logits[0, -1].double()
        total += float(logits[token] - logits.exp().sum().log())
        ids.append(token)
    return total


def flat(rows) -> list[float]:
    return [value for row in rows for value in row]


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_likelihoods_are_those_of_a_softmax_over_the_logits(model, student, tokenizer, batch_size):
    found = model(batch_size=batch_size).likelihoods(PROMPTS, CONTINUATIONS)
    whole = student()
    expected = [[by_hand(whole, tokenizer, prompt, each) for each in CONTINUATIONS] for prompt in PROMPTS]
    assert flat(found) == pytest.approx(flat(expected), abs=1e-4)
    assert [row[-1] for row in found] == [0.0] * len(PROMPTS)


def test_a_model_that_scores_is_known_by_it(model):
    assert isinstance(model(), Scoring)
    assert not isinstance(Playback([]), Scoring)


def test_the_whole_vocabulary_has_a_probability_of_one(model, tokenizer):
    """All tokens that are texts of their own, and nothing else, follow the prompt."""
    texts = [tokenizer.decode([token]) for token in range(len(tokenizer))]
    singles = [t for n, t in enumerate(texts) if tokenizer(t, add_special_tokens=False)["input_ids"] == [n]]
    (row,) = model().likelihoods(["after red comes\n"], singles)
    total = sum(map(math.exp, row))
    assert total <= 1 + 1e-5
    if len(singles) == len(texts):
        assert total == pytest.approx(1, abs=1e-5)


def test_the_greedy_first_word_is_the_most_likely_one(model, tokenizer):
    asked = model()
    for prompt in PROMPTS[:3]:
        asked.submit(Request("a", prompt, (), 1))
        (written,) = asked.poll()
        ((best, *others),) = asked.likelihoods([prompt], [written.text, "red", "green", "blue", "\n"])
        assert all(best >= other for other in others)


def test_an_instruction_stands_before_the_prompt(model):
    said, asked = "red green blue\n" * 2, model()
    whole = asked.likelihoods([said + prompt for prompt in PROMPTS], CONTINUATIONS)
    parts = asked.likelihoods(PROMPTS, CONTINUATIONS, instruction=said)
    assert flat(parts) == pytest.approx(flat(whole), abs=1e-4)


def test_asking_leaves_no_trace(model):
    """Neither in what is asked next nor in what is written."""
    asked = model()
    first = asked.likelihoods(PROMPTS, CONTINUATIONS)
    asked.submit(Request("a", PROMPTS[0], (), 9))
    (written,) = asked.poll()
    assert flat(asked.likelihoods(PROMPTS[::-1], CONTINUATIONS)[::-1]) == pytest.approx(flat(first), abs=1e-4)
    asked.submit(Request("a", PROMPTS[0], (), 9))
    (again,) = asked.poll()
    assert again.tokens == written.tokens


def test_a_prompt_that_leaves_no_room_has_no_row(model, architecture):
    limit = architecture["max_position_embeddings"]
    prompts = ["\n" * (limit - 1), "\n" * (limit - 2), "\n" * limit, "x\n"]
    rows = model().likelihoods(prompts, ["\n", "\n\n"])
    assert [row is None for row in rows] == [True, False, True, False]


def test_nothing_asked_is_nothing_told(model):
    assert list(model().likelihoods([], WORDS)) == []
    assert [list(row) for row in model().likelihoods(["x\n", "y\n"], [])] == [[], []]


def test_what_does_not_fit_into_memory_is_read_in_halves(student, tokenizer, monkeypatch):
    model = HFModel(student(), tokenizer)
    expected, room = model.likelihoods(PROMPTS, CONTINUATIONS), 2
    forward = model.model.forward

    def cramped(input_ids, **options):
        if len(input_ids) > room:
            raise RuntimeError("no memory")
        return forward(input_ids=input_ids, **options)

    monkeypatch.setattr(model.model, "forward", cramped)
    assert flat(model.likelihoods(PROMPTS, CONTINUATIONS)) == pytest.approx(flat(expected), abs=1e-4)
    room = 0
    with pytest.raises(ModelFileError, match=r"The model cannot read \d+ tokens: no memory"):
        model.likelihoods(PROMPTS, CONTINUATIONS)


# --- a process of llama.cpp that is lost ---


@pytest.fixture
def processes(toy_file):
    if find_spec("llama_cpp") is None:
        pytest.skip("without the extra [gguf]")
    settings = {"generation": {"processes": 2, "patience": 2}}
    model = GGUF().open(Card("toy", "gguf", toy_file, weights=toy_file, settings=settings))
    model.likelihoods(PROMPTS, WORDS)
    yield model
    model.close()


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(("name", "why"), [("SIGKILL", "llama.cpp was ended by SIGKILL."), ("SIGSTOP", "in 2 s.")])
def test_a_process_that_is_lost_is_said_and_its_successor_answers(processes, toy_file, place, name, why):
    expected = processes.likelihoods(PROMPTS, WORDS)
    processes.lanes[place].process.process.send_signal(getattr(signal, name))
    with pytest.raises(ModelFileError) as caught:
        processes.likelihoods(PROMPTS, WORDS)
    assert str(caught.value).startswith(f"{toy_file}: no likelihoods")
    assert str(caught.value).endswith(why)
    assert processes.likelihoods(PROMPTS, WORDS) == expected


def test_a_process_that_was_not_asked_and_dies_is_not_waited_for_later(processes):
    processes.lanes[1].process.process.kill()
    time.sleep(0.3)
    (one,) = processes.likelihoods(PROMPTS[:1], WORDS)
    assert flat(processes.likelihoods(PROMPTS, WORDS))[: len(WORDS)] == one


# --- the embedded student, a chat ---


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 4, "processes": 2}])
def test_the_embedded_student_says_the_same_in_both_formats(tmp_path_factory, options):
    pytest.importorskip("llama_cpp", reason="without the extra [gguf]")
    plugins = load_plugins(autoload=False)
    student = cards.find(plugins, "aletheia-tiny")
    file = tmp_path_factory.mktemp("gguf") / "f32.gguf"
    GGUF().export(student, file, quant="f32")
    prompts = [prompt for prompt, _ in parity.material(list(plugins.tasks.values()), "tiny", "folded", limit=12)]
    theirs = GGUF().open(Card("tiny", "gguf", file, weights=file, settings={"generation": options}))
    try:
        found = theirs.likelihoods(prompts, [*WORDS, "conflict c1 :"])
    finally:
        theirs.close()
    assert flat(found) == pytest.approx(
        flat(HF().open(student).likelihoods(prompts, [*WORDS, "conflict c1 :"])), abs=1e-3
    )


TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[me]{% endif %}"
)


def test_with_a_chat_template_a_continuation_is_what_the_model_says(student, tokenizer, tmp_path):
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.chat_template = TEMPLATE
    student().save_pretrained(tmp_path / "toy")
    tokenizer.save_pretrained(tmp_path / "toy")
    card = Card("toy", "hf", tmp_path / "toy", chat=True, instructed=True, weights=tmp_path / "toy")
    framed = HF().open(card).likelihoods(PROMPTS, CONTINUATIONS, instruction="after red\n")
    bare = HF().open(replace(card, chat=False))
    texts = [f"[user]after red\n{prompt}[me]" for prompt in PROMPTS]
    assert flat(framed) == pytest.approx(flat(bare.likelihoods(texts, CONTINUATIONS)), abs=1e-4)
    if find_spec("llama_cpp"):
        GGUF().export(card, tmp_path / "toy.gguf", quant="f32")
        model = GGUF().open(replace(card, backend="gguf", weights=tmp_path / "toy.gguf"))
        theirs = model.likelihoods(PROMPTS, CONTINUATIONS, instruction="after red\n")
        model.close()
        assert flat(theirs) == pytest.approx(flat(framed), abs=1e-4)
