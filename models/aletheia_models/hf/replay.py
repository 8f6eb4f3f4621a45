"""Losses and gradients on a CUDA GPU, recorded once for each shape of batches and replayed. Knows shapes, not recipes.

A small student's step is some two thousand kernels of a few microseconds; launched one by one, the GPU waits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from aletheia_models.hf.batches import NONE, Batch, Table, up

__all__ = ["Replay", "roomy"]

ROOM, COLUMNS = 2048, 16
"""A recording has a multiple of 16 columns, and at most about 2,048 positions more than its batch for rows."""
FEWEST = 1024
"""Places with something to say that a recording has room for, if it has any; otherwise powers of two."""


class Learner(Protocol):
    """What computes the losses of a batch."""

    def losses(self, tables: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]: ...

    def parameters(self) -> Iterator[torch.nn.Parameter]: ...


@dataclass(slots=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    tables: list[torch.Tensor]
    losses: tuple[torch.Tensor, torch.Tensor]


class Replay:
    """Computes the losses of a batch and leaves their gradients in the parameters."""

    def __init__(self, learner: Learner) -> None:
        self.learner, self.parameters = learner, list(learner.parameters())
        self.recordings: dict[tuple[tuple[int, ...], ...], _Recording] = {}
        self.pool = torch.cuda.graph_pool_handle()

    def __call__(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        tables = [torch.from_numpy(table) for table in roomy(batch)]
        shape = tuple(tuple(table.shape) for table in tables)
        if shape not in self.recordings:
            self.recordings[shape] = self._record([table.cuda().long() for table in tables])
        recording = self.recordings[shape]
        for held, table in zip(recording.tables, tables, strict=True):
            held.copy_(table, non_blocking=True)
        recording.graph.replay()
        return recording.losses

    def _record(self, tables: list[torch.Tensor]) -> _Recording:
        for parameter in self.parameters if not self.recordings else ():
            parameter.grad = torch.zeros_like(parameter)  # where the recordings leave the gradients
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # once without recording: kernels are loaded at first use
            self._compute(tables)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            losses = self._compute(tables)
        return _Recording(graph, tables, losses)

    def _compute(self, tables: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        torch._foreach_zero_([parameter.grad for parameter in self.parameters if parameter.grad is not None])
        total, loss = self.learner.losses(tables)
        total.backward()
        return total.detach(), loss.detach()


def roomy(batch: Batch) -> list[Table]:
    """The batch's tables with room, so that few shapes do: rows, columns, and places with something to say."""
    ids, parts, places, *said = batch.tables()
    columns = up(ids.shape[1], COLUMNS)
    rows = up(ids.shape[0], max(1, ROOM // columns))
    fills = ((ids, 0), (parts, -1), (places, 0))
    found = [_filled(_filled(table, rows, fill).T, columns, fill).T for table, fill in fills]
    for at, words in zip(said[::2], said[1::2], strict=True):
        row, column = np.divmod(at, ids.shape[1])
        room = max(FEWEST, 1 << (len(at) - 1).bit_length()) if len(at) else 0
        found += [_filled(row * columns + column, room, 0), _filled(words, room, NONE)]
    return [np.ascontiguousarray(table, dtype=np.int32) for table in found]


def _filled(table: Table, length: int, fill: int) -> Table:
    return np.concatenate([table, np.full((length - len(table), *table.shape[1:]), fill, dtype=table.dtype)])
