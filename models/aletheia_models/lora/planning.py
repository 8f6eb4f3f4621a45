"""What a training would take, found out without weights: on PyTorch's meta device, tensors are shapes alone."""

import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from weakref import WeakSet, finalize

import psutil
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForCausalLM

from aletheia_models.hf.batches import EVEN, up
from aletheia_models.lora.training import Adapter, Losses, Recipe, adapted
from aletheia_models.packages import QUANTIZER
from aletheia_plugins import ModelFileError

__all__ = ["Needs", "blank", "estimate", "memory", "needs", "plan"]

NF4 = 0.5 + 0.127 / 8
"""Bytes of a number in 4 bits with doubly quantized constants (arXiv 2305.14314, section 3)."""
REACHED = 0.4
"""The share of a machine's fastest products that a training reaches, about."""
A100 = (80e9, 312e12)
"""Bytes of memory, and operations a second in bfloat16, of NVIDIA's A100 80GB."""
Q4_K_M = 4.85 / 8
"""Bytes of a number in llama.cpp's q4_k_m, about."""
CONTAINER = Path("/sys/fs/cgroup/memory.max")
"""Where Linux says how many bytes a container may have."""
KERNELS = 60e6
"""Bytes of libraries that are read when they compute, as measured with several models."""
PIECES = re.compile(r"[A-Za-z]+|\d|[^\w\s]+|\n")
"""What a tokenizer of a pretrained model spends a token on, about: digits one by one."""
MONTH = 720
"""Hours. Nobody waits longer."""
PRECISIONS = {torch.float32: ("f32", "nf4+f32"), torch.bfloat16: ("bf16", "nf4+bf16")}
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
    training: dict[str, float] = {}
    inference: dict[str, float] = {}
    for dtype, names in PRECISIONS.items():
        student = adapted(blank(architecture, dtype), plain, recipe, seed=0)
        losses = Losses(student).train()
        trained = [p for p in student.parameters() if p.requires_grad]
        states = sum(2 * p.numel() * p.element_size() for p in trained)  # the optimizer's moments
        kept = _peak(losses, _batch(recipe, length, targets))
        cache = batch_size * recipe.length * _cache(losses.model.config, dtype)
        for name in names if adapter.rank else names[:1]:
            if adapter.rank or dtype is torch.float32:  # small steps of all weights are lost in bfloat16
                training[name] = _weights(losses.model, name) + states + kept
            inference[name] = _weights(losses.model, name) + cache
    operations = _operations(losses, _batch(recipe, length, targets))
    everything = sum(p.numel() for p in student.parameters())
    return Needs(everything, sum(p.numel() for p in trained), training, inference, operations)


def _weights(model: Any, precision: str) -> float:
    """Bytes of the parameters; in 4 bits are those of linear layers but the output layer, and others then in f32."""
    total, output, four = 0.0, model.get_output_embeddings(), precision.startswith("nf4")
    small = {
        id(module.weight)
        for module in model.modules()
        if four and isinstance(module, torch.nn.Linear) and module is not output
    }
    for parameter in model.parameters():
        frozen = id(parameter) in small and not parameter.requires_grad
        full = 4 if four else parameter.element_size()
        total += parameter.numel() * (NF4 if frozen else full)
    return total


