"""A plan agrees with what a training really takes."""

import re
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import pytest

if find_spec("peft") is None:
    pytest.skip("without the extra [lora]", allow_module_level=True)

import torch
from transformers import AutoConfig, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from aletheia_models.lora import LoRA
from aletheia_models.lora.planning import blank, estimate, needs
from aletheia_models.lora.training import Adapter, Recipe
from aletheia_plugins import Card, Example, MissingError, ModelFileError

MEASURE = Path(__file__).with_name("measured_training.py")
SEVEN = {
    "model_type": "qwen2", "vocab_size": 152_064, "hidden_size": 3584, "intermediate_size": 18_944,
    "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4, "tie_word_embeddings": False,
}  # fmt: skip
SMALL = {
    **SEVEN,
    "vocab_size": 512,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
}
MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig, {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 6}),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 12}),
    "wide": (LlamaForCausalLM, LlamaConfig, {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 4}),
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("name", "checkpointing", "bits"),
    [
        ("llama", False, 16),
        *(
            pytest.param(name, twice, bits, marks=pytest.mark.heavy)
            for name, twice, bits in product(MODELS, (False, True), (16, 4))
            if (name, twice, bits) != ("llama", False, 16)
        ),
    ],
)
def test_the_memory_is_what_a_training_takes_within_a_tenth(tokenizer, tmp_path, name, checkpointing, bits):
    if bits == 4:
        pytest.importorskip("bitsandbytes")
    kind, config, shape = MODELS[name]
    torch.manual_seed(0)
    kind(config(vocab_size=2_000, num_attention_heads=8, num_key_value_heads=4, **shape)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    command = [sys.executable, str(MEASURE), str(tmp_path), str(int(checkpointing)), str(bits)]
    measured, planned = (
        float(subprocess.run([*command, what], capture_output=True, text=True, check=True).stdout.split()[-1])
        for what in ("measure", "plan")
    )
    assert planned == pytest.approx(measured, rel=0.1)


def test_a_plan_of_seven_billion_parameters_needs_no_weights():
    recipe = Recipe(tokens=1, tokens_per_batch=2048, gradient_checkpointing=True)
    found = needs(SEVEN, Adapter(rank=16), recipe, length=500, targets=0.5, batch_size=1)
    assert found.parameters - found.trainable == 7_615_616_512  # as its makers count them
    assert 2 * 7.6e9 < found.training["bf16"] < 24e9
    assert found.training["nf4+bf16"] < 0.6 * found.training["bf16"]
    forward = 2 * (7.6e9 - 152_064 * 3584)  # products of the layers; the embeddings have none
    assert found.operations == pytest.approx(3 * forward, rel=0.15)  # forward twice, and back, of the base alone


def test_all_weights_take_gradients_and_moments(tokenizer):
    recipe = Recipe(tokens=1, tokens_per_batch=64)
    low, full = (needs(SMALL, Adapter(rank=rank), recipe, length=32, targets=0.5, batch_size=1) for rank in (4, 0))
    assert full.trainable == full.parameters
    assert full.training.keys() == {"f32"}, "small steps of all weights are lost in bfloat16"
    assert full.training["f32"] - low.training["f32"] == pytest.approx(12 * (full.trainable - low.trainable), rel=0.2)


def test_tokens_are_estimated_where_there_is_no_tokenizer():
    assert estimate("state: x1=0 | x2=1\n") == 12
    assert estimate("") == 0


def test_what_a_person_is_told(tmp_path):
    training = {"tokens": 10_000, "tokens_per_batch": 512, "length": 60}
    settings = {"architecture": SMALL, "training": training}
    card = Card("small", "lora", tmp_path / "c.toml", base="nobody/small", settings=settings)
    sample = [(100.0, Example("after red comes\n", "green blue\n")), (50.0, Example("x " * 30, "y " * 30))]
    told = LoRA().plan(card, sample)
    assert told["base"] == "nobody/small, not on this machine: tokens are estimates"
    assert told["parameters"] == "2,441,216, of which 208,896 are trained"
    assert told["examples"] == "150 of 26 tokens, 61 at most in a sample; 51% learnt"
    assert told["training"].startswith("10,000 tokens, 2.6 epochs; ")
    assert told["too long"] == "an example has 61 tokens, and [training] length is 60: it is left out, or raise that"
    assert "training fits (bf16, nf4+bf16)" in told["an 80 GB GPU"]
    everything = replace(card, settings=settings | {"lora": {"rank": 0}})
    assert "training fits (f32), " in LoRA().plan(everything, sample)["an 80 GB GPU"]


def test_what_nobody_waits_for_is_out_of_reach(tmp_path):
    training = {"tokens": 10_000_000_000_000, "tokens_per_batch": 512}
    settings = {"architecture": SMALL, "training": training}
    card = Card("small", "lora", tmp_path / "c.toml", base="nobody/small", settings=settings)
    told = LoRA().plan(card, [(100.0, Example("after red comes\n", "green blue\n"))])
    assert re.search(r"training \(.*f32\) would take [\d,.e+]+ hours: out of reach", told["this machine"])


def test_a_path_that_is_none_is_not_planned(tmp_path):
    settings = {"architecture": SMALL, "training": {"tokens": 10}}
    card = Card("small", "lora", tmp_path / "c.toml", base="/nonsense/x", settings=settings)
    with pytest.raises(MissingError, match="needs its base /nonsense/x"):
        LoRA().plan(card, [(1.0, Example("a", "b"))])


def test_what_cannot_be_planned_is_said(tmp_path):
    training = {"tokens": 10}
    card = Card("seven", "lora", tmp_path / "c.toml", base="nobody/seven", settings={"training": training})
    with pytest.raises(MissingError) as caught:
        LoRA().plan(card, [(1.0, Example("a", "b"))])
    assert str(caught.value) == "seven has no [architecture], and its base nobody/seven is not on this machine."
    odd = replace(card, settings={"training": training, "architecture": {**SEVEN, "hidden_size": 3}})
    with pytest.raises(ModelFileError, match=r"\[architecture\] makes no model: "):
        LoRA().plan(odd, [(1.0, Example("a", "b"))])


def test_a_blank_model_is_that_of_the_configuration(tmp_path):
    LlamaConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2).save_pretrained(
        tmp_path
    )
    model = blank(AutoConfig.from_pretrained(tmp_path))
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
