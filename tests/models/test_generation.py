"""Generation: what a request asks for, whoever else is in its batch. Each back-end passes the same tests."""

import copy
import json
import shutil
import weakref
from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch

from aletheia_bench.testing import check_model
from aletheia_models.gguf import GGUF
from aletheia_models.hf import HF
from aletheia_models.hf.generation import HFModel
from aletheia_plugins import Card, MissingError, Model, ModelFileError, Request

PROMPTS = ["after red comes\n", "after green\n", "red green blue grey pink black white\n", "x\n", "after after\n"]


@pytest.fixture
def hf_model(student, tokenizer):
    """Makes a model around the same untrained student: it writes nonsense, but always the same."""

    def make(**options) -> HFModel:
        return HFModel(student(), tokenizer, **options)

    return make


@pytest.fixture(params=["hf", "gguf"])
def model(request, hf_model):
    """Makes a model of each back-end around that student."""
    if request.param == "hf":
        yield hf_model
        return
    if find_spec("llama_cpp") is None:
        pytest.skip("without the extra [gguf]")
    file = request.getfixturevalue("toy_file")
    made = []

    def make(*, instructed=True, **options) -> Model:
        card = Card("toy", "gguf", file, chat=True, weights=file, settings={"generation": options})
        made.append(GGUF().open(replace(card, instructed=instructed)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def ask(model: Model, *requests: Request):
    """The completions, by id."""
    for request in requests:
        model.submit(request)
    done = {}
    while batch := model.poll():
        done |= {completion.id: completion for completion in batch}
    return done


def requests(*, max_tokens=12, temperature=0.0, stop=(), prompts=PROMPTS):
    return [Request(str(n), prompt, stop, max_tokens + n, temperature, seed=n) for n, prompt in enumerate(prompts)]


def test_it_keeps_the_contract(model):
    check_model(model, prompts=PROMPTS)


@pytest.mark.parametrize("model", ["gguf"], indirect=True)
def test_a_card_without_instructions_has_no_room_for_one_and_reads_it_all_the_same(model):
    asked = [replace(request, instruction="grey pink\n") for request in requests()]
    assert texts(ask(model(instructed=False), *asked)) == texts(ask(model(), *asked))


def texts(completions) -> dict[str, tuple[str, tuple[int, ...], str]]:
    return {name: (c.text, c.tokens, c.finish) for name, c in completions.items()}


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_completion_does_not_depend_on_its_batch(model, temperature):
    """Exact on a CPU: rounding differs with the padding, but here by far less than the best two tokens do."""
    asked = requests(temperature=temperature)
    alone = texts(ask(model(batch_size=1), *asked))
    assert texts(ask(model(batch_size=2), *asked)) == alone
    assert texts(ask(model(batch_size=64), *asked)) == alone
    assert texts(ask(model(batch_size=3), *asked[::-1])) == alone
    assert len({tokens for _, tokens, _ in alone.values()}) > 1


def test_greedy_tokens_are_those_of_transformers_own_loop(model, student, tokenizer):
    """An independent reference, without a batch and without padding."""
    for name, completion in ask(model(), *requests(max_tokens=10)).items():
        prompt = tokenizer(PROMPTS[int(name)], return_tensors="pt")["input_ids"]
        expected = student().generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=10 + int(name), do_sample=False
        )
        assert list(completion.tokens) == expected[0, prompt.size(1) :].tolist()


def test_a_completion_says_what_it_cost(model, tokenizer):
    for name, completion in ask(model(), *requests()).items():
        assert completion.prompt_tokens == len(tokenizer(PROMPTS[int(name)])["input_ids"])
        assert completion.text == tokenizer.decode(completion.tokens, skip_special_tokens=True)
        assert completion.seconds > 0


def test_max_tokens_cut_a_completion(model):
    (whole,) = ask(model(), Request("a", PROMPTS[0], (), 9)).values()
    (cut,) = ask(model(), Request("a", PROMPTS[0], (), 4)).values()
    assert (len(cut.tokens), cut.finish) == (4, "length")
    assert cut.tokens == whole.tokens[:4]


def test_a_stop_text_ends_a_completion_and_is_included(model, tokenizer):
    (whole,) = ask(model(), Request("a", PROMPTS[0], (), 9)).values()
    stop = tokenizer.decode(whole.tokens[3:4])
    (cut,) = ask(model(), Request("a", PROMPTS[0], ("never written", stop), 9)).values()
    assert cut.finish == "stop"
    assert cut.text.endswith(stop)
    assert cut.text.count(stop) == 1
    assert cut.tokens == whole.tokens[: len(cut.tokens)]


def test_a_model_stops_where_it_writes_its_end(hf_model, tokenizer):
    (whole,) = ask(hf_model(), Request("a", PROMPTS[0], (), 9)).values()
    ended = hf_model()
    ended.tokenizer = type(tokenizer)(tokenizer_object=tokenizer.backend_tokenizer, pad_token=tokenizer.pad_token)
    ended.tokenizer.eos_token = tokenizer.convert_ids_to_tokens(whole.tokens[2])
    (cut,) = ask(ended, Request("a", PROMPTS[0], (), 9)).values()
    first = whole.tokens.index(whole.tokens[2])
    assert (cut.tokens, cut.finish) == (whole.tokens[: first + 1], "stop")


def test_the_context_is_a_limit_too(model, tokenizer, architecture):
    limit = architecture["max_position_embeddings"]
    room = 5
    fits, full, beyond = ("\n" * length for length in (limit - room, limit, limit + 7))
    assert len(tokenizer(fits)["input_ids"]) == limit - room
    done = ask(model(), *(Request(name, p, (), 999) for name, p in (("a", fits), ("b", full), ("c", beyond))))
    assert {name: len(completion.tokens) for name, completion in done.items()} == {"a": room, "b": 0, "c": 0}
    assert {completion.finish for completion in done.values()} == {"length"}


def test_an_instruction_stands_before_the_prompt(model):
    """And the tokens are those of the whole text, though all that is the same may be read but once."""
    said = "red green blue\n" * 3
    whole = texts(ask(model(), *(Request(r.id, said + r.prompt, (), r.max_tokens) for r in requests())))
    parts = [Request(r.id, r.prompt, (), r.max_tokens, instruction=said) for r in requests()]
    for batch_size in (1, 3):
        again = model(batch_size=batch_size)
        assert texts(ask(again, *parts)) == whole
        assert texts(ask(again, *requests())) == texts(
            ask(model(), *requests())
        )  # it is not said where it is not asked
        other = Request("0", PROMPTS[0], (), 12, instruction="grey\n")
        assert texts(ask(again, other)) == texts(ask(model(), Request("0", "grey\n" + PROMPTS[0], (), 12)))


def test_what_takes_too_long_is_a_timeout(model):
    slow, quick = Request("slow", PROMPTS[0], (), 9, seconds=0.0), Request("quick", PROMPTS[0], (), 9, seconds=60.0)
    done = ask(model(), slow, quick)
    assert (done["slow"].finish, len(done["slow"].tokens)) == ("timeout", 1)
    assert done["slow"].error == "it took more than 0 s"
    assert (done["quick"].finish, len(done["quick"].tokens)) == ("length", 9)


def test_sampling_repeats_with_its_seed_and_varies_with_it(model):
    def written(seed, temperature=1.0):
        (completion,) = ask(model(), Request("a", PROMPTS[0], (), 12, temperature, seed)).values()
        return completion.tokens

    assert written(1) == written(1)
    assert len({written(seed) for seed in range(5)}) == 5
    assert written(1, temperature=0.0) == written(2, temperature=0.0) == written(7, temperature=1e-4)


def test_a_large_seed_is_a_seed(model):
    assert ask(model(), Request("a", PROMPTS[0], (), 3, 1.0, 2**56 - 1))


def test_a_batch_that_does_not_fit_into_memory_is_given_up_before_its_halves_are_tried(hf_model, monkeypatch):
    held, alive, made = [], [], hf_model()
    write = made._write

    def fail(rows):
        alive.append(sum(cache() is not None for cache in held))
        if len(rows) < 2:
            return write(rows)
        cache = torch.zeros(10)
        held.append(weakref.ref(cache))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(made, "_write", fail)
    requests = [Request(str(n), "after red comes\n", (), 3) for n in range(4)]
    for request in requests:
        made.submit(request)
    done = made.poll()
    assert [len(c.tokens) > 0 and not c.error for c in done] == [True] * 4
    assert alive == [0] * 7


def test_nothing_queued_is_nothing_done(model):
    assert model().poll() == []
    queued = model()
    queued.submit(Request("a", PROMPTS[0], (), 3))
    queued.close()
    assert queued.poll() == []


def test_facts_are_plain_values(model):
    facts = model(batch_size=7).facts()
    assert facts["batch_size"] == 7
    assert {"threads", "parameters", "batch_size"} <= facts.keys()
    json.dumps(facts)


# --- weights on disk ---


@pytest.fixture
def weights(student, tokenizer, tmp_path):
    folder = tmp_path / "weights"
    student().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def opened(folder) -> Model:
    return HF().open(Card("toy", "hf", folder, weights=folder))


def test_a_student_that_was_saved_and_opened_writes_the_same(hf_model, weights):
    assert texts(ask(opened(weights), *requests())) == texts(ask(hf_model(), *requests()))


def test_weights_are_safetensors_and_no_code(weights):
    assert {path.suffix for path in weights.iterdir()} <= {".json", ".safetensors", ".jinja"}


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("damage", [b"", b"damaged", None])
def test_a_damaged_file_is_a_sentence_that_names_the_folder(weights, name, damage):
    """None: the second half of the file is missing."""
    path = weights / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if damage is None else damage)
    with pytest.raises(ModelFileError) as caught:
        opened(weights)
    assert str(caught.value).startswith(f"{weights} cannot be loaded: ")


