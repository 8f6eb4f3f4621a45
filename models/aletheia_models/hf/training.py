"""The training loop: losses at completions, exercises, hints and previews; a cosine over a token budget; checkpoints.

A plain PyTorch loop rather than transformers' Trainer: benchmarks/ has the comparison.
"""

import ctypes
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal as OneOf, get_args

import torch
from torch.nn import functional as F
from transformers import LlamaForCausalLM

from aletheia_models.hf.batches import NONE, REASONS, Batch, Place
from aletheia_models.hf.checkpoint import resume, save
from aletheia_models.hf.muon import Muon
from aletheia_models.hf.replay import Replay
from aletheia_models.hf.student import hidden_states
from aletheia_plugins import ModelFileError, Progress

__all__ = ["COMPILED", "Recipe", "half", "keep_memory", "train"]


COMPILED = 500_000
"""Tokens from which on compiling, which takes a minute, pays."""
OPTIMIZERS = OneOf["muon", "adamw"]
GIVEN: Mapping[Any, tuple[Any, str]] = {
    int: (int, "a whole number"), float: (int | float, "a number"), str: (str, "a text"),
}  # fmt: skip
"""What a card may give for an option of that type, and what that is called."""
Gradients = Callable[[Batch], tuple[torch.Tensor, torch.Tensor]]
Reader = Callable[..., list[torch.Tensor]]
"""`hidden_states`, in some arithmetic."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A card's [training] table."""

    tokens: int
    """Tokens to train on, prompts included, padding not; examples are repeated or cut off to reach it."""
    start: str = ""
    """Folder of a student of the same shape to start from, seen from the card's file; empty: random weights."""
    tokens_per_batch: int = 8192
    optimizer: OPTIMIZERS = "muon"
    learning_rate: float = 3e-3
    warmup: float = 0.02
    """Share of `tokens` over which the learning rate rises; it then falls to a hundredth along a cosine."""
    weight_decay: float = 0.01
    beta2: float = 0.98
    clip: float = 1.0
    exercise_weight: float = 0.5
    """Weight of the mean loss on exercises beside that on completions."""
    hint_weight: float = 0.0
    """The same for the kinds of hints."""
    reason_weight: float = 0.0
    """The same for what the hints rest on."""
    preview_weight: float = 0.0
    """The same for previews."""
    hint_layer: int = 1
    """Layers after which the kinds must be known: the layers above can then use them."""
    reason_layer: int = 1
    """The same for what the hints rest on."""
    checkpoint_seconds: float = 120.0

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "Recipe":
        known = {f.name for f in fields(cls)}
        if unknown := set(table) - known:
            raise ModelFileError(f"[training] has no option {min(unknown)!r}; it takes {', '.join(sorted(known))}.")
        if "tokens" not in table:
            raise ModelFileError("[training] needs tokens, the number of tokens to train on.")
        for field in fields(cls):
            if field.name in table and field.type in GIVEN:
                value, (kind, called) = table[field.name], GIVEN[field.type]
                if not isinstance(value, kind) or isinstance(value, bool):
                    raise ModelFileError(f"[training] {field.name} is {value!r}, expected {called}.")
                if kind is not str and (expected := _out_of_range(field.name, value)):
                    raise ModelFileError(f"[training] {field.name} is {value!r}, expected {expected}.")
        recipe = cls(**table)
        if recipe.optimizer not in get_args(OPTIMIZERS):
            raise ModelFileError(
                f"[training] optimizer is {recipe.optimizer!r}, expected {' or '.join(get_args(OPTIMIZERS))}."
            )
        return recipe

    def fits(self, layers: int) -> None:
        """Raises ModelFileError if something is due after a layer that a student of so many does not have."""
        for option in ("hint_layer", "reason_layer"):
            if getattr(self, option) > layers:
                raise ModelFileError(
                    f"[training] {option} is {getattr(self, option)}; the student has {layers} layers."
                )

    def rate(self, tokens: int) -> float:
        """The learning rate after so many tokens."""
        done = tokens / self.tokens
        rise = min(1.0, done / self.warmup) if self.warmup else 1.0
        return self.learning_rate * rise * (0.01 + 0.99 * (1 + math.cos(math.pi * min(done, 1.0))) / 2)


