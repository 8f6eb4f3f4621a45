"""A small Llama-architecture student, built from a card's [architecture] table. Knows neither data nor training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from aletheia_models.hf.loading import load_model
from aletheia_plugins import ModelFileError

__all__ = ["build_student", "configuration", "hidden_states", "take_over"]

ROWS = ("model.embed_tokens.weight", "lm_head.weight")
"""Tensors with a row for each word; tied ones are one."""
WORDS = {"vocab_size", "bos_token_id", "eos_token_id", "pad_token_id"}
"""What the tokenizer decides."""
APART = {*WORDS, "max_position_embeddings", "transformers_version", "dtype", "architectures"}
"""In what students may differ, one of which starts from the other."""


def configuration(architecture: Mapping[str, Any], **words: Any) -> LlamaConfig:
    """What Llama makes of a card's [architecture], which has its option names; `words` are the tokenizer's.

    Raises ModelFileError if that is no student.
    """
    if unknown := set(architecture) - (set(LlamaConfig().to_dict()) - WORDS):
        raise ModelFileError(f"[architecture] has no option {min(unknown)!r}; it takes those of LlamaConfig.")
    try:
        config = LlamaConfig(**{"tie_word_embeddings": True, **architecture}, **words)
        with torch.device("meta"):  # shapes only
            table = torch.zeros(1, 2, dtype=torch.long)
            hidden_states(LlamaForCausalLM(config), table, table, table, ())
    except Exception as error:
        cause = " ".join(str(error).split())
        raise ModelFileError(f"[architecture] makes no student: {type(error).__name__}: {cause}") from error
    return config


def build_student(
    architecture: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast, *, seed: int
) -> LlamaForCausalLM:
    """A freshly initialised student."""
    config = configuration(
        architecture,
        vocab_size=len(tokenizer),
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    student = LlamaForCausalLM(config)
    _initialise(student)
    return student


@torch.no_grad()
def _initialise(student: LlamaForCausalLM) -> None:
    """Let each place begin as its word: embeddings of unit size, and layers that add nothing yet.

    With Llama's own small embeddings, the output of the first layer is forty times as large as the word, and the layers
    above can hardly tell which name they have found.
    """
    torch.nn.init.normal_(student.model.embed_tokens.weight)
    torch.nn.init.constant_(student.model.norm.weight, 0.05)
    for block in student.model.layers:
        torch.nn.init.zeros_(block.self_attn.o_proj.weight)
        torch.nn.init.zeros_(block.mlp.down_proj.weight)


@torch.no_grad()
def take_over(student: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Give the student what another one in `folder` has learnt; words that this one did not know stay as they are.

    Raises ModelFileError if the other one has another shape.
    """
    try:
        before, after = (c.to_dict() for c in (LlamaConfig.from_pretrained(folder), student.config))
        if other := sorted(key for key in after.keys() - APART if before.get(key) != after[key]):
            raise ValueError(f"{other[0]} is {before.get(other[0])} there and {after[other[0]]} here")
        theirs = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
        ours = student.state_dict()
        shared = [(place, theirs[word]) for word, place in tokenizer.get_vocab().items() if word in theirs]
        to, found = (torch.tensor(places) for places in zip(*shared, strict=True))
        for name, tensor in load_model(folder).state_dict().items():
            if name in ROWS:
                ours[name][to] = tensor[found].to(ours[name])
            else:
                ours[name].copy_(tensor)
    except ModelFileError:
        raise
    except Exception as error:
        raise ModelFileError(
            f"{folder} has no weights that a student of this [architecture] can start from: "
            f"{type(error).__name__}: {error}"
        ) from error


def hidden_states(
    model: LlamaForCausalLM,
    ids: torch.Tensor,
    parts: torch.Tensor,
    places: torch.Tensor,
    layers: Sequence[int],
) -> list[torch.Tensor]:
    """The states (rows × columns × width) after each of `layers`; and after all, normalised for the output layer.

    `ids`, `parts` and `places` are those of a batch: a position sees what stands before it in its own part and in
    part 0. Otherwise the model's own forward pass, without cache, in a form that compiles whole.
    """
    decoder = model.model
    columns = ids.shape[1]
    state = decoder.embed_tokens.weight.index_select(0, ids.flatten()).unflatten(0, ids.shape)
    rotary = decoder.rotary_emb(state, position_ids=places)
    earlier = torch.ones(columns, columns, dtype=torch.bool, device=ids.device).tril()
    seen = earlier & ((parts[:, None, :] == 0) | (parts[:, None, :] == parts[:, :, None]))
    mask = torch.zeros(seen.shape, dtype=state.dtype, device=ids.device).masked_fill(~seen, -torch.inf)[:, None]
    states = [state]
    for block in decoder.layers:
        states.append(block(states[-1], attention_mask=mask, position_embeddings=rotary, use_cache=False))
    return [*(states[layer] for layer in layers), decoder.norm(states[-1])]