@pytest.mark.parametrize("other", [{"intermediate_size": 32}, {"num_hidden_layers": 1}])
def test_weights_of_another_shape_or_fewer_layers_are_refused(weights, student, other):
    """Never filled up with random numbers."""
    student(**other).save_pretrained(weights.parent / "other")
    shutil.copy(weights.parent / "other" / "model.safetensors", weights)
    with pytest.raises(ModelFileError) as caught:
        opened(weights)
    assert str(caught.value).startswith(f"{weights} cannot be loaded: ")


def test_weights_that_are_not_there_are_missing_with_the_way_to_get_them(tmp_path):
    with pytest.raises(MissingError) as caught:
        opened(tmp_path)
    assert str(caught.value).startswith(f"toy has no weights in {tmp_path}: train it with 'aletheia-bench train ")


@pytest.mark.parametrize(
    ("options", "part"), [({"batch_sise": 3}, "batch_sise"), ({"batch_size": "many"}, "batch_size")]
)
def test_a_malformed_table_of_options_is_a_sentence(weights, options, part):
    with pytest.raises(ModelFileError) as caught:
        HF().open(Card("toy", "hf", weights, weights=weights, settings={"generation": options}))
    assert part in str(caught.value)


@pytest.mark.parametrize("backend", [HF, GGUF])
def test_an_unknown_table_is_a_sentence(weights, backend):
    with pytest.raises(ModelFileError, match=r"unknown table \[genration\]; known: architecture, training, generation"):
        backend().open(Card("toy", backend.name, weights, weights=weights, settings={"genration": {"batch_size": 1}}))


