"""Loads models and tokenizers from folders in Hugging Face's format, and GGUF files. Runs no code that is in them."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from aletheia_models.chat import frame
from aletheia_models.gguf.header import read_header
from aletheia_plugins import ModelFileError

__all__ = ["chat_frame", "load_config", "load_model", "load_tokenizer"]

SAFELY = {"local_files_only": True, "trust_remote_code": False}


def load_model(weights: Path, **options: Any) -> Any:
    """The causal language model in a folder of safetensors; one in a GGUF file comes in f32, whatever its precision.

    `options` are those of `from_pretrained`. Raises ModelFileError.
    """
    try:
        if weights.is_file():
            return _dequantized(weights)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            weights, use_safetensors=True, output_loading_info=True, **SAFELY, **options
        )
    except ModelFileError:
        raise
    except Exception as error:
        raise ModelFileError(f"{weights} cannot be loaded: {type(error).__name__}: {error}") from error
    model, report = loaded
    if missing := report["missing_keys"]:  # transformers would fill them with random numbers
        raise ModelFileError(f"{weights} cannot be loaded: it lacks {len(missing)} tensors, such as {min(missing)}.")
    return model


def load_tokenizer(weights: Path) -> Any:
    """Raises ModelFileError."""
    where, options = _place(weights)
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(where, **SAFELY, **options)
        backend = tokenizer.backend_tokenizer  # settings that an earlier training left there would cut texts
        backend.no_truncation()
        backend.no_padding()
    except Exception as error:
        raise ModelFileError(f"{weights} cannot be loaded: {type(error).__name__}: {error}") from error
    return tokenizer


def load_config(weights: Path) -> Any:
    """The configuration of the same. Raises ModelFileError."""
    where, options = _place(weights)
    try:
        return AutoConfig.from_pretrained(where, **SAFELY, **options)
    except Exception as error:
        raise ModelFileError(f"{weights} cannot be loaded: {type(error).__name__}: {error}") from error


def chat_frame(tokenizer: Any) -> tuple[str, str]:
    """What stands before and behind a user's message; nothing if there is no chat template. Raises ModelFileError."""
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    if not template:
        return "", ""
    names = ("bos_token", "eos_token")
    try:
        return frame(template, **{name: getattr(tokenizer, name) or "" for name in names})
    except ModelFileError as error:
        raise ModelFileError(f"{tokenizer.name_or_path}: {error}") from error


def _dequantized(file: Path) -> Any:
    """What transformers dequantizes, it marks as quantized and would not save: so the tensors move to a fresh model."""
    read_header(file)
    where, options = _place(file)
    found = AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32, **SAFELY, **options)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(where, **SAFELY, **options))
    model.load_state_dict(found.state_dict(), assign=True)
    model.tie_weights()
    for name, buffer in found.named_buffers():
        model.get_submodule(name.rpartition(".")[0]).register_buffer(name.rpartition(".")[2], buffer, persistent=False)
    model.generation_config = found.generation_config
    return model.eval()


def _place(weights: Path) -> tuple[Path, dict[str, str]]:
    return (weights.parent, {"gguf_file": weights.name}) if weights.is_file() else (weights, {})
