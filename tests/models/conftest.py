"""A small corpus, a small tokenizer and a small student, made once."""

from importlib.util import find_spec
from itertools import pairwise

import pytest

from aletheia_plugins import Card, Example

if find_spec("torch") is None:  # without the extra [hf]
    collect_ignore_glob = ["test_hf_*.py", "test_generation.py"]

COLOURS = ("red", "green", "blue", "grey", "pink", "black", "white", "brown")
TOY = [Example(f"after {word} comes\n", f"{after}\n") for word, after in pairwise(COLOURS)]
"""A little knowledge that can be learnt by heart in seconds."""

ARCHITECTURE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}


@pytest.fixture(scope="session")
def toy() -> list[Example]:
    return TOY


@pytest.fixture(scope="session")
def tokenizer():
    from aletheia_models.hf.tokenizer import build_tokenizer, count_words

    return build_tokenizer(count_words(example.prompt + example.completion for example in TOY), min_count=1)


@pytest.fixture(scope="session")
def architecture() -> dict[str, int]:
    return ARCHITECTURE


@pytest.fixture
def student(tokenizer):
    """Makes a student; the same one for the same seed."""
    from aletheia_models.hf.student import build_student

    def make(seed: int = 0, **other: int):
        return build_student({**ARCHITECTURE, **other}, tokenizer, seed=seed)

    return make


def restless(model):
    """The model with random weights that an adapter can change: a fresh student's layers add nothing yet."""
    import torch

    with torch.no_grad():
        torch.nn.init.ones_(model.model.norm.weight)
        for name, values in model.model.layers.named_parameters():
            if "norm" not in name:
                values.normal_(std=0.1)
    return model


@pytest.fixture
def base(student, tokenizer, tmp_path):
    """The folder of a restless student."""
    restless(student()).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def toy_file(student, tokenizer, tmp_path):
    """The same student as a GGUF file."""
    from aletheia_models.gguf import GGUF

    folder = tmp_path / "toy"
    student().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    GGUF().export(Card("toy", "hf", folder, weights=folder), tmp_path / "toy.gguf", quant="f32")
    return tmp_path / "toy.gguf"
