"""GGUF files from folders in Hugging Face's format: names, shapes, tokens."""

import json
import shutil
from collections import Counter
from importlib.util import find_spec

import numpy as np
import pytest

from aletheia_models.gguf import GGUF
from aletheia_plugins import Card, MissingError, ModelFileError

gguf = pytest.importorskip("gguf")
torch = pytest.importorskip("torch")


@pytest.fixture
def folder(student, tokenizer, tmp_path):
    """A tiny student on disk."""
    student().save_pretrained(tmp_path / "toy")
    tokenizer.save_pretrained(tmp_path / "toy")
    return tmp_path / "toy"


@pytest.fixture
def export(folder, tmp_path):
    """Exports the folder; what is in the file then."""

    def make(quant: str = "f32"):
        types = GGUF().export(Card("toy", "hf", folder, weights=folder), tmp_path / "out" / "toy.gguf", quant=quant)
        return types, gguf.GGUFReader(tmp_path / "out" / "toy.gguf")

    return make


def change(folder, name, **values):
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(content | values))


def field(reader, name):
    return reader.get_field(name).contents()


def test_every_weight_is_in_the_file(export, student):
    types, reader = export()
    ours = student().state_dict()
    theirs = {tensor.name: tensor.data for tensor in reader.tensors}
    assert types == Counter(f32=len(theirs))
    assert len(theirs) == len(ours) - 1  # the embeddings are tied
    assert np.array_equal(theirs["token_embd.weight"], ours["model.embed_tokens.weight"].numpy())
    assert np.array_equal(theirs["output_norm.weight"], ours["model.norm.weight"].numpy())
    for layer in "01":
        ours_v, ours_q = (ours[f"model.layers.{layer}.self_attn.{p}_proj.weight"].numpy() for p in "vq")
        assert np.array_equal(theirs[f"blk.{layer}.attn_v.weight"], ours_v)
        turned = theirs[f"blk.{layer}.attn_q.weight"]
        assert np.array_equal(turned[0:16:2], ours_q[0:8])
        assert np.array_equal(turned[1:16:2], ours_q[8:16])


def test_the_file_says_what_the_network_is_like(export, architecture):
    _, reader = export("f16")
    assert field(reader, "general.architecture") == "llama"
    assert field(reader, "general.name") == "toy"
    assert field(reader, "llama.block_count") == architecture["num_hidden_layers"]
    assert field(reader, "llama.context_length") == architecture["max_position_embeddings"]
    assert field(reader, "llama.rope.dimension_count") == 16


def test_vectors_stay_exact(export):
    types, reader = export("f16")
    assert set(types) == {"f16", "f32"}
    assert all((tensor.tensor_type.name == "F32") == (len(tensor.shape) == 1) for tensor in reader.tensors)


@pytest.mark.parametrize(
    ("quant", "types"),
    [("q8_0", {"f32", "q8_0"}), ("q4_0", {"f32", "q4_0", "q8_0"}), ("q4_k_m", {"f32", "q5_0", "q8_0"})],
)
def test_the_types_that_are_in_the_file_are_told(export, quant, types):
    """Rows of 32 do not fit the 256 of q4_k: llama.cpp takes q5_0 instead."""
    if find_spec("llama_cpp") is None:
        pytest.skip("without the extra [gguf]")
    told, reader = export(quant)
    assert set(told) == types
    assert told == Counter(tensor.tensor_type.name.lower() for tensor in reader.tensors)


def test_tokens_keep_their_ids(export, tokenizer):
    _, reader = export()
    texts, types = field(reader, "tokenizer.ggml.tokens"), field(reader, "tokenizer.ggml.token_type")
    assert texts == [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]
    assert types[tokenizer.eos_token_id] == gguf.TokenType.CONTROL
    assert types[tokenizer.convert_tokens_to_ids(" red")] == gguf.TokenType.USER_DEFINED
    assert types[0] == gguf.TokenType.NORMAL
    assert field(reader, "tokenizer.ggml.eos_token_id") == tokenizer.eos_token_id


