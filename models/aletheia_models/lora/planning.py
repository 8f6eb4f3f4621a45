"""What a training would take, found out without weights: on PyTorch's meta device, tensors are shapes alone."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psutil
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForCausalLM

from aletheia_models.hf.batches import EVEN, up
from aletheia_models.lora.training import Adapter, Losses, Recipe, adapted
from aletheia_plugins import ModelFileError

__all__ = ["GPU", "Needs", "blank", "memory", "needs", "speed"]

NF4 = 0.5 + 0.127 / 8
"""Bytes of a number in 4 bits with doubly quantized constants (arXiv 2305.14314, section 3)."""
GPU = ("an 80 GB GPU", 80e9, 0.4 * 312e12)
"""Its memory in bytes, and operations a second: an A100's peak in bfloat16, of which a training reaches about 40 %."""
PRECISIONS = {torch.float32: ("f32",), torch.bfloat16: ("bf16", "nf4")}
"""In what is computed, and in what the base may be held then."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Bytes and operations of a training; `training` and `inference` by the precision of the base."""

    parameters: int
    trainable: int
    training: Mapping[str, float]
    inference: Mapping[str, float]
    operations: float
    """For each token that is trained on."""


def blank(architecture: Any, dtype: torch.dtype = torch.float32) -> Any:
    """A model without weights, of a card's [architecture] or a configuration. Raises ModelFileError."""
    try:
        config = architecture
        if isinstance(architecture, Mapping):
            config = AutoConfig.for_model(**architecture)
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config, dtype=dtype)
    except Exception as error:
        raise ModelFileError(f"[architecture] makes no model: {type(error).__name__}: {error}") from error


def needs(
    architecture: Any, adapter: Adapter, recipe: Recipe, *, length: int, targets: float, batch_size: int
) -> Needs:
    """What a training on examples of `length` tokens needs, of which the share `targets` is to be learnt.

    `batch_size`: requests that are written side by side, each in a context of recipe.length tokens.
    """
    plain = replace(adapter, bits=16)
    training, inference, operations = {}, {}, 0.0
    for dtype, names in PRECISIONS.items():
        student = adapted(blank(architecture, dtype), plain, recipe, seed=0)
        losses = Losses(student).train()
        trained = [p for p in student.parameters() if p.requires_grad]
        states = sum(3 * p.numel() * p.element_size() for p in trained)  # gradients, and two moments
        kept, operations = _step(losses, recipe, length, targets)
        for name in names:
            held = _weights(losses.model, name)
            training[name] = held + states + kept
            inference[name] = held + batch_size * recipe.length * _cache(losses.model.config, dtype)
    everything = sum(p.numel() for p in student.parameters())
    return Needs(everything, sum(p.numel() for p in trained), training, inference, operations)


def _weights(model: Any, precision: str) -> float:
    """Bytes of the parameters; in 4 bits are those of linear layers but the output layer."""
    total, output = 0.0, model.get_output_embeddings()
    small = {
        id(module.weight)
        for module in model.modules()
        if precision == "nf4" and isinstance(module, torch.nn.Linear) and module is not output
    }
    for parameter in model.parameters():
        frozen = id(parameter) in small and not parameter.requires_grad
        total += parameter.numel() * (NF4 if frozen else parameter.element_size())
    return total


def _step(losses: Losses, recipe: Recipe, length: int, targets: float) -> tuple[float, float]:
    """Bytes that one update keeps besides weights and optimizer, and operations for each token."""
    columns = up(min(length, recipe.length), EVEN)
    rows = max(1, recipe.tokens_per_batch // columns)
    said = max(1, round(rows * columns * targets))
    with torch.device("meta"):
        shape = (rows, columns)
        tables = [torch.zeros(size, dtype=torch.long) for size in (shape, shape, shape, (said,), (said, 1))]
    with FlopCounterMode(display=False) as counter, _saved(losses) as kept:
        losses(tables).backward()
    words = losses.model.config.vocab_size
    logits = 2 * said * words * 4  # what flows back through the output layer, in f32
    return sum(kept.values()) + logits, counter.get_total_flops() / (rows * columns)


@contextmanager
def _saved(losses: Losses) -> Iterator[dict[int, int]]:
    """The bytes of each tensor that is kept for the way back, but for parameters."""
    kept: dict[int, int] = {}
    alive: list[Any] = []  # else the address of one that is gone could be another's

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            alive.append(storage)
            kept[storage._cdata] = storage.nbytes()
        return tensor

    own = {p.untyped_storage()._cdata for p in losses.parameters()}
    with saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


def _cache(config: Any, dtype: torch.dtype) -> float:
    """Bytes of keys and values for each token of a context."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return float(2 * config.num_hidden_layers * heads * width * dtype.itemsize)


def speed() -> float:
    """Operations a second of this machine in f32, measured for half a second."""
    one = torch.randn(1024, 1024)
    one @ one
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < 0.5:
        one @ one
        done += 1
    return 2 * 1024.0**3 * done / (time.perf_counter() - began)


def memory() -> tuple[float, float]:
    """Bytes that this machine has, and that this process, with its libraries, already holds."""
    return float(psutil.virtual_memory().total), float(psutil.Process(os.getpid()).memory_info().rss)