def _batch(recipe: Recipe, length: int, targets: float) -> list[torch.Tensor]:
    """The tables of a batch, without what is in them."""
    columns = up(min(length, recipe.length), EVEN)
    rows = max(1, recipe.tokens_per_batch // columns)
    said = max(1, round(rows * columns * targets))
    with torch.device("meta"):
        shape = (rows, columns)
        return [torch.zeros(size, dtype=torch.long) for size in (shape, shape, shape, (said,), (said, 1))]


def _operations(losses: Losses, tables: list[torch.Tensor]) -> float:
    """Operations of an update, for each token."""
    with FlopCounterMode(display=False) as counter:
        losses(tables).backward()
    losses.zero_grad(set_to_none=True)
    return float(counter.get_total_flops()) / tables[0].numel()


def _peak(losses: Losses, tables: list[torch.Tensor]) -> float:
    """The most bytes that an update holds besides weights and moments."""
    with _Peak(losses) as held:
        losses(tables).backward()
    losses.zero_grad(set_to_none=True)
    return float(held.peak)


class _Peak(TorchDispatchMode):
    """Counts the bytes of all tensors that come to be while it is entered, for as long as they last."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now, self.peak = 0, 0
        self.known: WeakSet[Any] = WeakSet(parameter.untyped_storage() for parameter in module.parameters())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return tree_map_only(torch.Tensor, self._see, func(*args, **(kwargs or {})))

    def _see(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage not in self.known:
            self.known.add(storage)
            self._change(storage.nbytes())
            finalize(storage, self._change, -storage.nbytes())
        return tensor

    def _change(self, size: int) -> None:
        self.now += size
        self.peak = max(self.peak, self.now)


def _cache(config: Any, dtype: torch.dtype) -> float:
    """Bytes of keys and values for each token of a context."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return float(2 * config.num_hidden_layers * heads * width * dtype.itemsize)


def estimate(text: str) -> int:
    """Tokens of a text, where there is no tokenizer to ask."""
    return len(PIECES.findall(text))


def plan(
    architecture: Any, adapter: Adapter, recipe: Recipe, lengths: Sequence[tuple[float, int, int]], *, batch_size: int
) -> Mapping[str, str]:
    """What to know before a training, for people. `lengths`: of some examples, how many of the corpus each stands
    for, its tokens, and those of its completion.
    """
    examples = sum(share for share, _, _ in lengths)
    tokens = sum(share * length for share, length, _ in lengths)
    mean = tokens / examples
    learnt = sum(share * said for share, _, said in lengths) / tokens
    longest = max(length for _, length, _ in lengths)
    found = needs(architecture, adapter, recipe, length=longest, targets=learnt, batch_size=batch_size)
    budget = recipe.over(tokens).tokens
    work = found.operations * budget
    rows = {
        "parameters": f"{found.parameters:,}, of which {found.trainable:,} are trained",
        "examples": f"{examples:,.0f} of {mean:.0f} tokens, {longest} at most in a sample; {learnt:.0%} learnt",
        "an epoch": f"{tokens:,.0f} tokens",
        "training": f"{budget:,} tokens, {budget / tokens:.1f} epochs; {work:.2g} operations",
        "memory to train": _sizes(found.training),
        "memory to run": f"{_sizes(found.inference)}, {batch_size} side by side",
        "this machine": _verdict(found, work, *_machine(adapter)),
        "an 80 GB GPU": _verdict(found, work, *A100, _on_gpu(adapter)),
    }
    if longest > recipe.length:
        rows["too long"] = (
            f"an example has {longest} tokens, and [training] length is {recipe.length}: it is left out, or raise that"
        )
    return rows


def _sizes(sizes: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {size / 1e9:.1f} GB" for name, size in sizes.items())


def _verdict(found: Needs, work: float, room: float, peak: float, precisions: Sequence[str]) -> str:
    """What fits into so many bytes, and how long it takes at so many operations a second."""
    told = f"{room / 1e9:.0f} GB, {peak / 1e9:,.0f} GFLOP/s: "
    fits = [name for name in precisions if found.training.get(name, room) < room]
    hours = float(f"{work / (REACHED * peak) / 3600:.2g}")
    if fits and hours > MONTH:
        told += f"training ({', '.join(fits)}) would take {hours:,g} hours: out of reach"
    elif fits:
        told += f"training fits ({', '.join(fits)}), {hours:,g} hours"
    else:
        told += "training does not fit"
    merged = [name for name in precisions if not name.startswith("nf4")]
    runs = [name for name in merged if found.inference.get(name, room) < room]
    small = found.parameters * Q4_K_M
    if runs:
        return f"{told}; evaluation fits ({', '.join(runs)})"
    return told + (f"; evaluation fits as GGUF ({small / 1e9:.1f} GB in q4_k_m)" if small < room else "; nothing fits")


def _on_gpu(adapter: Adapter) -> Sequence[str]:
    return PRECISIONS[torch.bfloat16] if adapter.rank else ("f32", "bf16")


def _machine(adapter: Adapter) -> tuple[float, float, Sequence[str]]:
    """Free bytes of the GPU, or those that this process may have; operations a second, measured; and precisions."""
    here = 2 if find_spec(QUANTIZER) else 1
    if torch.cuda.is_available():
        return (
            float(torch.cuda.mem_get_info()[0]),
            _speed(torch.bfloat16, "cuda", 8192),
            _on_gpu(adapter)[: here if adapter.rank else 2],
        )
    total, held = memory()
    return total - held, _speed(torch.float32, "cpu", 1024), PRECISIONS[torch.float32][:here]


def _speed(dtype: torch.dtype, device: str, size: int) -> float:
    """Operations a second in products of square matrices, for half a second."""
    one = torch.randn(size, size, device=device, dtype=dtype)
    float((one @ one)[0, 0])
    began, done = time.perf_counter(), 0
    while (seconds := time.perf_counter() - began) < 0.5:
        float((one @ one)[0, 0])  # waits for it
        done += 1
    return 2.0 * size**3 * done / seconds


def memory() -> tuple[float, float]:
    """Bytes that this machine has, and that this process holds for its libraries once it has computed something."""
    total = float(psutil.virtual_memory().total)
    with suppress(OSError, ValueError):  # there may be no limit, or no such file
        total = min(total, float(CONTAINER.read_text(encoding="utf-8")))
    return total, psutil.Process(os.getpid()).memory_info().rss + KERNELS
