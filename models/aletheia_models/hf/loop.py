"""The training loop: a cosine over a token budget, checkpoints, several processes. Knows batches, no losses.

A plain PyTorch loop rather than transformers' Trainer: benchmarks/ has the comparison.
"""

import ctypes
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from transformers import PreTrainedModel

from aletheia_models.hf.batches import Batch, Place
from aletheia_models.hf.checkpoint import resume, save
from aletheia_plugins import ModelFileError, Progress

__all__ = ["Learner", "Schedule", "keep_memory", "options", "return_memory", "train"]

GIVEN: Mapping[Any, tuple[Any, str]] = {
    int: (int, "a whole number"), float: (int | float, "a number"), str: (str, "a text"), bool: (bool, "true or false"),
}  # fmt: skip
"""What a card may give for an option of that type, and what that is called."""
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
"""Options of mallopt(3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What every recipe says in a card's [training]."""

    tokens: int
    """Tokens to train on, prompts included, padding not; examples are repeated or cut off to reach it."""
    tokens_per_batch: int = 8192
    learning_rate: float = 3e-3
    warmup: float = 0.02
    """Share of `tokens` over which the learning rate rises; it then falls to a hundredth along a cosine."""
    weight_decay: float = 0.01
    clip: float = 1.0
    checkpoint_seconds: float = 120.0

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """The recipe in this table. Raises ModelFileError."""
        if "tokens" not in table:
            raise ModelFileError("[training] needs tokens, the number of tokens to train on.")
        return cls(**options(cls, table, "training"))

    def rate(self, tokens: int) -> float:
        """The learning rate after so many tokens."""
        done = tokens / self.tokens
        rise = min(1.0, done / self.warmup) if self.warmup else 1.0
        return self.learning_rate * rise * (0.01 + 0.99 * (1 + math.cos(math.pi * min(done, 1.0))) / 2)


class Learner(Protocol):
    """What is trained: a student, and what else has parameters. `rank` of `world` processes that learn together."""

    @property
    def student(self) -> PreTrainedModel: ...

    rank: int
    world: int

    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]: ...

    def optimizers(self) -> Sequence[torch.optim.Optimizer]: ...

    def gradients(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Leave gradients in the parameters; what was minimised, and the mean loss per completion token."""
        ...


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


def options(kind: Any, table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The table, if its entries are fields of the dataclass `kind`, and in range. Raises ModelFileError."""
    known = {field.name: field.type for field in fields(kind)}
    if unknown := set(table) - known.keys():
        raise ModelFileError(f"[{name}] has no option {min(unknown)!r}; it takes {', '.join(sorted(known))}.")
    for option, value in table.items():
        if known[option] not in GIVEN:
            continue
        accepted, called = GIVEN[known[option]]
        if not isinstance(value, accepted) or isinstance(value, bool) > (known[option] is bool):
            raise ModelFileError(f"[{name}] {option} is {value!r}, expected {called}.")
        if isinstance(value, int | float) and (expected := _out_of_range(option, value)):
            raise ModelFileError(f"[{name}] {option} is {value!r}, expected {expected}.")
    return table


def _out_of_range(name: str, value: float) -> str | None:
    """What is expected of a number instead, if it is out of range."""
    if name in ("tokens", "epochs", "tokens_per_batch", "learning_rate", "clip", "alpha", "length"):
        return None if 0 < value < math.inf else "a positive number"
    if name in ("warmup", "beta2", "dropout"):
        return None if 0 <= value < 1 else "a number from 0 to less than 1"
    return None if 0 <= value < math.inf else "0 or a positive number"


def train(
    learner: Learner,
    stream: Callable[[Place], Iterator[tuple[Place, Batch]]],
    schedule: Schedule,
    *,
    checkpoint: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Train until the token budget is spent; go on from `checkpoint` if that folder exists.

    `stream` gives the batches from some place on, without end, each with the place behind it. Of several processes,
    each takes one of every step's batches.
    """
    optimizers = learner.optimizers()
    state = _Progress(**resume(checkpoint, learner, optimizers, {field.name for field in fields(_Progress)}))
    saved, kept = time.monotonic(), state.steps
    began = saved - state.seconds
    found = stream((state.page, state.taken))
    learner.student.train()
    while state.tokens < schedule.tokens:
        group = list(islice(found, learner.world))
        (state.page, state.taken), _ = group[-1]
        loss = _step(learner, optimizers, group[learner.rank][1], schedule, state.tokens)
        state.steps += 1
        for _, batch in group:
            state.tokens += batch.tokens
            state.completion_tokens += len(batch.targets.at)
        state.loss += (loss - state.loss) / min(state.steps, 100)
        state.seconds = time.monotonic() - began
        progress(
            min(state.tokens, schedule.tokens), schedule.tokens, loss=state.loss, rate=state.tokens / state.seconds
        )
        if _agreed(learner, time.monotonic() - saved > schedule.checkpoint_seconds):
            save(checkpoint, learner, optimizers, asdict(state))
            saved, kept = time.monotonic(), state.steps
    if state.steps > kept:  # called again, perhaps with more tokens, it goes on from here
        save(checkpoint, learner, optimizers, asdict(state))
    learner.student.eval()
    return {name: figure for name, figure in asdict(state).items() if name not in ("page", "taken")}


def _step(
    learner: Learner, optimizers: Sequence[torch.optim.Optimizer], batch: Batch, schedule: Schedule, tokens: int
) -> float:
    """One update; returns the mean loss per completion token."""
    total, loss = learner.gradients(batch)
    torch.nn.utils.clip_grad_norm_([p for _, p in learner.named_parameters() if p.grad is not None], schedule.clip)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(tokens)
        optimizer.step()
    if not torch.isfinite(total):  # looked at last: a GPU would wait here
        raise ModelFileError("The loss is no longer finite: lower [training] learning_rate, and use another folder.")
    return loss.item()


def _agreed(learner: Learner, due: bool) -> bool:
    """Whether the first process thinks so: clocks differ, and all must do the same."""
    if learner.world == 1:
        return due
    _, parameter = next(learner.named_parameters())
    told = torch.tensor(int(due), device=parameter.device)
    torch.distributed.broadcast(told, 0)
    return bool(told)


def keep_memory() -> None:
    """Ask glibc to keep freed memory: else it returns large blocks to the kernel at every step and faults them in anew.

    How much time that saves depends on the size of the blocks; it costs memory: what is freed leaves holes.
    """
    _mallopt(dict.fromkeys((TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD), 1 << 30))


def return_memory() -> None:
    """Ask glibc to return freed blocks of a megabyte: a large model has more to compute than to fault in."""
    _mallopt({MMAP_THRESHOLD: 1 << 20})


def _mallopt(options: Mapping[int, int]) -> None:
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            for option, value in options.items():
                libc.mallopt(option, value)
