"""Our LoRA training against a plain PyTorch loop: the same base, adapter, batches, optimizer and arithmetic.

    python benchmarks/lora.py BASE [TOKENS]

BASE is a folder or a GGUF file. The plain loop takes transformers' own loss, over the logits of every position.
"""

import sys
import time
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from aletheia_bench import corpus
from aletheia_bench.contexts import examples
from aletheia_models.hf.batches import batches
from aletheia_models.hf.loading import load_model, load_tokenizer
from aletheia_models.hf.loop import return_memory, train
from aletheia_models.lora.training import Adapter, Learner, Processes, Recipe, adapted
from aletheia_tasks.sat import Sat

PLAN = corpus.Plan(Sat(), "tiny", 10_000)


def ours(student, taken, recipe):
    with TemporaryDirectory() as folder:
        numbered = [((0, n), batch) for n, batch in enumerate(taken, 1)]
        done = train(
            Learner(student, recipe, Processes()), lambda _: iter(numbered), recipe, checkpoint=Path(folder) / "c",
            progress=lambda *_, **__: None,
        )  # fmt: skip
    return done["tokens"] / done["seconds"]


def plain(student, taken, recipe):
    """As in a tutorial: one forward pass with labels, a step, and so on."""
    optimizer = torch.optim.AdamW([p for p in student.parameters() if p.requires_grad], lr=recipe.learning_rate)
    student.train()
    began, tokens = time.monotonic(), 0
    for batch in taken:
        ids = torch.from_numpy(batch.ids).long()
        labels = torch.full(ids.shape, -100).flatten()
        at, words = torch.from_numpy(batch.targets.at).long(), torch.from_numpy(batch.targets.words).long().flatten()
        labels[at + 1] = words  # the model shifts them
        mask = torch.from_numpy(batch.parts >= 0).long()
        student(input_ids=ids, attention_mask=mask, labels=labels.view(ids.shape)).loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        tokens += batch.tokens
    return tokens / (time.monotonic() - began)


def main():
    base, tokens = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    tokenizer = load_tokenizer(base)
    recipe = Recipe(tokens=tokens, tokens_per_batch=1024)
    records = (corpus.make(PLAN, index) for index in range(PLAN.count))
    found = chain.from_iterable(examples("cumulative", r["prompt"], r["completion"]) for r in records if r)
    window = list(islice(found, 400))
    taken = batches(window, tokenizer, tokens_per_batch=recipe.tokens_per_batch, max_length=2048, seed=0)
    taken = list(islice(chain.from_iterable([taken] * 99), tokens // 900))
    recipe = Recipe(tokens=sum(batch.tokens for batch in taken), tokens_per_batch=1024)
    return_memory()
    for turn in range(3):
        rates = []
        for how in (ours, plain):
            student = adapted(load_model(base, dtype=torch.float32), Adapter(), recipe, seed=0)
            rates.append(how(student, taken, recipe))
        print(f"round {turn}: ours {rates[0]:,.0f} tokens/s, plain {rates[1]:,.0f} tokens/s, {rates[0] / rates[1]:.2f}")


if __name__ == "__main__":
    main()
