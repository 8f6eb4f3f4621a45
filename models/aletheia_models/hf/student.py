"""A small Llama-architecture student, built from a card's [architecture] table. Knows neither data nor training."""

from collections.abc import Mapping
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from aletheia_plugins import ModelFileError

__all__ = ["build_student", "parameters"]


def build_student(
    architecture: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast, *, seed: int
) -> LlamaForCausalLM:
    """A freshly initialised student; the table holds LlamaConfig's own option names."""
    unknown = set(architecture) - set(LlamaConfig().to_dict())
    if unknown:
        raise ModelFileError(f"[architecture] has no option {min(unknown)!r}; it takes those of LlamaConfig.")
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **{"tie_word_embeddings": True, **architecture},
    )
    return LlamaForCausalLM(config)


def parameters(model: torch.nn.Module) -> int:
    """Trainable numbers, tied ones counted once."""
    return sum(p.numel() for p in model.parameters())
