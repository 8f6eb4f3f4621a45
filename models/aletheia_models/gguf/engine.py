"""Decodes many requests at once with llama.cpp. Knows token ids, sequences and the KV cache; runs in a worker process.

Each slot is one sequence with a KV cache of its own: nothing is left in it from one request to the next, and attention
does not pass over what others wrote. A prompt is read alone, so that it yields the same whoever else is there; then its
slot writes a token at each step, together with all others. A slot that is done takes the next request.

llama.cpp decodes sequences together only if their numbers follow upon one another, so the slots that write are always
the first ones: the last one takes the place of one that is done.
"""

import ctypes
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal as OneOf

import llama_cpp
import numpy as np

from aletheia_models.gguf import log
from aletheia_models.tokens import behind
from aletheia_plugins import Completion, ModelFileError, Request

__all__ = ["Engine", "Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """`context` tokens for each of `slots` requests that are written side by side; `batch` tokens decoded at once.

    `instructed`: there is room for one instruction that all requests share. `exact`: attention in f32 instead of f16,
    for files whose tensors are f32; at half the speed.
    """

    slots: int
    context: int
    threads: int
    batch: int = 512
    instructed: bool = False
    exact: bool = False

    @property
    def writing(self) -> int:
        """Sequences that are written to: with several threads, there is one that keeps a lone slot company."""
        return max(self.slots, 1 + (self.threads > 1))


@dataclass(slots=True)
class _Slot:
    """One request while it is being written."""

    request: Request
    prompt: list[int]
    tokens: list[int] = field(default_factory=list)
    text: bytes = b""
    random: np.random.Generator | None = None
    seconds: float = 0.0
    finish: OneOf["stop", "length", "timeout"] | None = None


class Engine:
    """A loaded GGUF file. `submit` queues, `step` decodes and returns what is done; `beat` is called in between."""

    def __init__(self, path: Path, settings: Settings, beat: Callable[[], None] = lambda: None) -> None:
        self.settings, self.beat = settings, beat
        log.listen()
        llama_cpp.llama_backend_init()
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = 0
        if b"AMX_INT8 = 1" in llama_cpp.llama_print_system_info():
            params.use_extra_bufts = False  # its products of quantized matrices in AMX can end the process (SIGSEGV)
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            raise ModelFileError(f"llama.cpp cannot load {path}: {' '.join(log.ERRORS[:1]) or 'it does not say why'}.")
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.size = llama_cpp.llama_vocab_n_tokens(self.vocabulary)
        self.context = llama_cpp.llama_init_from_model(self.model, _context(settings))
        if not self.context:
            raise ModelFileError(f"llama.cpp has no room for {settings.slots} contexts of {settings.context} tokens.")
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.batch = llama_cpp.llama_batch_init(settings.batch + 1, 0, 1)
        self.pieces: dict[int, bytes] = {}
        self.queue: deque[_Slot] = deque()
        self.slots: list[_Slot] = []
        """Those that write; the place of each is the number of its sequence."""
        self.frame = ("", "")
        """What stands before and behind what a user says."""
        self.shared: tuple[str, list[int]] = ("", [])
        """The last instruction, and its tokens, which are in the KV cache as a sequence behind those of the slots."""

    def read_template(self) -> None:
        """From now on, prompts are put into the file's chat template, if it has one."""
        from aletheia_models.chat import frame

        template = llama_cpp.llama_model_chat_template(self.model, None)
        names = {"bos_token": llama_cpp.llama_vocab_bos, "eos_token": llama_cpp.llama_vocab_eos}
        tokens = {name: self._special(of(self.vocabulary)) for name, of in names.items()}
        self.frame = frame(template.decode(), **tokens) if template else ("", "")

    def tokenize(self, text: str) -> list[int]:
        """Token ids; names of special tokens in the text are read as these."""
        data = text.encode()
        room = len(data) + 8
        ids = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self.vocabulary, data, len(data), ids, room, False, True)
        return list(ids[:count])

    def submit(self, request: Request) -> None:
        slot = _Slot(request, self._ids(self._framed(request)))
        if request.temperature > 0:
            slot.random = np.random.default_rng(request.seed)
        self.queue.append(slot)

    def weigh(self, prompt: str, continuations: Sequence[str], instruction: str) -> list[float] | None:
        """The log-probabilities of texts behind a prompt, in nats; None if there is no room. Not while it is busy."""
        request = Request("", prompt, (), 1, instruction=instruction)
        text = self._framed(request)
        slot = _Slot(request, self._ids(text))
        added = [behind(self.tokenize, text, slot.prompt, each) for each in continuations]
        if len(slot.prompt) + max(map(len, added), default=0) > self.settings.context:
            return None
        self._through(slot.prompt, 0, self._share(slot, 0))
        first = _logarithms(self._logits(1))[0]
        found = [self._behind(slot.prompt, rest, first) for rest in added]
        llama_cpp.llama_memory_seq_rm(self.memory, 0, -1, -1)
        return found

    @property
    def busy(self) -> bool:
        return bool(self.queue or self.slots)

    def step(self) -> list[Completion]:
        """Read one prompt, if there is a slot for it, or else write a token in each slot. What is done with that."""
        began = time.monotonic()
        if self.queue and len(self.slots) < self.settings.slots:
            slot = self.queue.popleft()
            if len(slot.prompt) >= self.settings.context:  # no room for a single token
                slot.finish = "length"
                return [self._completion(slot)]
            self.slots.append(slot)
            self._read(slot, len(self.slots) - 1)
            slot.seconds += time.monotonic() - began
        else:
            self._append([(s.tokens[-1], len(s.prompt) + len(s.tokens) - 1, n) for n, s in enumerate(self.slots)])
            for slot, logits in zip(self.slots, self._logits(len(self.slots)), strict=True):
                self._write(slot, logits)
            share = (time.monotonic() - began) / len(self.slots)
            for slot in self.slots:
                slot.seconds += share
        return list(self._end())

    def facts(self) -> Mapping[str, str | int | float]:
        return {
            "llama-cpp-python": llama_cpp.__version__,
            "build": " ".join(llama_cpp.llama_print_system_info().decode().split()),
            "parameters": llama_cpp.llama_model_n_params(self.model),
            "file": _text(llama_cpp.llama_model_desc, self.model),
            "batch_size": self.settings.slots,
            "context": self.settings.context,
            "threads": self.settings.threads,
            "chunk": self.settings.batch,
        }

    def _read(self, slot: _Slot, place: int) -> None:
        """Put a prompt through the network, and choose the first token."""
        self._through(slot.prompt, place, self._share(slot, place))
        self._write(slot, self._logits(1)[0])

    def _behind(self, prompt: Sequence[int], rest: Sequence[int], first: Any) -> float:
        """The log-probability of the tokens `rest`, of which `first` are those of the first one; it leaves no trace."""
        total, place = sum(float(first[token]) for token in rest[:1]), len(prompt)
        for begin in range(0, len(rest) - 1, self.settings.batch):
            part = rest[begin : min(begin + self.settings.batch, len(rest) - 1)]
            self._decode([(token, place + begin + n, 0) for n, token in enumerate(part)])
            rows = _logarithms(self._logits(len(part)))
            total += sum(float(row[token]) for row, token in zip(rows, rest[begin + 1 :], strict=False))
        if len(rest) > 1 and not llama_cpp.llama_memory_seq_rm(self.memory, 0, place, -1):
            llama_cpp.llama_memory_seq_rm(self.memory, 0, -1, -1)  # a recurrent state cannot be cut back
            self._through(prompt, 0)
        return total

    def _through(self, tokens: Sequence[int], place: int, start: int = 0) -> None:
        for first in range(start, len(tokens), self.settings.batch):
            part = tokens[first : first + self.settings.batch]
            self._decode([(token, first + n, place) for n, token in enumerate(part)], last_only=True)

    def _share(self, slot: _Slot, place: int) -> int:
        """Take over what the KV cache has of the instruction, which is read alone and once; how many tokens that is.

        None where there is no room for it: then it is read as a part of the prompt.
        """
        said = slot.request.instruction
        if not said or not self.settings.instructed:
            return 0
        own = self.settings.writing
        if self.shared[0] != said:
            llama_cpp.llama_memory_seq_rm(self.memory, own, -1, -1)
            self.shared = (said, self.tokenize(self.frame[0] + said)[: self.settings.context - 1])
            self._through(self.shared[1], own)
        pairs = zip(self.shared[1], slot.prompt[:-1], strict=False)  # the last token is read: its logits are wanted
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        llama_cpp.llama_memory_seq_cp(self.memory, own, place, -1, -1)
        if not llama_cpp.llama_memory_seq_rm(self.memory, place, same, -1):  # a recurrent state has no beginning
            llama_cpp.llama_memory_seq_rm(self.memory, place, -1, -1)
            return 0
        return same

    def _append(self, tokens: Sequence[tuple[int, int, int]]) -> None:
        """A token for each slot, and logits.

        Threads of llama.cpp share the attention of a lone token, which yields other logits than in a batch: so one is
        added to the next sequence, and taken away again.
        """
        if len(tokens) == 1 and self.settings.threads > 1:
            self._decode([*tokens, (tokens[0][0], 0, 1)])
            llama_cpp.llama_memory_seq_rm(self.memory, 1, -1, -1)
        else:
            self._decode(tokens)

    def _decode(self, tokens: Sequence[tuple[int, int, int]], *, last_only: bool = False) -> None:
        """(token, position, sequence) of each; logits are computed for all of them, or for the last one."""
        batch = self.batch
        for n, (token, position, place) in enumerate(tokens):
            batch.token[n], batch.pos[n] = token, position
            batch.n_seq_id[n], batch.seq_id[n][0] = 1, place
            batch.logits[n] = not last_only or n == len(tokens) - 1
        batch.n_tokens = len(tokens)
        if status := llama_cpp.llama_decode(self.context, batch):
            raise RuntimeError(f"llama_decode returned {status} for {len(tokens)} tokens")
        self.beat()

    def _logits(self, count: int) -> Any:
        """(count, vocabulary), as the last decoding left them."""
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits(self.context), (count, self.size))

    def _write(self, slot: _Slot, logits: Any) -> None:
        token = int(logits.argmax()) if slot.random is None else _draw(logits, slot.request.temperature, slot.random)
        slot.tokens.append(token)
        if llama_cpp.llama_vocab_is_eog(self.vocabulary, token):
            slot.finish = "stop"
            return
        slot.text += self._piece(token)
        if any(stop.encode() in slot.text for stop in slot.request.stop):
            slot.finish = "stop"
        elif len(slot.tokens) >= min(slot.request.max_tokens, self.settings.context - len(slot.prompt)):
            slot.finish = "length"

    def _end(self) -> Iterator[Completion]:
        """Free the slots of what is done."""
        for place in reversed(range(len(self.slots))):
            slot = self.slots[place]
            if slot.finish is None and slot.seconds > slot.request.seconds:
                slot.finish = "timeout"
            if slot.finish:
                last = len(self.slots) - 1
                llama_cpp.llama_memory_seq_rm(self.memory, place, -1, -1)
                if place < last:
                    llama_cpp.llama_memory_seq_cp(self.memory, last, place, -1, -1)
                    llama_cpp.llama_memory_seq_rm(self.memory, last, -1, -1)
                self.slots[place] = self.slots[last]
                self.slots.pop()
                yield self._completion(slot)

    def _completion(self, slot: _Slot) -> Completion:
        text = slot.text.decode(errors="replace")
        assert slot.finish
        if slot.tokens or slot.finish != "length":
            error = ""
        else:
            error = f"the prompt has {len(slot.prompt)} tokens, and the context {self.settings.context}"
        return Completion(
            slot.request.id, text, tuple(slot.tokens), len(slot.prompt), slot.finish, slot.seconds,
            error,
        )  # fmt: skip

    def _ids(self, text: str) -> list[int]:
        return self.tokenize(text) or [max(llama_cpp.llama_vocab_eos(self.vocabulary), 0)]

    def _framed(self, request: Request) -> str:
        before, after = self.frame
        return before + request.instruction + request.prompt + after

    def _special(self, token: int) -> str:
        text = llama_cpp.llama_vocab_get_text(self.vocabulary, token) if token >= 0 else b""
        return str(text.decode(errors="replace"))

    def _piece(self, token: int) -> bytes:
        """The bytes that a token stands for; nothing for a special one."""
        if token not in self.pieces:
            room = ctypes.create_string_buffer(256)
            size = llama_cpp.llama_token_to_piece(self.vocabulary, token, room, len(room), 0, False)
            if size < 0:  # it is longer
                room = ctypes.create_string_buffer(-size)
                size = llama_cpp.llama_token_to_piece(self.vocabulary, token, room, len(room), 0, False)
            self.pieces[token] = room.raw[:size]
        return self.pieces[token]


def _context(settings: Settings) -> Any:
    params = llama_cpp.llama_context_default_params()
    sequences = settings.writing + settings.instructed
    params.n_ctx = sequences * settings.context
    params.n_seq_max = sequences
    params.n_batch = params.n_ubatch = max(settings.batch, sequences)
    params.n_threads = params.n_threads_batch = settings.threads
    if settings.exact:
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED  # it rounds to f16
        params.type_k = params.type_v = llama_cpp.GGML_TYPE_F32
    else:
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
    params.kv_unified = False
    params.no_perf = True
    return params


def _logarithms(logits: Any) -> Any:
    """Of probabilities, row by row."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _draw(logits: Any, temperature: float, random: np.random.Generator) -> int:
    """A token with the probability that it has at this temperature, by the Gumbel-max trick."""
    return int((logits.astype(np.float64) / temperature + random.gumbel(size=logits.size)).argmax())


def _text(function: Any, *arguments: Any) -> str:
    room = ctypes.create_string_buffer(512)
    function(*arguments, room, len(room))
    return room.value.decode(errors="replace")
