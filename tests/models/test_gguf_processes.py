"""Native code may crash, hang or be killed: that costs the one request that did it, and no other."""

import copy
import random
import signal
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("llama_cpp") is None:
    pytest.skip("without the extra [gguf]", allow_module_level=True)

from aletheia_models.gguf import GGUF, generation
from aletheia_plugins import Card, Completion, ModelFileError, Request

HARMLESS = [f"after {word} comes\n" * (1 + n % 3) for n, word in enumerate(["red", "green", "blue", "grey", "x"] * 4)]


@pytest.fixture
def open_model(toy_file):
    opened = []

    def make(*, patience=60, **options):
        settings = {"generation": {"processes": 1, "batch_size": 3, "patience": patience, **options}}
        opened.append(GGUF().open(Card("toy", "gguf", toy_file, weights=toy_file, settings=settings)))
        return opened[-1]

    yield make
    for model in opened:
        model.close()


@pytest.fixture
def poisoned(monkeypatch):
    command = [sys.executable, str(Path(__file__).with_name("poisoned_worker.py"))]
    monkeypatch.setattr(generation, "COMMAND", command)


def write(model, prompts, during=lambda: None) -> dict[int, Completion]:
    """The completions by the number of their prompt; `during` happens after the first ones."""
    for number, prompt in enumerate(prompts):
        model.submit(Request(str(number), prompt, (), 12))
    done: dict[int, Completion] = {}
    while batch := model.poll():
        if not done:
            during()
        for completion in batch:
            assert int(completion.id) not in done, "a request was completed twice"
            done[int(completion.id)] = completion
    return done


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(
    ("poison", "finish", "error"),
    [
        ("SIGSEGV", "error", "the process of llama.cpp was ended by SIGSEGV"),
        ("SIGFPE", "error", "the process of llama.cpp was ended by SIGFPE"),
        ("SIGKILL", "error", "the process of llama.cpp was ended by SIGKILL"),
        ("abort", "error", "the process of llama.cpp ended with exit code 6: GGML_ASSERT(it holds) failed"),
        ("half", "error", "the process of llama.cpp was ended by SIGKILL"),
        ("hang", "timeout", "llama.cpp said nothing for 5 s"),
    ],
)
def test_a_request_that_brings_the_process_down_is_lost_alone(open_model, poisoned, poison, finish, error, processes):
    expected = write(open_model(), HARMLESS)
    prompts = list(HARMLESS)
    bad = {4, 11}
    for place in sorted(bad):
        prompts[place] = poison
    patience = 5 if poison == "hang" else 60  # a busy machine is slow to say that a process has ended
    done = write(open_model(patience=patience, processes=processes), prompts)
    assert done.keys() == expected.keys()
    for place, completion in done.items():
        if place in bad:
            assert (completion.finish, completion.error, completion.text) == (finish, error, "")
        else:
            assert (completion.text, completion.finish) == (expected[place].text, expected[place].finish)


@pytest.mark.parametrize("times", [3, pytest.param(100, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGSTOP"])
def test_a_process_that_is_lost_from_outside_costs_nothing(open_model, name, times):
    """SIGSTOP: it hangs."""
    model = open_model(patience=4 if name == "SIGSTOP" else 60)
    expected = write(model, HARMLESS)
    chosen = random.Random(times)
    for _ in range(times):
        prompts = chosen.sample(HARMLESS, len(HARMLESS))
        done = write(model, prompts, lambda: model.lanes[0].process.process.send_signal(getattr(signal, name)))
        assert {c.text for c in done.values()} == {c.text for c in expected.values()}
        assert {c.finish for c in done.values()} == {"length"}
        assert len(done) == len(prompts)


def test_a_process_that_dies_while_there_is_nothing_to_do_costs_nothing(open_model):
    model = open_model()
    expected = write(model, HARMLESS)
    for wait in (0.0, 0.3):  # whether it is known already or not
        model.lanes[0].process.process.kill()
        time.sleep(wait)
        (done,) = write(model, HARMLESS[:1]).values()
        assert (done.text, done.finish) == (expected[0].text, "length")


def test_long_prompts_to_a_process_that_hangs_are_waited_for_in_vain_and_no_longer(open_model):
    """More than a pipe holds: the process that reads nothing must not keep the one that writes."""
    model = open_model(patience=10)
    model.lanes[0].process.process.send_signal(signal.SIGSTOP)
    done = write(model, ["after red comes\n" * 5_000] * 6)
    assert {completion.finish for completion in done.values()} == {"length"}
    assert len(done) == 6
    assert done[0].error == f"the prompt has {done[0].prompt_tokens} tokens, and the context 64"


def test_a_text_whose_process_dies_is_said(open_model, toy_file):
    model = open_model()
    assert model.encode("after red") == model.encode("after red")
    model.lanes[0].process.process.kill()
    with pytest.raises(ModelFileError) as caught:
        model.encode("after red")
    assert str(caught.value) == f"{toy_file}: no ids of a text: the process of llama.cpp was ended by SIGKILL."
    assert model.encode("after red")


def test_a_file_that_crashes_while_it_is_loaded_is_said(open_model, toy_file, monkeypatch):
    monkeypatch.setattr(generation, "COMMAND", [sys.executable, "-c", "import os; os.kill(os.getpid(), 11)"])
    with pytest.raises(ModelFileError) as caught:
        open_model()
    assert str(caught.value) == f"{toy_file} cannot be loaded: the process of llama.cpp was ended by SIGSEGV."


@pytest.mark.parametrize("loop", ["{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3, "{{ 9 ** (9 ** 9) }}"])
def test_a_chat_template_that_goes_on_for_ever_is_said(student, tokenizer, tmp_path, monkeypatch, loop):
    monkeypatch.setattr(generation, "TEMPLATE", 1.0)
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.chat_template = loop + "{{ messages[0].content }}"
    student().save_pretrained(tmp_path / "toy")
    tokenizer.save_pretrained(tmp_path / "toy")
    card = Card("toy", "hf", tmp_path / "toy", chat=True, instructed=True, weights=tmp_path / "toy")
    GGUF().export(card, tmp_path / "toy.gguf", quant="f32")
    with pytest.raises(ModelFileError) as caught:
        GGUF().open(replace(card, weights=tmp_path / "toy.gguf"))
    assert str(caught.value) == f"{tmp_path / 'toy.gguf'}: its chat template takes more than 1 s."


def test_a_file_that_goes_away_is_said_when_it_is_needed_again(open_model, toy_file):
    model = open_model()
    model.lanes[0].process.process.kill()
    toy_file.write_bytes(b"something else")
    with pytest.raises(ModelFileError) as caught:
        write(model, HARMLESS)
    assert str(caught.value).startswith(f"llama.cpp cannot load {toy_file}: ")


def test_closing_leaves_no_process(open_model):
    model = open_model(processes=2)
    write(model, HARMLESS)
    processes = [lane.process.process for lane in model.lanes]
    model.close()
    assert all(process.poll() is not None for process in processes)
    assert model.poll() == []


def test_all_processes_have_a_share(open_model):
    model = open_model(processes=2)
    for number, prompt in enumerate(HARMLESS):
        model.submit(Request(str(number), prompt, (), 12))
    model.poll()
    assert all(lane.process for lane in model.lanes)
