"""Tokens a second of the gguf back-end, and of three others on the same file and the same prompts.

    python benchmarks/throughput.py FILE.gguf [--hf FOLDER] [--prompts 64] [--tokens 64] [--batch 4]

(a) llama-cpp-python's create_completion in a loop; (b) transformers' generate in batches, on the weights in FOLDER, or
those of FILE dequantized; (c) llama.cpp decoding batches of the same size without looking at what comes out. Prompts
are SAT problems; greedy; a completion ends where the model ends it. All use every core.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from tabulate import tabulate

from aletheia_bench.items import generated
from aletheia_models.gguf import GGUF
from aletheia_plugins import Card, Request
from aletheia_tasks.sat import Sat

Figures = tuple[int, int, float]
"""Tokens read, tokens written, seconds."""
CORES = len(os.sched_getaffinity(0))


def ours(file: Path, prompts: list[str], tokens: int, batch: int) -> Figures:
    model = GGUF().open(Card("bench", "gguf", file, weights=file, settings={"generation": {"batch_size": batch}}))
    for name in ("warm", "measured"):
        began = time.perf_counter()
        for number, prompt in enumerate(prompts):
            model.submit(Request(f"{name}-{number}", prompt, (), tokens))
        done = []
        while part := model.poll():
            done += part
        seconds = time.perf_counter() - began
    model.close()
    return sum(c.prompt_tokens for c in done), sum(len(c.tokens) for c in done), seconds


def loop(file: Path, prompts: list[str], tokens: int, _: int) -> Figures:
    from llama_cpp import Llama

    model = Llama(str(file), n_ctx=2048, n_threads=CORES, n_threads_batch=CORES, verbose=False)
    for _ in range(2):
        began = time.perf_counter()
        used = [model.create_completion(p, max_tokens=tokens, temperature=0)["usage"] for p in prompts]
        seconds = time.perf_counter() - began
    # the end of a completion is written too, but not counted by it
    return sum(u["prompt_tokens"] for u in used), sum(min(u["completion_tokens"] + 1, tokens) for u in used), seconds


def huggingface(folder: Path | None, file: Path, prompts: list[str], tokens: int, batch: int) -> Figures:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(CORES)
    where, extra = (folder, {}) if folder else (file.parent, {"gguf_file": file.name})
    tokenizer = AutoTokenizer.from_pretrained(where, padding_side="left", **extra)
    model = AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32, **extra).eval()
    pad, end = tokenizer.pad_token_id or 0, model.generation_config.eos_token_id
    read = written = 0
    for _ in range(2):
        read = written = 0
        began = time.perf_counter()
        for start in range(0, len(prompts), batch):
            rows = tokenizer(prompts[start : start + batch], return_tensors="pt", padding=True)
            rows.pop("token_type_ids", None)
            out = model.generate(**rows, max_new_tokens=tokens, do_sample=False, pad_token_id=pad)
            new = out[:, rows["input_ids"].size(1) :].tolist()
            read += int(rows["attention_mask"].sum())
            written += sum(row.index(end) + 1 if end in row else len(row) for row in new)
        seconds = time.perf_counter() - began
    return read, written, seconds


def decode_only(file: Path, prompts: list[str], tokens: int, batch: int) -> Figures:
    """One process, all cores; as many tokens for each prompt as ours wrote on average."""
    from aletheia_models.gguf.engine import Engine, Settings

    engine = Engine(file, Settings(batch, 2048, CORES))
    ids = [engine.tokenize(prompt) for prompt in prompts]
    import llama_cpp

    seconds = 0.0
    for _ in range(2):
        began = time.perf_counter()
        for start in range(0, len(ids), batch):
            group = ids[start : start + batch]
            for place, prompt in enumerate(group):
                engine._decode([(token, n, place) for n, token in enumerate(prompt)], last_only=True)
            for step in range(tokens - 1):
                engine._decode([(p[0], len(p) + step, place) for place, p in enumerate(group)])
                llama_cpp.llama_get_logits(engine.context)  # waits for the result
            for place in range(len(group)):
                llama_cpp.llama_memory_seq_rm(engine.memory, place, -1, -1)
        seconds = time.perf_counter() - began
    return sum(map(len, ids)), tokens * len(ids), seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--hf", type=Path)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--batch", type=int, default=4)
    options = parser.parse_args()
    items = generated(Sat(), "tiny", seed=3, limit=options.prompts)
    state = "state: -\n" if GGUF().describe(str(options.file)).get("context") == "folded" else ""
    prompts = [state + item.prompt for item in items]
    common = (options.file, prompts, options.tokens, options.batch)
    rows = []
    first = ours(*common)
    mean = max(1, round(first[1] / len(prompts)))
    others: list[tuple[str, Callable[[], Figures]]] = [
        ("(a) create_completion", lambda: loop(*common)),
        ("(b) transformers", lambda: huggingface(options.hf, *common)),
        ("(c) decoding alone", lambda: decode_only(options.file, prompts, mean, options.batch)),
    ]
    for name, figures in [("ours", lambda: first), *others]:
        read, written, seconds = figures()
        rows.append([name, read, written, f"{seconds:.2f}", f"{written / seconds:.0f}", f"{read / seconds:.0f}"])
    print(tabulate(rows, headers=["", "read", "written", "s", "written/s", "read/s"], disable_numparse=True))


if __name__ == "__main__":
    main()
