"""Adapters: what they learn, what they belong to, and that they write the same on a base, merged and exported."""

import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("peft") is None:
    pytest.skip("without the extra [lora]", allow_module_level=True)

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from aletheia_models.gguf import GGUF
from aletheia_models.hf import batches as batches_of_hf
from aletheia_models.hf.batches import batches
from aletheia_models.hf.loading import load_tokenizer
from aletheia_models.hf.training import Learner as Whole, Recipe as WholeRecipe
from aletheia_models.lora import LoRA, backend, bases, training
from aletheia_models.lora.bases import fingerprint
from aletheia_models.lora.training import Adapter, Learner, Processes, Recipe, adapted
from aletheia_plugins import Card, Example, MissingError, ModelFileError, Request, UsageError

from .conftest import restless

TRAINING = {"tokens": 15_000, "tokens_per_batch": 60, "learning_rate": 1e-2, "length": 64}


def quiet(done, total, **figures):
    pass


class Stopping:
    """Ends a training after so many steps."""

    def __init__(self, steps):
        self.left = steps

    def __call__(self, done, total, **figures):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.fixture
def card(base, tmp_path):
    settings = {"training": TRAINING, "lora": {"rank": 16}}
    return Card("pupil", "lora", tmp_path / "pupil.toml", base=str(base), settings=settings)


@pytest.fixture
def trained(card, toy, tmp_path):
    """The card with an adapter that knows the toy corpus by heart."""
    fit(card, toy, tmp_path / "adapter")
    return replace(card, weights=tmp_path / "adapter")


def fit(card, examples, out, progress=quiet):
    out.mkdir(exist_ok=True)
    return LoRA().fit(card, [examples], out, seed=1, workers=1, progress=progress)


def with_options(card, **tables):
    return replace(
        card, settings={name: {**card.settings.get(name, {}), **t} for name, t in (card.settings | tables).items()}
    )


def written(model, prompts):
    for number, prompt in enumerate(prompts):
        model.submit(Request(str(number), prompt, (), 12))
    done = {}
    while part := model.poll():
        done |= {c.id: c for c in part}
    model.close()
    return [done[str(number)].text for number in range(len(prompts))]


def test_an_adapter_learns_and_leaves_the_base_alone(card, base, toy, tmp_path):
    before = fingerprint(base)
    figures = fit(card, toy, tmp_path / "adapter")
    learnt = replace(card, weights=tmp_path / "adapter")
    assert written(LoRA().open(learnt), [e.prompt for e in toy]) == [e.completion for e in toy]
    assert fingerprint(base) == before
    assert figures["trainable"] < 0.6 * figures["parameters"]
    assert {path.suffix for path in (tmp_path / "adapter").iterdir()} <= {".json", ".safetensors", ""}
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(base)


@pytest.mark.parametrize("rank", [16, 0])
def test_an_adapter_writes_the_same_on_its_base_merged_and_as_gguf(card, toy, tmp_path, rank):
    card = with_options(card, lora={"rank": rank}, training={"learning_rate": 5e-3})
    fit(card, toy, tmp_path / "adapter")
    card = replace(card, weights=tmp_path / "adapter")
    prompts = [f"after {word} comes\n" for word in ("red", "brown", "x", "blue green")] + [e.prompt for e in toy]
    apart, merged = (LoRA().open(with_options(card, generation={"merged": m})) for m in (False, True))
    expected = written(apart, prompts)
    assert written(merged, prompts) == expected
    LoRA().merge(card, tmp_path / "whole")
    if find_spec("llama_cpp"):
        GGUF().export(replace(card, backend="hf", weights=tmp_path / "whole"), tmp_path / "pupil.gguf", quant="f32")
        model = GGUF().open(replace(card, backend="gguf", weights=tmp_path / "pupil.gguf", settings={}))
        assert written(model, prompts) == expected


def test_the_loss_is_the_trainers_own(student, tokenizer, toy, monkeypatch):
    """Without an adapter and without hints, both ways to learn minimise the same, in the same arithmetic."""
    monkeypatch.setattr("aletheia_models.hf.training.half", lambda device: False)
    (batch,) = batches(toy, tokenizer, tokens_per_batch=10_000, max_length=64, seed=0)
    whole = Whole(student(), WholeRecipe(tokens=1), seed=0)
    ours = Learner(adapted(student(), Adapter(rank=0), Recipe(tokens=1), seed=0), Recipe(tokens=1), Processes())
    for learner in (whole, ours):
        learner.student.train()
    assert ours.gradients(batch)[1].item() == pytest.approx(whole.gradients(batch)[1].item(), rel=1e-5)
    theirs = dict(whole.student.named_parameters())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, theirs[name].grad, rtol=1e-3, atol=1e-6)