def _out_of_range(name: str, value: float) -> str | None:
    """What is expected of a number instead, if it is out of range."""
    if name in ("tokens", "tokens_per_batch", "learning_rate", "clip"):
        return None if 0 < value < math.inf else "a positive number"
    if name in ("warmup", "beta2"):
        return None if 0 <= value < 1 else "a number from 0 to less than 1"
    return None if 0 <= value < math.inf else "0 or a positive number"


class Learner(torch.nn.Module):
    """A student with output layers of its own for hints, which it loses after training.

    The student's output layer cannot serve: its rows are the embeddings, so that to say "imply" at a name it would
    have to forget which name stands there, which is what the layers above must copy.
    """

    def __init__(self, student: LlamaForCausalLM, recipe: Recipe, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.student, self.recipe = student, recipe
        width, words = student.config.hidden_size, student.config.vocab_size
        self.hints = torch.nn.Linear(width, words, bias=False) if recipe.hint_weight else None
        self.reasons = torch.nn.Linear(width, REASONS * words, bias=False) if recipe.reason_weight else None
        self.to(student.device)
        self.read = _reader(student, recipe)

    def losses(self, tables: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """What to minimise, and its part that is the mean loss per completion token, for the tables of a batch.

        Only positions with something to say reach an output layer. Nothing here waits for a GPU.
        """
        recipe, say = self.recipe, self.student.lm_head
        ids, parts, places, *said = tables
        early, late, last = self.read(self.student, ids, parts, places, (recipe.hint_layer, recipe.reason_layer))
        targets, exercises, hints, reasons, previews = zip(said[::2], said[1::2], strict=True)
        loss = _loss(say, last, *targets)
        total = loss + recipe.exercise_weight * _loss(say, last, *exercises)
        if self.hints:
            total = total + recipe.hint_weight * _loss(self.hints, early, *hints, even=True)
        if self.reasons:
            total = total + recipe.reason_weight * _loss(self.reasons, late, *reasons)
        if recipe.preview_weight:
            total = total + recipe.preview_weight * _loss(say, last, *previews)
        return total, loss


def _loss(
    say: torch.nn.Module, states: torch.Tensor, at: torch.Tensor, words: torch.Tensor, *, even: bool = False
) -> torch.Tensor:
    """The mean cross-entropy of the words, 0 if there are none.

    `even`: each word counts with the root of its number: conflicts are rare, and all that matters.
    """
    words = words.flatten()
    if not len(words):
        return states.new_zeros(())
    said = words != NONE
    logits = say(states.flatten(0, 1).index_select(0, at)).reshape(len(words), -1)
    weights = said.to(logits.dtype)
    if even:
        numbers = logits.new_zeros(logits.shape[-1]).index_add(0, words.clamp(min=0), weights)
        weights = weights * numbers.clamp(min=1).rsqrt()[words.clamp(min=0)]
    each = F.cross_entropy(logits, words, reduction="none", ignore_index=NONE)
    return (weights * each).sum() / weights.sum().clamp(min=1e-9)


@dataclass(slots=True)
class _Progress:
    steps: int = 0
    tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    loss: float = 0.0
    """Moving average over about 100 steps, nats per completion token."""
    page: int = 0
    taken: int = 0
    """Batches of that page that were taken."""


def train(
    model: LlamaForCausalLM,
    stream: Callable[[Place], Iterator[tuple[Place, Batch]]],
    recipe: Recipe,
    *,
    checkpoint: Path,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """Train `model` in place until the token budget is spent; go on from `checkpoint` if that folder exists.

    `stream` gives the batches from some place on, without end, each with the place behind it.
    """
    recipe.fits(model.config.num_hidden_layers)
    keep_memory()
    learner = Learner(model, recipe, seed)
    optimizers, gradients = _optimizers(learner), _gradients(learner)
    state = _Progress(**resume(checkpoint, learner, optimizers))
    saved = time.monotonic()
    began = saved - state.seconds
    found = stream((state.page, state.taken))
    model.train()
    while state.tokens < recipe.tokens:
        (state.page, state.taken), batch = next(found)
        loss = _step(learner, gradients, optimizers, batch, recipe.rate(state.tokens))
        state.steps += 1
        state.tokens += batch.tokens
        state.completion_tokens += len(batch.targets.at)
        state.loss += (loss - state.loss) / min(state.steps, 100)
        state.seconds = time.monotonic() - began
        progress(min(state.tokens, recipe.tokens), recipe.tokens, loss=state.loss, rate=state.tokens / state.seconds)
        if time.monotonic() - saved > recipe.checkpoint_seconds:
            save(checkpoint, learner, optimizers, asdict(state))
            saved = time.monotonic()
    model.eval()
    return {name: figure for name, figure in asdict(state).items() if name not in ("page", "taken")}


def _optimizers(learner: Learner) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings and vectors; or AdamW alone."""
    recipe, layers = learner.recipe, learner.student.model.layers
    inner = {id(p) for p in layers.parameters() if p.ndim == 2} if recipe.optimizer == "muon" else set()
    matrices = [p for p in learner.parameters() if p.ndim >= 2 and id(p) not in inner]
    vectors = [p for p in learner.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    found: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, recipe.beta2), fused=True)
    ]
    if inner:
        chosen = [p for p in layers.parameters() if id(p) in inner]
        found.append(Muon(chosen, recipe.learning_rate, recipe.weight_decay))
    return found


def _reader(model: LlamaForCausalLM, recipe: Recipe) -> Reader:
    """The model's hidden states, in the arithmetic and the form that this machine is fastest at.

    bfloat16 where there is hardware for its products; plain attention, which at these lengths is faster than the fused
    one, both ways together; compiled, on a CPU, where a training is long enough to pay for it and there is a compiler.
    """
    device = model.device.type
    model.set_attn_implementation("eager")
    compiled = device == "cpu" and recipe.tokens >= COMPILED and shutil.which("g++")
    read: Reader = torch.compile(hidden_states, dynamic=True) if compiled else hidden_states

    def reader(model: LlamaForCausalLM, *tables: Any) -> list[torch.Tensor]:
        with torch.autocast(device, torch.bfloat16, enabled=half(device)):
            return [state.float() for state in read(model, *tables)]

    return reader


def half(device: str) -> bool:
    """Whether there is hardware for products of bfloat16 matrices."""
    return device == "cuda" or bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def _step(
    learner: Learner, gradients: Gradients, optimizers: Sequence[torch.optim.Optimizer], batch: Batch, rate: float
) -> float:
    """One update; returns the mean loss per completion token."""
    total, loss = gradients(batch)
    torch.nn.utils.clip_grad_norm_([p for p in learner.parameters() if p.grad is not None], learner.recipe.clip)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
    if not torch.isfinite(total):  # looked at last: a GPU would wait here
        raise ModelFileError("The loss is no longer finite: lower learning_rate in the card's [training].")
    return loss.item()


def _gradients(learner: Learner) -> Gradients:
    """Computes the losses of a batch and leaves their gradients in the parameters."""
    if learner.student.device.type == "cuda":
        return Replay(learner)

    def compute(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        tables = [torch.from_numpy(table).long() for table in batch.tables()]
        total, loss = learner.losses(tables)
        learner.zero_grad(set_to_none=True)
        total.backward()
        return total.detach(), loss.detach()

    return compute


def keep_memory() -> None:
    """Ask glibc to keep freed memory: else it returns large blocks to the kernel at every step and faults them in anew.

    See mallopt(3): M_TRIM_THRESHOLD -1, M_TOP_PAD -2, M_MMAP_THRESHOLD -3.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            for option in (-1, -2, -3):
                libc.mallopt(option, 1 << 30)
