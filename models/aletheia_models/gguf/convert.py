"""Writes a model in Hugging Face's format as GGUF. Knows the names of both, and how llama.cpp wants its tokenizer.

Tensor names follow llama.cpp's src/llama-arch.cpp. A Llama rotates pairs of neighbours there and halves of a head here,
so the rows of its queries and keys are put in another order.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors import SafetensorError, safe_open

from aletheia_plugins import Card, ModelFileError

__all__ = ["convert"]

PRECISIONS: Mapping[str, tuple[gguf.GGMLQuantizationType, gguf.LlamaFileType]] = {
    "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "bf16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
}

ARCHITECTURES = {"LlamaForCausalLM": "llama", "Qwen2ForCausalLM": "qwen2"}

PLAIN = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}

GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
BYTES = GPT2 | {"use_regex": False}
DIGITS = {"type": "Digits", "individual_digits": True}
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS: tuple[tuple[str, list[dict[str, Any]]], ...] = (
    ("gpt-2", [GPT2]),
    ("smollm", [DIGITS, GPT2]),
    ("qwen2", [{"type": "Split", "pattern": {"Regex": QWEN2}, "behavior": "Isolated", "invert": False}, BYTES]),
)
"""How llama.cpp names what stands before the merges, and what a tokenizer.json says of it."""


@dataclass(frozen=True, slots=True)
class _Tokens:
    """A vocabulary as GGUF lists it: one text, and one type, for each id."""

    texts: list[str]
    types: list[int]
    merges: list[str]
    split: str


def convert(card: Card, out: Path, precision: str) -> None:
    """Write the card's folder to `out` as f32, f16 or bf16; vectors stay f32. See `Exporter` for what it raises."""
    assert card.weights
    try:
        _convert(card, card.weights, out, precision)
    except (KeyError, IndexError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise ModelFileError(f"{card.weights} cannot be written as GGUF: {type(error).__name__}: {error}.") from error


def _convert(card: Card, folder: Path, out: Path, precision: str) -> None:
    config = _json(folder / "config.json")
    architecture = (config.get("architectures") or ["none"])[0]
    if architecture not in ARCHITECTURES:
        known = " and ".join(ARCHITECTURES)
        raise ModelFileError(f"{folder} has the architecture {architecture}; {known} are written as GGUF.")
    tokens = _tokens(folder, int(config["vocab_size"]))
    writer = gguf.GGUFWriter(out, ARCHITECTURES[architecture])
    kind, file_type = PRECISIONS[precision]
    writer.add_name(card.name)
    writer.add_string("aletheia.context", card.context)
    writer.add_string("aletheia.arm", card.arm)
    writer.add_uint32("aletheia.max_tokens", card.max_tokens)
    writer.add_bool("aletheia.instructed", card.instructed)
    writer.add_bool("aletheia.chat", card.chat)
    writer.add_file_type(file_type)
    _describe(writer, folder, config)
    _write_tokens(writer, folder, tokens)
    names = []
    for tensor, values in _tensors(folder, config, ARCHITECTURES[architecture]):
        names.append(tensor)
        stored = gguf.GGMLQuantizationType.F32 if values.ndim == 1 else kind
        writer.add_tensor(tensor, gguf.quants.quantize(values, stored), raw_dtype=stored)
    _complete(folder, config, names)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: gguf.GGUFWriter, folder: Path, config: Mapping[str, Any]) -> None:
    """The shape of the network."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if (how := rope.get("rope_type", rope.get("type", "default"))) != "default":
        raise ModelFileError(f"{folder} scales its positions ({how}); only 'default' is written as GGUF.")
    if (act := config.get("hidden_act", "silu")) != "silu":
        raise ModelFileError(f"{folder} has the activation {act}; llama.cpp computes silu in such a model.")
    if config.get("use_sliding_window"):
        raise ModelFileError(f"{folder} attends in a sliding window, which GGUF cannot say of such a model.")
    heads = int(config["num_attention_heads"])
    size = int(config.get("head_dim") or config["hidden_size"] // heads)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    writer.add_rope_freq_base(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])


def _write_tokens(writer: gguf.GGUFWriter, folder: Path, tokens: _Tokens) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(tokens.split)
    writer.add_token_list(tokens.texts)
    writer.add_token_types(tokens.types)
    writer.add_token_merges(tokens.merges)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    settings = _json(folder / "tokenizer_config.json")
    if settings.get("eos_token") is None:  # llama.cpp would take the token 11
        raise ModelFileError(f"{folder / 'tokenizer_config.json'} names no eos_token, with which a completion ends.")
    for key, add in (("eos_token", writer.add_eos_token_id), ("bos_token", writer.add_bos_token_id),
                     ("pad_token", writer.add_pad_token_id)):  # fmt: skip
        text = settings.get(key)
        text = text["content"] if isinstance(text, dict) else text
        if text in tokens.texts:
            add(tokens.texts.index(text))
    template = folder / "chat_template.jinja"
    if template.exists():
        writer.add_chat_template(template.read_text(encoding="utf-8"))
    elif isinstance(settings.get("chat_template"), str):
        writer.add_chat_template(settings["chat_template"])


def _tokens(folder: Path, size: int) -> _Tokens:
    """The byte-level BPE in tokenizer.json; ids that have no token are filled up to `size`."""
    path = folder / "tokenizer.json"
    content = _json(path)
    model = content.get("model", {})
    before = content.get("pre_tokenizer") or {}
    steps = before.get("pretokenizers", [before])
    split = next((name for name, known in SPLITS if _same(steps, known)), None)
    if model.get("type") != "BPE" or split is None or content.get("normalizer") not in (None, {"type": "NFC"}):
        kinds = "+".join(str(step.get("type")) for step in steps)
        raise ModelFileError(
            f"{path} is a {model.get('type')} behind {kinds}; "
            "byte-level BPE as in GPT-2, SmolLM or Qwen2 is written as GGUF."
        )
    texts = {int(index): text for text, index in model["vocab"].items()}
    types = dict.fromkeys(texts, int(gguf.TokenType.NORMAL))
    for token in content.get("added_tokens", ()):
        kind = gguf.TokenType.CONTROL if token["special"] else gguf.TokenType.USER_DEFINED
        texts[token["id"]], types[token["id"]] = token["content"], int(kind)
    for index in range(size):
        if index not in texts:
            texts[index], types[index] = f"[PAD{index}]", int(gguf.TokenType.UNUSED)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    order = range(size)
    return _Tokens([texts[i] for i in order], [types[i] for i in order], merges or [NEVER], split)


NEVER = "Ā ā"
"""llama.cpp wants at least one merge: of the bytes 0 and 1, which make no token, and so remain two."""


def _same(steps: list[dict[str, Any]], known: list[dict[str, Any]]) -> bool:
    """Whether each step has the options that the known one names."""
    return len(steps) == len(known) and all(
        step.get(key, key == "use_regex") == value
        for step, wanted in zip(steps, known, strict=True)
        for key, value in wanted.items()
    )


def _tensors(folder: Path, config: Mapping[str, Any], architecture: str) -> Iterator[tuple[str, Any]]:
    """(name in GGUF, f32 values) of each tensor."""
    heads = int(config["num_attention_heads"])
    groups = {"attn_q": heads, "attn_k": int(config.get("num_key_value_heads") or heads)}
    for path in _files(folder):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118  # the file is no mapping
                    new, values = _name(path, name), file.get_tensor(name).float().numpy()
                    part = new.split(".")[-2]
                    if new == "output.weight" and config.get("tie_word_embeddings"):
                        continue
                    if architecture == "llama" and part in groups:
                        values = _neighbours(values, groups[part])
                    yield new, np.ascontiguousarray(values)
        except (OSError, SafetensorError) as error:
            raise ModelFileError(f"{path} cannot be read: {error}.") from error


def _files(folder: Path) -> list[Path]:
    """The files that have the weights."""
    index = folder / "model.safetensors.index.json"
    names = set(_json(index)["weight_map"].values()) if index.exists() else {"model.safetensors"}
    return [folder / name for name in sorted(names)]


def _complete(folder: Path, config: Mapping[str, Any], written: Iterable[str]) -> None:
    """Raises ModelFileError if a tensor is missing that every such model has."""
    layers = range(int(config["num_hidden_layers"]))
    needed = {f"{PLAIN['model.embed_tokens']}.weight", f"{PLAIN['model.norm']}.weight"}
    needed |= {f"blk.{layer}.{part}.weight" for layer in layers for part in LAYER.values()}
    if missing := needed - set(written):
        raise ModelFileError(f"{folder} lacks {len(missing)} tensors, such as {min(missing)}.")


def _name(path: Path, name: str) -> str:
    stem, _, kind = name.rpartition(".")
    if stem in PLAIN:
        return f"{PLAIN[stem]}.{kind}"
    layer, _, part = stem.removeprefix("model.layers.").partition(".")
    if layer.isdigit() and part in LAYER:
        return f"blk.{layer}.{LAYER[part]}.{kind}"
    raise ModelFileError(f"{path} has a tensor {name} that has no name in GGUF.")


def _neighbours(values: Any, heads: int) -> Any:
    """The rows of each head, first half and second half taken in turns."""
    shape = values.shape
    return values.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path} cannot be read: {error}.") from error
