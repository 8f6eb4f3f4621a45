"""The training loop: AdamW, cosine schedule over a token budget, loss on completions only, resumable checkpoints.

A plain PyTorch loop rather than transformers' Trainer: benchmarks/ has the comparison.
"""

import ctypes
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from aletheia_models.hf.batches import Batch, batches
from aletheia_plugins import Example, ModelFileError, Progress

__all__ = ["Recipe", "keep_memory", "train"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A card's [training] table."""

    tokens: int
    """Tokens to train on, prompts included, padding not; examples are repeated or cut off to reach it."""
    tokens_per_batch: int = 8192
    learning_rate: float = 3e-3
    warmup: float = 0.02
    """Share of `tokens` over which the learning rate rises; it then falls to a hundredth along a cosine."""
    weight_decay: float = 0.01
    beta2: float = 0.98
    clip: float = 1.0
    hint_weight: float = 0.0
    """Weight of the mean loss on hints beside that on completions."""
    hint_layer: int = 1
    """Layers after which the hints must be known: the layers above can then use them."""
    checkpoint_seconds: float = 120.0

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "Recipe":
        known = {f.name for f in fields(cls)}
        if unknown := set(table) - known:
            raise ModelFileError(f"[training] has no option {min(unknown)!r}; it takes {', '.join(sorted(known))}.")
        if "tokens" not in table:
            raise ModelFileError("[training] needs tokens, the number of tokens to train on.")
        return cls(**table)

    def rate(self, tokens: int) -> float:
        """The learning rate after so many tokens."""
        done = tokens / self.tokens
        rise = min(1.0, done / self.warmup) if self.warmup else 1.0
        return self.learning_rate * rise * (0.01 + 0.99 * (1 + math.cos(math.pi * min(done, 1.0))) / 2)


@dataclass(slots=True)
class _Progress:
    steps: int = 0
    tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    loss: float = 0.0
    """Moving average over about 100 steps, nats per completion token."""


def train(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    examples: Callable[[], Iterable[Example]],
    recipe: Recipe,
    *,
    checkpoint: Path,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """Train `model` in place until the token budget is spent; go on from `checkpoint` if that folder exists."""
    if not 0 <= recipe.hint_layer <= model.config.num_hidden_layers:
        raise ModelFileError(
            f"[training] hint_layer is {recipe.hint_layer}; the student has {model.config.num_hidden_layers} layers."
        )
    keep_memory()
    optimizer = _optimizer(model, recipe)
    state = _resume(checkpoint, model, optimizer)
    began = saved = time.monotonic() - state.seconds
    saved = time.monotonic()
    model.train()
    for batch in islice(_endless(model, tokenizer, examples, recipe, seed), state.steps, None):
        if state.tokens >= recipe.tokens:
            break
        loss = _step(model, optimizer, batch, recipe, recipe.rate(state.tokens))
        state.steps += 1
        state.tokens += batch.tokens
        state.completion_tokens += int((batch.targets >= 0).sum())
        state.loss += (loss - state.loss) / min(state.steps, 100)
        state.seconds = time.monotonic() - began
        progress(min(state.tokens, recipe.tokens), recipe.tokens, loss=state.loss, rate=state.tokens / state.seconds)
        if time.monotonic() - saved > recipe.checkpoint_seconds:
            _save(checkpoint, model, optimizer, state)
            saved = time.monotonic()
    model.eval()
    return asdict(state)


def _endless(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    examples: Callable[[], Iterable[Example]],
    recipe: Recipe,
    seed: int,
) -> Iterator[Batch]:
    """Pass after pass over the examples, each in another order."""
    length = model.config.max_position_embeddings
    return chain.from_iterable(
        batches(examples(), tokenizer, tokens_per_batch=recipe.tokens_per_batch, max_length=length, seed=seed + turn)
        for turn in count()
    )


def _optimizer(model: LlamaForCausalLM, recipe: Recipe) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, recipe.beta2))


def _step(model: LlamaForCausalLM, optimizer: torch.optim.AdamW, batch: Batch, recipe: Recipe, rate: float) -> float:
    """One update; returns the mean loss per completion token. Only positions with a target reach the output layer."""
    device = model.device
    ids, targets = batch.ids.to(device), batch.targets.to(device)
    hinted = bool(recipe.hint_weight and (batch.hints >= 0).any())
    out = model.model(input_ids=ids, use_cache=False, output_hidden_states=hinted)
    loss = F.cross_entropy(model.lm_head(out.last_hidden_state[targets >= 0]), targets[targets >= 0])
    total = loss
    if hinted:
        hints = batch.hints.to(device)
        early = model.model.norm(out.hidden_states[recipe.hint_layer][hints >= 0])
        total = loss + recipe.hint_weight * _hint_loss(model.lm_head(early), hints[hints >= 0])
    if not torch.isfinite(total):
        raise ModelFileError("The loss is no longer finite: lower learning_rate in the card's [training].")
    optimizer.zero_grad(set_to_none=True)
    total.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return loss.item()


def _hint_loss(logits: torch.Tensor, hints: torch.Tensor) -> torch.Tensor:
    """Each kind of hint counts with the root of its number: conflicts are rare, and all that matters."""
    weights = torch.bincount(hints, minlength=logits.shape[-1]).clamp(min=1).to(logits.dtype).rsqrt()
    return F.cross_entropy(logits, hints, weight=weights)


def _save(folder: Path, model: LlamaForCausalLM, optimizer: torch.optim.AdamW, state: _Progress) -> None:
    """Write a checkpoint beside the old one, then put it in its place: a crash leaves one that is whole."""
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    tensors = {f"model.{name}": tensor.detach().contiguous() for name, tensor in model.named_parameters()}
    names = {id(p): name for name, p in model.named_parameters()}
    for parameter, moments in optimizer.state.items():
        for key, value in moments.items():
            tensors[f"{key}.{names[id(parameter)]}"] = value.contiguous()
    save_file(tensors, new / "state.safetensors")
    (new / "config.json").write_text(model.config.to_json_string())
    (new / "progress.json").write_text(json.dumps(asdict(state)))
    with (new / "state.safetensors").open("rb+") as file:
        os.fsync(file.fileno())
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def _resume(folder: Path, model: LlamaForCausalLM, optimizer: torch.optim.AdamW) -> _Progress:
    source = next((f for f in (folder, folder.with_name(folder.name + ".new")) if (f / "progress.json").exists()), None)
    if source is None:
        return _Progress()
    if (source / "config.json").read_text() != model.config.to_json_string():
        raise ModelFileError(
            f"The checkpoint in {source} belongs to another student: train into another folder, or delete it."
        )
    tensors = load_file(source / "state.safetensors")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"model.{name}"])
            moments = {key: tensors[f"{key}.{name}"].to(parameter.device) for key in ("exp_avg", "exp_avg_sq")}
            optimizer.state[parameter] = {"step": tensors[f"step.{name}"], **moments}
    return _Progress(**json.loads((source / "progress.json").read_text()))


def keep_memory() -> None:
    """Ask glibc to keep freed memory: else it returns large blocks to the kernel at every step and faults them in anew.

    See mallopt(3): M_TRIM_THRESHOLD -1, M_TOP_PAD -2, M_MMAP_THRESHOLD -3.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            for option in (-1, -2, -3):
                libc.mallopt(option, 1 << 30)
