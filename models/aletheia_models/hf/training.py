"""How a student learns: losses at completions, exercises, hints and previews, and their optimizers."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal as OneOf, Self, get_args

import torch
from torch.nn import functional as F
from transformers import LlamaForCausalLM

from aletheia_models.hf import loop
from aletheia_models.hf.batches import NONE, REASONS, Batch, Place
from aletheia_models.hf.muon import Muon
from aletheia_models.hf.replay import Replay
from aletheia_models.hf.student import hidden_states
from aletheia_plugins import ModelFileError, Progress

__all__ = ["COMPILED", "Recipe", "half", "mean_loss", "train"]


COMPILED = 500_000
"""Tokens from which on compiling, which takes a minute, pays."""
OPTIMIZERS = OneOf["muon", "adamw"]
Gradients = Callable[[Batch], tuple[torch.Tensor, torch.Tensor]]
Reader = Callable[..., list[torch.Tensor]]
"""`hidden_states`, in some arithmetic."""


@dataclass(frozen=True, slots=True)
class Recipe(loop.Schedule):
    """A card's [training] table."""

    start: str = ""
    """Folder of a student of the same shape to start from, seen from the card's file; empty: random weights."""
    optimizer: OPTIMIZERS = "muon"
    beta2: float = 0.98
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

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        recipe = super(Recipe, cls).of(table)
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


class Learner(torch.nn.Module):
    """A student with output layers of its own for hints, which it loses after training. It learns in one process.

    The student's output layer cannot serve: its rows are the embeddings, so that to say "imply" at a name it would
    have to forget which name stands there, which is what the layers above must copy.
    """

    rank, world = 0, 1

    def __init__(self, student: LlamaForCausalLM, recipe: Recipe, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.student, self.recipe = student, recipe
        width, words = student.config.hidden_size, student.config.vocab_size
        self.hints = torch.nn.Linear(width, words, bias=False) if recipe.hint_weight else None
        self.reasons = torch.nn.Linear(width, REASONS * words, bias=False) if recipe.reason_weight else None
        self.to(student.device)
        self.read = _reader(student, recipe)
        self.gradients: Gradients = Replay(self) if student.device.type == "cuda" else self._gradients
        """Computes the losses of a batch and leaves their gradients in the parameters."""

    def losses(self, tables: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """What to minimise, and its part that is the mean loss per completion token, for the tables of a batch.

        Only positions with something to say reach an output layer. Nothing here waits for a GPU.
        """
        recipe, say = self.recipe, self.student.lm_head
        ids, parts, places, *said = tables
        early, late, last = self.read(self.student, ids, parts, places, (recipe.hint_layer, recipe.reason_layer))
        targets, exercises, hints, reasons, previews = zip(said[::2], said[1::2], strict=True)
        loss = mean_loss(say, last, *targets)
        total = loss + recipe.exercise_weight * mean_loss(say, last, *exercises)
        if self.hints:
            total = total + recipe.hint_weight * mean_loss(self.hints, early, *hints, even=True)
        if self.reasons:
            total = total + recipe.reason_weight * mean_loss(self.reasons, late, *reasons)
        if recipe.preview_weight:
            total = total + recipe.preview_weight * mean_loss(say, last, *previews)
        return total, loss

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Muon for the matrices inside the layers, AdamW for embeddings and vectors; or AdamW alone."""
        recipe, layers = self.recipe, self.student.model.layers
        inner = {id(p) for p in layers.parameters() if p.ndim == 2} if recipe.optimizer == "muon" else set()
        matrices = [p for p in self.parameters() if p.ndim >= 2 and id(p) not in inner]
        vectors = [p for p in self.parameters() if p.ndim < 2]
        groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        found: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, recipe.beta2), fused=True)
        ]
        if inner:
            chosen = [p for p in layers.parameters() if id(p) in inner]
            found.append(Muon(chosen, recipe.learning_rate, recipe.weight_decay))
        return found

    def _gradients(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        total, loss = self.losses([torch.from_numpy(table).long() for table in batch.tables()])
        self.zero_grad(set_to_none=True)
        total.backward()
        return total.detach(), loss.detach()


def mean_loss(
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


def train(
    model: LlamaForCausalLM,
    stream: Callable[[Place], Iterator[tuple[Place, Batch]]],
    recipe: Recipe,
    *,
    checkpoint: Path,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """Train `model` in place; see `loop.train`."""
    recipe.fits(model.config.num_hidden_layers)
    loop.keep_memory()
    return loop.train(Learner(model, recipe, seed), stream, recipe, checkpoint=checkpoint, progress=progress)


def _reader(model: LlamaForCausalLM, recipe: Recipe) -> Reader:
    """The model's hidden states, in the arithmetic and the form that this machine is fastest at.

    bfloat16 where there is hardware for its products; plain attention on a CPU, which at these lengths is faster there
    than the fused one, both ways together; compiled, on a CPU, where a training is long enough to pay for it and there
    is a compiler.
    """
    device = model.device.type
    model.set_attn_implementation("eager" if device == "cpu" else "sdpa")
    compiled = device == "cpu" and recipe.tokens >= COMPILED and shutil.which("g++")
    read: Reader = torch.compile(hidden_states, dynamic=True) if compiled else hidden_states

    def reader(model: LlamaForCausalLM, *tables: Any) -> list[torch.Tensor]:
        with torch.autocast(device, torch.bfloat16, enabled=half(device)):
            return [state.float() for state in read(model, *tables)]

    return reader


def half(device: str) -> bool:
    """Whether there is hardware for products of bfloat16 matrices."""
    return device == "cuda" or bool(torch.cpu.get_capabilities().get("amx_bf16", False))
