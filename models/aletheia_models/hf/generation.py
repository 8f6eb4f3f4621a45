"""Writes and weighs text with a causal model, many requests at a time. Knows token ids and requests, not traces."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal as OneOf

import torch
import transformers
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerFast

from aletheia_models.hf.loading import chat_frame
from aletheia_models.hf.weighing import weigh
from aletheia_models.memory import most_memory
from aletheia_models.tokens import behind
from aletheia_plugins import Completion, Request

__all__ = ["HFModel"]


@dataclass(slots=True)
class _Row:
    """One request while it is being written."""

    request: Request
    prompt: list[int]
    tokens: list[int] = field(default_factory=list)
    random: torch.Generator | None = None
    finish: OneOf["stop", "length", "timeout", "error"] | None = None
    error: str = ""


class HFModel:
    """Requests queue up; each poll takes those with the longest prompts of the queue and writes them to the end.

    A completion does not depend on the others in its batch but through rounding; `batch_size` is a fact of the run.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, *, batch_size: int = 64, chat: bool = False
    ) -> None:
        self.model, self.tokenizer, self.batch_size = model.eval(), tokenizer, batch_size
        self.frame = chat_frame(tokenizer) if chat else ("", "")
        self.limit: int = model.config.max_position_embeddings
        self.queue: list[_Row] = []

    def submit(self, request: Request) -> None:
        row = _Row(request, self._ids(self._framed(request.instruction, request.prompt)))
        if request.temperature > 0:
            row.random = torch.Generator().manual_seed(request.seed)
        self.queue.append(row)

    def poll(self) -> Sequence[Completion]:
        if not self.queue:
            return []
        self.queue.sort(key=lambda row: len(row.prompt))
        rows, self.queue = self.queue[-self.batch_size :], self.queue[: -self.batch_size]
        began = time.monotonic()
        fit = [row for row in rows if len(row.prompt) < self.limit]
        if fit:
            self._try(fit)
        seconds = (time.monotonic() - began) / len(rows)
        return [self._completion(row, seconds) for row in rows]

    def facts(self) -> Mapping[str, str | int | float]:
        return {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "device": str(self.model.device),
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "parameters": self.model.num_parameters(),
            "batch_size": self.batch_size,
            "memory_bytes": most_memory() if self.model.device.type == "cpu" else torch.cuda.max_memory_allocated(),
        }

    def encode(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def likelihoods(
        self, prompts: Sequence[str], continuations: Sequence[str], *, instruction: str = ""
    ) -> Sequence[Sequence[float] | None]:
        asked: dict[int, tuple[tuple[int, ...], list[tuple[int, ...]]]] = {}
        for number, prompt in enumerate(prompts):
            text = self._framed(instruction, prompt)
            ids = self._ids(text)
            added = [tuple(behind(self.encode, text, ids, each)) for each in continuations]
            if len(ids) + max(map(len, added), default=0) <= self.limit:
                asked[number] = tuple(ids), added
        pad = self.tokenizer.pad_token_id or 0
        found = weigh(self.model, list(asked.values()), batch_size=self.batch_size, pad=pad)
        rows = dict(zip(asked, found, strict=True))
        return [rows.get(number) for number in range(len(prompts))]

    def _framed(self, instruction: str, prompt: str) -> str:
        before, after = self.frame
        return f"{before}{instruction}{prompt}{after}"

    def _ids(self, text: str) -> list[int]:
        return self.encode(text) or [self.tokenizer.eos_token_id]

    def close(self) -> None:
        self.queue.clear()

    def _try(self, rows: list[_Row]) -> None:
        """Write a batch; one that does not fit into memory is written in halves, and one row that fails is an error."""
        try:
            self._write(rows)
        except RuntimeError as error:  # torch.OutOfMemoryError is one; it holds what was computed until it is left
            told = str(error)
        else:
            return
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        for row in rows:
            row.tokens.clear()
            row.finish = None
            if row.random is not None:
                row.random.manual_seed(row.request.seed)
        if len(rows) > 1:
            self._try(rows[: len(rows) // 2])
            self._try(rows[len(rows) // 2 :])
        else:
            rows[0].finish, rows[0].error = "error", told

    @torch.inference_mode()
    def _write(self, rows: list[_Row]) -> None:
        """Prefill, left-padded, then one token a row at a time; rows that are done leave the batch."""
        width = max(len(row.prompt) for row in rows)
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.tensor([[pad] * (width - len(r.prompt)) + r.prompt for r in rows], device=self.model.device)
        mask = torch.tensor([[0] * (width - len(r.prompt)) + [1] * len(r.prompt) for r in rows], device=ids.device)
        cache = DynamicCache(config=self.model.config)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        began, share = time.monotonic(), len(rows)
        while rows:
            out = self.model(
                input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, logits_to_keep=1
            )
            chosen = self._choose(out.logits[:, -1].float(), rows)
            spent = (time.monotonic() - began) / share
            keep = [
                i for i, (row, token) in enumerate(zip(rows, chosen, strict=True)) if self._goes_on(row, token, spent)
            ]
            if len(keep) < len(rows):
                rows = [rows[i] for i in keep]
                index = torch.tensor(keep, dtype=torch.long, device=ids.device)
                cache.batch_select_indices(index)
                mask, positions = mask[index], positions[index]
            ids = torch.tensor([[row.tokens[-1]] for row in rows], device=mask.device)
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            positions = positions[:, -1:] + 1

    def _choose(self, logits: torch.Tensor, rows: list[_Row]) -> list[int]:
        greedy: list[int] = logits.argmax(-1).tolist()
        for i, row in enumerate(rows):
            if row.random is not None:
                weights = (logits[i].cpu() / row.request.temperature).softmax(-1)
                greedy[i] = int(torch.multinomial(weights, 1, generator=row.random))
        return greedy

    def _goes_on(self, row: _Row, token: int, spent: float) -> bool:
        row.tokens.append(token)
        if token == self.tokenizer.eos_token_id or self._stopped(row):
            row.finish = "stop"
        elif len(row.tokens) >= min(row.request.max_tokens, self.limit - len(row.prompt)):
            row.finish = "length"
        elif spent > row.request.seconds:
            row.finish, row.error = "timeout", f"it took more than {row.request.seconds:g} s"
        return not row.finish

    def _stopped(self, row: _Row) -> bool:
        return bool(row.request.stop) and any(stop in self._text(row) for stop in row.request.stop)

    def _text(self, row: _Row) -> str:
        return str(self.tokenizer.decode(row.tokens, skip_special_tokens=True))

    def _completion(self, row: _Row, seconds: float) -> Completion:
        """A row that never began, since its prompt fills the context, ends as one that ran out of room."""
        tokens, finish = tuple(row.tokens), row.finish or "length"
        error = row.error if row.finish else f"the prompt has {len(row.prompt)} tokens, and the context {self.limit}"
        return Completion(row.request.id, self._text(row), tokens, len(row.prompt), finish, seconds, error)