def test_checkpointing_gradients_changes_nothing(student, tokenizer, toy):
    (batch,) = batches(toy, tokenizer, tokens_per_batch=10_000, max_length=64, seed=0)
    found = []
    for twice in (False, True):
        recipe = Recipe(tokens=1, gradient_checkpointing=twice)
        learner = Learner(adapted(student(), Adapter(rank=4), recipe, seed=3), recipe, Processes())
        learner.student.train()
        loss = learner.gradients(batch)[1].item()
        found.append((loss, {name: p.grad.clone() for name, p in learner.named_parameters()}))
    assert found[0][0] == pytest.approx(found[1][0])
    assert found[0][1].keys() == found[1][1].keys()
    for name, gradient in found[0][1].items():
        torch.testing.assert_close(gradient, found[1][1][name], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(card, toy, tmp_path, dropout):
    card = with_options(card, training={"tokens": 900, "checkpoint_seconds": 0.0}, lora={"dropout": dropout})
    fit(card, toy, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(card, toy, tmp_path / "halves", Stopping(5))
    fit(card, toy, tmp_path / "halves")
    one, other = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("whole", "halves"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_training_does_not_go_on_with_another_base_in_the_same_place(card, base, student, toy, tmp_path):
    card = with_options(card, training={"checkpoint_seconds": 0.0})
    before = fingerprint(base)
    with pytest.raises(KeyboardInterrupt):
        fit(card, toy, tmp_path / "adapter", Stopping(2))
    with pytest.raises(ModelFileError, match=r"has no adapter_model.safetensors: let its training end"):
        LoRA().open(replace(card, weights=tmp_path / "adapter"))
    student(5).save_pretrained(base)
    with pytest.raises(ModelFileError) as caught:
        fit(card, toy, tmp_path / "adapter")
    assert str(caught.value) == (
        f"{tmp_path / 'adapter'} was begun on a base of SHA-256 {before}, and {base} is another one now "
        f"({fingerprint(base)}): train into another folder, or delete it."
    )


def test_epochs_are_passes_over_all_examples(card, toy, tokenizer, tmp_path):
    (batch,) = batches(toy, tokenizer, tokens_per_batch=10_000, max_length=64, seed=0)
    for epochs in (0.5, 3):
        settings = {**card.settings, "training": {**TRAINING, "tokens_per_batch": 16, "epochs": epochs}}
        figures = fit(replace(card, settings=settings), toy * 2, tmp_path / str(epochs))
        assert 0 <= figures["tokens"] - 2 * epochs * batch.tokens < 16


def test_prompts_are_what_a_user_says_in_the_bases_chat_template(card, base, toy, tmp_path, monkeypatch):
    (base / "chat_template.jinja").write_text("[user]{{ messages[0].content }}[me]")
    card, seen = with_options(replace(card, chat=True), training={"tokens": 2_000}), []
    monkeypatch.setattr(batches_of_hf, "batches", lambda page, *_, **__: seen.extend(page) or batches(page, *_, **__))
    fit(card, toy, tmp_path / "adapter")
    assert {(e.prompt, e.completion) for e in seen} == {(f"[user]{e.prompt}[me]", e.completion) for e in toy}
    card = replace(card, weights=tmp_path / "adapter")
    bare = [f"[user]{e.prompt}[me]" for e in toy]
    assert written(LoRA().open(card), [e.prompt for e in toy]) == written(LoRA().open(replace(card, chat=False)), bare)


def test_a_base_without_a_chat_template_is_said(card, base, toy, tmp_path):
    with pytest.raises(ModelFileError) as caught:
        fit(replace(card, chat=True), toy, tmp_path / "adapter")
    assert str(caught.value) == f"{base} has no chat template: set chat = false in {card.source}."


def test_an_adapter_on_another_base_is_refused(trained, base, student, tokenizer, tmp_path):
    student(5).save_pretrained(tmp_path / "other")
    tokenizer.save_pretrained(tmp_path / "other")
    with pytest.raises(ModelFileError) as caught:
        LoRA().open(replace(trained, base=str(tmp_path / "other")))
    assert str(caught.value) == (
        f"{trained.weights} is an adapter of {base} (SHA-256 {fingerprint(base)}), and {tmp_path / 'other'} is another "
        f"model ({fingerprint(tmp_path / 'other')}): name its base with -M base=PATH, or lora:BASE+ADAPTER."
    )


def test_where_a_base_may_be(trained, base, tmp_path):
    assert LoRA().open(replace(trained, base="base"))  # seen from the card
    base.rename(tmp_path / "moved")
    assert LoRA().open(replace(trained, base=str(tmp_path / "moved")))  # it is known by its hash, not by its place
    with pytest.raises(MissingError) as caught:
        LoRA().open(replace(trained, base="./base"))
    assert str(caught.value) == f"pupil needs its base ./base, and there is no base and no {tmp_path / 'base'}."


def test_a_base_that_is_not_on_this_machine_is_said_with_its_way_out(trained, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(MissingError) as caught:
        LoRA().open(replace(trained, base="nobody/nothing-7B"))
    message = str(caught.value)
    assert message.startswith(
        "pupil needs its base nobody/nothing-7B: there is no such folder here, it is not in the cache "
    )
    assert message.endswith("Get it with 'hf download nobody/nothing-7B', or name a copy with -M base=PATH.")


def test_what_the_harness_is_told_of_a_place(trained, base):
    (trained.weights / "training.json").write_text('{"context": "folded", "arm": "linearized", "chat": false}')
    said = {"context": "folded", "arm": "linearized", "chat": False, "weights": trained.weights}
    assert LoRA().describe(str(trained.weights)) == {**said, "base": str(base)}
    assert LoRA().describe(f"elsewhere+{trained.weights}") == {**said, "base": "elsewhere"}


def test_weights_in_other_formats_are_not_read(trained):
    adapter = trained.weights / "adapter_model.safetensors"
    torch.save(load_file(adapter), trained.weights / "adapter_model.bin")
    adapter.unlink()
    with pytest.raises(
        ModelFileError, match=r"has no adapter_model.safetensors: let its training end; other formats are not read"
    ):
        LoRA().open(trained)


def test_a_base_of_pickled_weights_is_not_read(card, base, toy, tmp_path):
    torch.save(load_file(base / "model.safetensors"), base / "pytorch_model.bin")
    (base / "model.safetensors").unlink()
    with pytest.raises(ModelFileError, match=r"base cannot be loaded: "):
        fit(card, toy, tmp_path / "adapter")


def test_what_was_never_trained_is_missing(card, tmp_path):
    with pytest.raises(MissingError, match=r"pupil has no adapter: train it with 'aletheia-bench train"):
        LoRA().open(card)
    with pytest.raises(ModelFileError, match=r"does not say what its base is: .*base.json cannot be read"):
        LoRA().describe(str(tmp_path))


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ("lora", {"rang": 8}, "[lora] has no option 'rang'; it takes alpha, bits, dropout, rank, targets."),
        ("lora", {"rank": -1}, "[lora] rank is -1, expected 0 or a positive number."),
        ("lora", {"dropout": 1.0}, "[lora] dropout is 1.0, expected a number from 0 to less than 1."),
        ("lora", {"bits": 8}, "[lora] bits is 8, expected 4 or 16."),
        (
            "lora",
            {"bits": 4, "rank": 0},
            "[lora] rank = 0 trains all weights, which cannot be held in 4 bits: set bits = 16.",
        ),
        ("training", {"tokens": 0}, "[training] needs tokens, the number of tokens to train on, or epochs."),
        ("training", {"epochs": -1}, "[training] epochs is -1, expected a positive number."),
        ("training", {"length": 0}, "[training] length is 0, expected a positive number."),
        ("training", {"gradient_checkpointing": 1}, "[training] gradient_checkpointing is 1, expected true or false."),
    ],
)
def test_options_that_are_none_are_a_sentence(card, table, options, message):
    with pytest.raises(ModelFileError) as caught:
        LoRA().check(with_options(card, **{table: options}))
    assert str(caught.value) == message


def test_layers_that_the_base_does_not_have_are_said(card, toy, tmp_path):
    with pytest.raises(ModelFileError, match=r"\[lora\] does not fit this base: .*nothing"):
        fit(with_options(card, lora={"targets": "nothing"}), toy, tmp_path / "adapter")


@pytest.mark.parametrize("twice", [False, True])
def test_an_adapter_learns_on_a_base_in_four_bits(card, base, student, toy, tmp_path, twice):
    pytest.importorskip("bitsandbytes")
    restless(student(hidden_size=64)).save_pretrained(base)  # constants are those of 64 numbers
    card = with_options(card, lora={"bits": 4}, training={"gradient_checkpointing": twice, "learning_rate": 5e-3})
    figures = fit(card, toy, tmp_path / "adapter")
    assert figures["precision"] == "nf4"
    assert figures["parameters"] - figures["trainable"] == AutoModelForCausalLM.from_pretrained(base).num_parameters()
    card = replace(card, weights=tmp_path / "adapter")
    prompts, expected = [e.prompt for e in toy], [e.completion for e in toy]
    model = LoRA().open(with_options(card, generation={"merged": False}))
    assert torch.uint8 in {p.dtype for p in model.model.model.layers.parameters()}
    assert written(model, prompts) == expected
    assert written(LoRA().open(card), prompts) == expected  # merged into the base in full precision


def test_without_the_package_for_four_bits_a_base_is_held_in_more_and_that_is_said(
    card, toy, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(backend, "QUANTIZER", "no_such_package")
    card = with_options(card, lora={"bits": 4}, training={"tokens": 100})
    precision = fit(card, toy, tmp_path / "adapter")["precision"]
    assert precision == ("bf16" if torch.cuda.is_available() else "f32")
    (message,) = caplog.messages
    assert message == (
        f"[lora] bits = 4 needs no_such_package, which is not installed: the base is held in {precision}. "
        "Get it with pip install 'aletheia-bench[nf4]', or set bits = 16."
    )


def test_a_base_in_four_bits_is_not_shared_by_processes(card, toy, tmp_path, monkeypatch):
    pytest.importorskip("bitsandbytes")

    class Sharing(Processes):
        def __init__(self):
            super().__init__()
            self.sharded = True

    monkeypatch.setattr(training, "Processes", Sharing)
    with pytest.raises(UsageError, match=r"\[lora\] bits = 4 cannot be shared by processes"):
        fit(with_options(card, lora={"bits": 4}), toy, tmp_path / "adapter")


def test_a_parameter_that_gets_no_gradient_is_said(student, tokenizer, toy):
    (batch,) = batches(toy, tokenizer, tokens_per_batch=10_000, max_length=64, seed=0)
    made = student(num_hidden_layers=4)
    made.spare = torch.nn.Linear(2, 2)  # of no part in the loss, which is no mistake
    learner = Learner(adapted(made, Adapter(rank=0), Recipe(tokens=1), seed=0), Recipe(tokens=1), Processes())
    learner.gradients(batch)
    made.model.layers[-1].register_forward_pre_hook(lambda _, args: (args[0].detach(), *args[1:]))
    with pytest.raises(ModelFileError, match=r"27 of the \d+ tensors to train get no gradient, such as model.layers.0"):
        learner.gradients(batch)


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_step_that_does_not_fit_into_memory_says_what_to_change(card, toy, tmp_path):
    import resource

    limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    many = with_options(card, training={"tokens_per_batch": 1_200_000})
    try:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (300 << 20), limits[1]))
        with pytest.raises(
            ModelFileError, match=r"This training does not fit into memory: lower tokens_per_batch, or set "
        ):
            fit(many, toy * 9_000, tmp_path / "adapter")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize("where", ["share", "step"])
def test_memory_that_is_full_elsewhere_is_the_same_sentence_and_other_errors_are_themselves(
    card, toy, tmp_path, monkeypatch, where
):
    from aletheia_models.lora import training

    def fail(*_, **__):
        raise RuntimeError(told)

    owner, name = (training.Processes, "share") if where == "share" else (torch.optim.AdamW, "step")
    monkeypatch.setattr(owner, name, fail)
    told = "CUDA out of memory. Tried to allocate 2 GiB"
    with pytest.raises(ModelFileError, match=r"This training does not fit into memory: lower tokens_per_batch"):
        fit(card, toy, tmp_path / "one")
    told = "CUDA error: an illegal memory access was encountered"
    with pytest.raises(RuntimeError, match="illegal"):
        fit(card, toy, tmp_path / "two")


def test_the_few_examples_that_are_too_long_are_left_out_and_counted(card, toy, tokenizer, tmp_path, caplog):
    long = Example("after red comes\n", "red\n" * 80)
    few = toy * (200 // len(toy) + 1)
    figures = fit(card, [*few, long], tmp_path / "adapter")
    assert figures["left_out"] == 1
    assert f"1 of {len(few) + 1:,} examples have more than 64 tokens, up to " in caplog.text
    assert "nothing is cut" in caplog.text
    with pytest.raises(ModelFileError, match=r"^1 of \d+ examples have more than 64 tokens, .* raise length in "):
        fit(card, [*toy[:20], long], tmp_path / "other")


SEVEN = {"num_attention_heads": 28, "num_key_value_heads": 4, "tie_word_embeddings": False}


@pytest.mark.parametrize(
    "shape",
    [
        {"hidden_size": 448, "intermediate_size": 1184, "num_hidden_layers": 2},
        pytest.param(
            {"hidden_size": 3584, "intermediate_size": 18_944, "num_hidden_layers": 1}, marks=pytest.mark.heavy
        ),
    ],
)
@pytest.mark.parametrize("quant", ["f32", "q4_k_m"])
def test_the_architecture_of_the_seven_billion_goes_all_the_way(card, toy, tokenizer, tmp_path, shape, quant):
    """Qwen2 as in Qwen2.5-7B, with random weights and fewer layers: trained, merged, exported, quantized, evaluated."""
    pytest.importorskip("llama_cpp", reason="without the extra [gguf]")
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    words = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id, "max_position_embeddings": 64}
    Qwen2ForCausalLM(Qwen2Config(**SEVEN, **shape, **words)).save_pretrained(tmp_path / "seven")
    tokenizer.save_pretrained(tmp_path / "seven")
    card = with_options(replace(card, base=str(tmp_path / "seven")), training={"tokens": 300, "learning_rate": 1e-3})
    fit(card, toy, tmp_path / "adapter")
    card = replace(card, weights=tmp_path / "adapter")
    LoRA().merge(card, tmp_path / "whole")
    GGUF().export(replace(card, backend="hf", weights=tmp_path / "whole"), tmp_path / "seven.gguf", quant=quant)
    prompts = [e.prompt for e in toy]
    found = written(GGUF().open(Card("seven", "gguf", tmp_path, weights=tmp_path / "seven.gguf")), prompts)
    if quant == "f32":
        assert found == written(LoRA().open(with_options(card, generation={"merged": False})), prompts)
    assert len(found) == len(prompts)


def test_a_base_whose_tokenizer_would_cut_texts_reads_them_whole(base, toy):
    content = json.loads((base / "tokenizer.json").read_text())
    whole = [len(ids) for ids in load_tokenizer(base)([e.prompt for e in toy])["input_ids"]]
    content["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    content["padding"] = {"strategy": {"Fixed": 40}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                          "pad_type_id": 0, "pad_token": "<|pad|>"}  # fmt: skip
    (base / "tokenizer.json").write_text(json.dumps(content))
    assert [
        len(found.ids) for found in load_tokenizer(base).backend_tokenizer.encode_batch([e.prompt for e in toy])
    ] == whole


def test_a_tokenizer_without_a_pad_token_will_do_and_one_without_an_end_will_not(card, base, toy, tmp_path):
    config = json.loads((base / "tokenizer_config.json").read_text())
    config.pop("pad_token")
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    fit(with_options(card, training={"tokens": 500}), toy, tmp_path / "adapter")
    config.pop("eos_token")
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelFileError, match=r"base has no end token, so that nothing tells where to stop"):
        fit(card, toy, tmp_path / "adapter")


def test_a_model_that_changes_its_logits_is_refused(card, toy, tokenizer, tmp_path):
    from transformers import Gemma2Config, Gemma2ForCausalLM

    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    shape |= {"num_key_value_heads": 2, "head_dim": 16, "vocab_size": len(tokenizer)}
    made = Gemma2ForCausalLM(Gemma2Config(final_logit_softcapping=0.05, **shape))
    made.save_pretrained(tmp_path / "gemma")
    tokenizer.save_pretrained(tmp_path / "gemma")
    with pytest.raises(ModelFileError, match=r"Gemma2ForCausalLM does more to what it says than its output layer"):
        fit(replace(card, base=str(tmp_path / "gemma")), toy, tmp_path / "adapter")


def test_a_damaged_adapter_and_one_of_something_else_are_sentences(trained):
    path = trained.weights / "adapter_model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match=r"adapter cannot be loaded: "):
        LoRA().open(trained)
    path.write_bytes(whole)
    save_file({f"other.{name}": tensor for name, tensor in load_file(path).items()}, path)
    with pytest.raises(ModelFileError, match=r"adapter cannot be loaded: .*missing adapter keys"):
        LoRA().open(trained)


def test_nothing_to_learn_from_is_said(card, tmp_path):
    with pytest.raises(ModelFileError, match=r"pupil has nothing to learn from: its corpora are empty"):
        fit(card, [], tmp_path / "adapter")


def test_a_base_that_was_fetched_in_part_is_not_there(card, monkeypatch, tmp_path):
    folder = tmp_path / "snapshot"
    folder.mkdir()
    monkeypatch.setattr(bases, "_snapshot", lambda name, local: folder)
    other = replace(card, base="nobody/nothing")
    assert bases.here(other) is None
    (folder / "model.safetensors").write_bytes(b"")
    assert bases.here(other) == folder
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    assert bases.here(other) is None