def test_ids_without_a_token_are_filled_up(folder, export):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    size = model.config.vocab_size
    model.resize_token_embeddings(size + 2)
    model.save_pretrained(folder)
    _, reader = export()
    assert field(reader, "tokenizer.ggml.tokens")[size:] == [f"[PAD{size}]", f"[PAD{size + 1}]"]
    assert field(reader, "tokenizer.ggml.token_type")[size:] == [gguf.TokenType.UNUSED] * 2


@pytest.mark.parametrize(
    ("name", "values", "wrong"),
    [
        ("config.json", {"architectures": ["OPTForCausalLM"]}, "has the architecture OPTForCausalLM; LlamaForCausalLM"),
        ("config.json", {"rope_parameters": {"rope_type": "yarn"}}, "scales its positions (yarn); only 'default'"),
        ("config.json", {"rope_parameters": None, "rope_scaling": {"type": "linear"}}, "scales its positions (linear)"),
        ("config.json", {"hidden_act": "gelu"}, "has the activation gelu; llama.cpp computes silu"),
        ("config.json", {"use_sliding_window": True}, "attends in a sliding window"),
        ("config.json", {"num_attention_heads": 0}, "cannot be written as GGUF: ZeroDivisionError"),
        ("config.json", {"num_attention_heads": 3}, "cannot be written as GGUF: ValueError"),
        ("config.json", {"vocab_size": None}, "cannot be written as GGUF: TypeError"),
        ("config.json", {"num_hidden_layers": 3}, "lacks 9 tensors, such as blk.2.attn_k.weight"),
        ("tokenizer.json", {"added_tokens": None}, "cannot be written as GGUF: TypeError"),
        (
            "tokenizer.json",
            {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}},
            "is a BPE behind ByteLevel",
        ),
        ("tokenizer_config.json", {"eos_token": None}, "names no eos_token"),
        ("tokenizer.json", {"pre_tokenizer": {"type": "Whitespace"}}, "is a BPE behind Whitespace; byte-level BPE"),
        ("tokenizer.json", {"model": {"type": "Unigram"}}, "is a Unigram behind ByteLevel; byte-level BPE"),
    ],
)
def test_what_has_no_place_in_a_file_is_said(folder, export, tmp_path, name, values, wrong):
    change(folder, name, **values)
    with pytest.raises(ModelFileError) as caught:
        export()
    assert wrong in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_weights_that_are_not_safetensors_are_said(folder, export):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelFileError, match=r"model.safetensors cannot be read: "):
        export()


def test_a_folder_without_weights_is_said(folder, export):
    shutil.rmtree(folder)
    with pytest.raises(MissingError, match=r"toy has no weights in .*: train it first"):
        export()


def test_a_file_says_how_it_is_to_be_read(folder, tmp_path):
    said = {"context": "cumulative", "arm": "linearized", "max_tokens": 77, "instructed": True, "chat": True}
    GGUF().export(Card("toy", "hf", folder, weights=folder, **said), tmp_path / "toy.gguf", quant="f32")
    assert GGUF().describe(str(tmp_path / "toy.gguf")) == {**said, "weights": tmp_path / "toy.gguf"}


@pytest.mark.parametrize(("name", "value"), [("arm", 3), ("context", 1.5), ("max_tokens", "77"), ("max_tokens", 0)])
def test_a_file_that_says_nonsense_of_itself_is_refused(tmp_path, name, value):
    writer = gguf.GGUFWriter(tmp_path / "odd.gguf", "llama")
    writer.add_key_value(f"aletheia.{name}", value, gguf.GGUFValueType.get_type(value))
    writer.add_tensor("t", np.zeros(32, np.float32))
    for write in (
        writer.write_header_to_file,
        writer.write_kv_data_to_file,
        writer.write_tensors_to_file,
        writer.close,
    ):
        write()
    with pytest.raises(ModelFileError, match=rf"odd.gguf: aletheia.{name} is {value!r}, expected "):
        GGUF().describe(str(tmp_path / "odd.gguf"))