# --- chat templates ---

TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[me]{% endif %}"
)


def test_with_a_chat_template_an_instruction_and_a_prompt_are_what_a_user_says(student, tokenizer, tmp_path):
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.chat_template = TEMPLATE
    student().save_pretrained(tmp_path / "toy")
    tokenizer.save_pretrained(tmp_path / "toy")
    card = Card("toy", "hf", tmp_path / "toy", chat=True, instructed=True, weights=tmp_path / "toy")
    asked = [Request(r.id, r.prompt, (), 9, instruction="after red\n") for r in requests()]
    written = texts(ask(HF().open(card), *asked))
    bare = [Request(r.id, f"[user]after red\n{r.prompt}[me]", (), 9) for r in requests()]
    assert written == texts(ask(HF().open(replace(card, chat=False)), *bare))
    if find_spec("llama_cpp"):
        GGUF().export(card, tmp_path / "toy.gguf", quant="f32")
        model = GGUF().open(replace(card, backend="gguf", weights=tmp_path / "toy.gguf"))
        assert texts(ask(model, *asked)) == written
        model.close()


def test_a_chat_template_that_fails_is_a_sentence(weights):
    (weights / "chat_template.jinja").write_text("{{ raise_exception('only with a system prompt') }}")
    with pytest.raises(ModelFileError) as caught:
        HF().open(Card("toy", "hf", weights, chat=True, instructed=True, weights=weights))
    assert str(caught.value) == f"{weights}: the chat template cannot be used: TemplateError: only with a system prompt"
    assert HF().open(Card("toy", "hf", weights, weights=weights))  # it is not asked for
