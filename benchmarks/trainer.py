"""Our training loop against transformers' Trainer: the same student, batches, optimizer, schedule and arithmetic.

    pip install accelerate    (Trainer needs it, the project does not)
    python benchmarks/trainer.py [TOKENS]

Both get the same padded batches, so that what differs is the loop: Trainer's bookkeeping, and that it computes the
logits of every position where the loop takes those of the completions only.
"""

import sys
import time
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from transformers import Trainer, TrainingArguments

from aletheia_bench import cards, corpus
from aletheia_bench.contexts import examples
from aletheia_models.hf import batches, loop, training
from aletheia_models.hf.student import build_student
from aletheia_models.hf.tokenizer import build_tokenizer, count_words
from aletheia_plugins import load_plugins

PLUGINS = load_plugins([])
CARD = cards.find(PLUGINS, "aletheia-tiny")
RECIPE = training.Recipe.of(CARD.settings["training"])


def corpus_examples(count=600):
    plan = corpus.Plan(PLUGINS.task("sat"), "tiny", count)
    records = [corpus.make(plan, index) for index in plan.indices()]
    return [e for r in records if r for e in examples(CARD.context, r["prompt"], r["completion"])]


def ours(student, tokenizer, found, tokens):
    recipe = training.Recipe(**{**CARD.settings["training"], "tokens": tokens, "optimizer": "adamw", "hint_weight": 0.0,
                                 "preview_weight": 0.0})  # fmt: skip
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        read = partial(
            batches.stream, [found], tokenizer, tokens_per_batch=recipe.tokens_per_batch, max_length=2048, seed=0
        )
        done = training.train(student, read, recipe, checkpoint=Path(folder) / "c", seed=0, progress=quiet)
    return done["tokens"] / (time.perf_counter() - began)


def theirs(student, tokenizer, found, tokens):
    made = batches.stream([found], tokenizer, tokens_per_batch=RECIPE.tokens_per_batch, max_length=2048, seed=0)
    taken, total = [], 0
    for _, batch in made:
        taken.append(batch)
        total += batch.tokens
        if total >= tokens:
            break

    class Loop(Trainer):
        def get_train_dataloader(self):
            return [{"input_ids": torch.from_numpy(b.ids).long(), "labels": labels(b)} for b in taken]

        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            logits = model(input_ids=inputs["input_ids"], use_cache=False).logits
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), inputs["labels"].flatten())
            return (loss, {"logits": logits}) if return_outputs else loss

    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, max_steps=len(taken), learning_rate=RECIPE.learning_rate, lr_scheduler_type="cosine",
            adam_beta2=RECIPE.beta2, max_grad_norm=RECIPE.clip, weight_decay=RECIPE.weight_decay, report_to=[],
            save_strategy="no", logging_strategy="no", disable_tqdm=True, use_cpu=not torch.cuda.is_available(),
            bf16=training.half(student.device.type), torch_compile=tokens >= training.COMPILED,
        )  # fmt: skip
        loop = Loop(student, arguments, train_dataset=taken)
        began = time.perf_counter()
        loop.train()
        return total / (time.perf_counter() - began)


def labels(batch):
    """The targets as a table, -100 elsewhere."""
    table = np.full(batch.ids.size, -100)
    table[batch.targets.at] = batch.targets.words[:, 0]
    return torch.from_numpy(table.reshape(batch.ids.shape))


def quiet(done, total, **figures):
    """No progress bar."""


def main():
    tokens = int(sys.argv[1]) if len(sys.argv) > 1 else 150_000
    loop.keep_memory()
    found = corpus_examples()
    tokenizer = build_tokenizer(count_words(e.prompt + e.completion for e in islice(found, 5000)))
    for turn in range(3):
        rates = []
        for trained in (ours, theirs):
            student = build_student(CARD.settings["architecture"], tokenizer, seed=0)
            rates.append(trained(student, tokenizer, found, tokens))
        print(f"round {turn}: loop {rates[0]:,.0f} tokens/s, Trainer {rates[1]:,.0f} tokens/s, "
              f"ratio {rates[0] / rates[1]:.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
