"""Keeps what a training needs to go on. Knows files, modules and optimizers; not what is learnt, or how.

A checkpoint is a folder: state.safetensors (parameters, and what the optimizers keep of each), the student's
config.json and progress.json.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence, Set
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PreTrainedModel

from aletheia_plugins import ModelFileError

__all__ = ["resume", "save", "whole"]

RANDOM = "random"
"""The state of PyTorch's generator, which dropout draws from on a CPU."""
MOMENTS = ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")
"""What the optimizers keep of each parameter."""


class Learner(Protocol):
    """A module with a student in it, in the process of this rank."""

    @property
    def student(self) -> PreTrainedModel: ...

    rank: int

    def named_parameters(self) -> Any: ...


def save(
    folder: Path, learner: Learner, optimizers: Sequence[torch.optim.Optimizer], progress: Mapping[str, Any]
) -> None:
    """Write a checkpoint beside the old one, then put it in its place: a crash at any time leaves one that is whole.

    Of several processes, all call this and the first one writes. Raises ModelFileError if there is no room for it.
    """
    kept = dict(learner.named_parameters())
    names = {id(p): name for name, p in kept.items()}
    for parameter, moments in chain.from_iterable(optimizer.state.items() for optimizer in optimizers):
        kept.update({f"{key}.{names[id(parameter)]}": value for key, value in moments.items()})
    tensors = whole(kept, learner.rank)
    if learner.rank:
        return
    tensors[RANDOM] = torch.get_rng_state()
    new, old = _beside(folder)
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        save_file(tensors, new / "state.safetensors")
    except SafetensorError as error:
        raise ModelFileError(f"{new} cannot be written: {error}. Make room, and call again: it goes on.") from error
    (new / "config.json").write_text(learner.student.config.to_json_string())
    (new / "progress.json").write_text(json.dumps(progress))
    for path in new.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def resume(
    folder: Path, learner: Learner, optimizers: Sequence[torch.optim.Optimizer], figures: Set[str]
) -> dict[str, Any]:
    """Put the learner and its optimizers into the state of the checkpoint; returns its progress, {} if there is none.

    The progress must have these `figures`.

    Raises ModelFileError if it is damaged, or of another student.
    """
    new, old = _beside(folder)
    if not folder.exists() and old.exists():  # a crash between two renames: the new one is whole
        new.rename(folder)
    if not folder.exists():
        return {}
    try:
        tensors = load_file(folder / "state.safetensors")
        config = (folder / "config.json").read_text()
        progress: dict[str, Any] = json.loads((folder / "progress.json").read_text())
        if set(progress) != figures:
            raise ValueError("progress.json has other figures")
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise ModelFileError(f"The checkpoint in {folder} cannot be read: {error}. Delete it to begin anew.") from error
    parameters = dict(learner.named_parameters())
    if config != learner.student.config.to_json_string() or parameters.keys() - tensors.keys():
        raise ModelFileError(
            f"The checkpoint in {folder} belongs to another student: train into another folder, or delete it."
        )
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(_like(parameter, tensors[name]))
    if RANDOM in tensors:
        torch.set_rng_state(tensors[RANDOM])
    names = {id(p): name for name, p in parameters.items()}
    for optimizer in optimizers:
        for parameter in chain.from_iterable(group["params"] for group in optimizer.param_groups):
            kept = {key: tensors.get(f"{key}.{names[id(parameter)]}") for key in MOMENTS}
            found = {key: moment for key, moment in kept.items() if moment is not None}
            optimizer.state[parameter] = {key: _like(parameter, moment) for key, moment in found.items()}
    return progress


def whole(tensors: Mapping[str, torch.Tensor], rank: int) -> dict[str, torch.Tensor]:
    """For the first process, all of each tensor, in memory that is not a GPU's; for the others, nothing.

    If processes share them, each must call this: they are put together one at a time.
    """
    found = {}
    for name, tensor in tensors.items():
        full = tensor.detach()
        full = full.full_tensor() if isinstance(full, DTensor) else full
        if rank == 0:
            found[name] = full.cpu().contiguous()
    return found


def _like(parameter: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    """The tensor where the parameter is, and shared as that is, if they have one shape: all processes have read it."""
    tensor = tensor.to(parameter.device)
    if not isinstance(parameter, DTensor) or tensor.shape != parameter.shape:
        return tensor
    return distribute_tensor(tensor, parameter.device_mesh, parameter.placements, src_data_rank=None)


def _beside(folder: Path) -> tuple[Path, Path]:
    """Where a checkpoint is before it comes to its place, and after it has left it."""
    return folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
