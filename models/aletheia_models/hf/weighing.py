"""How probable continuations of prompts are to a causal model. Knows token ids, neither texts nor requests."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from transformers import PreTrainedModel

from aletheia_plugins import ModelFileError

__all__ = ["weigh"]

Ids = tuple[int, ...]


def weigh(
    model: PreTrainedModel, asked: Sequence[tuple[Ids, Sequence[Ids]]], *, batch_size: int, pad: int
) -> list[list[float]]:
    """For each (prompt, its continuations), the sums of the log-probabilities of each continuation's tokens, in nats.

    What is read is a prompt with a continuation but for its last token; once, if several have that in common. What
    does not fit into memory is read in halves. Raises ModelFileError.
    """
    rows: dict[Ids, set[Ids]] = {}
    for prompt, continuations in asked:
        for rest in continuations:
            rows.setdefault(prompt + rest[:-1], set()).add(rest)
    order = sorted(rows, key=len, reverse=True)
    found: dict[tuple[Ids, Ids], float] = {}
    for first in range(0, len(order), batch_size):
        found |= _try(model, {row: rows[row] for row in order[first : first + batch_size]}, pad)
    return [[found[prompt + rest[:-1], rest] for rest in continuations] for prompt, continuations in asked]


def _try(model: PreTrainedModel, rows: Mapping[Ids, Iterable[Ids]], pad: int) -> dict[tuple[Ids, Ids], float]:
    try:
        return _read(model, rows, pad)
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        if len(rows) == 1:
            raise ModelFileError(f"The model cannot read {max(map(len, rows))} tokens: {error}") from error
    halves = list(rows.items())
    middle = len(halves) // 2
    return _try(model, dict(halves[:middle]), pad) | _try(model, dict(halves[middle:]), pad)


@torch.inference_mode()
def _read(model: PreTrainedModel, rows: Mapping[Ids, Iterable[Ids]], pad: int) -> dict[tuple[Ids, Ids], float]:
    """For each row and what ends with it, but for the last token. Left-padded, as prompts are."""
    width = max(map(len, rows))
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows], device=model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=ids.device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    longest = max(len(rest) for rests in rows.values() for rest in rests)
    out = model(
        input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=max(1, longest)
    )
    logarithms = out.logits.float().log_softmax(-1).cpu()
    return {
        (row, rest): float(logarithms[n, -len(rest) :].gather(1, torch.tensor(rest)[:, None]).sum()) if rest else 0.0
        for n, (row, rests) in enumerate(rows.items())
        for rest in rests
    }
