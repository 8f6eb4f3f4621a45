"""A LoRA step of a 7B-shaped base with random weights, ours and TRL's SFTTrainer's, on the same traces.

    pip install trl datasets
    python benchmarks/lora_gpu.py TOKENIZER [STEPS [CARD]]

TOKENIZER is a folder or a GGUF file. Both learn the same adapter from the same 8,192 tokens a step, in bfloat16, with
gradient checkpointing. TRL gets the rows twice: in its own batches, and in ours. Model FLOPs utilization counts what
has to be computed, once: two operations for each weight and token forward and two backward, the output layer for
completions.
"""

import sys
import time
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from datasets import Dataset
from transformers import AutoConfig, AutoModelForCausalLM, TrainerCallback
from trl import SFTConfig, SFTTrainer

from aletheia_bench import cards, corpus
from aletheia_bench.contexts import examples
from aletheia_models.hf.batches import batches
from aletheia_models.hf.loading import load_tokenizer
from aletheia_models.lora.training import Adapter, Learner, Processes, Recipe, adapted
from aletheia_plugins import load_plugins

PEAK = 989e12
"""Dense bfloat16 products of an H100 or H200, operations a second, by their makers' data sheet."""
WARM = 3
PLUGINS = load_plugins([])


def taken(tokenizer, recipe, count):
    """So many batches of traces of the tiny and small levels, in cumulative contexts."""
    plans = [corpus.Plan(PLUGINS.task(task), level, 10_000) for task in PLUGINS.tasks for level in ("tiny", "small")]
    records = (corpus.make(plan, index) for index in range(10_000) for plan in plans)
    found = chain.from_iterable(examples("cumulative", r["prompt"], r["completion"]) for r in records if r)
    window = list(islice(found, 40 * count))
    made = batches(window, tokenizer, tokens_per_batch=recipe.tokens_per_batch, max_length=recipe.length, seed=0)
    return made[:count]


def base(architecture):
    """Random weights in bfloat16."""
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(**architecture), dtype=torch.bfloat16)


class Clock:
    """Tokens a second of the steps behind the first ones."""

    def __init__(self, counts):
        self.counts, self.times = counts, []

    def tick(self):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())

    @property
    def rate(self):
        return sum(self.counts[WARM : len(self.times) - 1]) / (self.times[-1] - self.times[WARM])


def ours(model, adapter, recipe, found):
    learner = Learner(adapted(model, adapter, recipe, seed=0), recipe, Processes())
    learner.student.train()
    clock = Clock([batch.tokens for batch in found])
    clock.tick()
    for batch in found:
        learner.gradients(batch)
        torch.nn.utils.clip_grad_norm_([p for _, p in learner.named_parameters()], recipe.clip)
        learner.optimizer.step()
        clock.tick()
    return clock.rate


def rows(found):
    """Of each batch, its rows: ids, and labels where a completion stands."""
    for batch in found:
        labels = torch.full((batch.ids.size,), -100)
        labels[torch.from_numpy(batch.targets.at).long() + 1] = torch.from_numpy(batch.targets.words[:, 0]).long()
        for ids, parts, said in zip(batch.ids, batch.parts, labels.view(batch.ids.shape), strict=True):
            held = (parts >= 0).sum()
            yield {"input_ids": ids[:held].tolist(), "labels": said[:held].tolist()}


def theirs(model, adapter, recipe, found, tokenizer, *, own):
    """TRL's trainer, in its own batches of as many rows as ours have on average, or in ours."""
    every = list(rows(found))
    size = max(1, round(len(every) / len(found)))
    clock = Clock([])

    class Timed(SFTTrainer):
        def get_train_dataloader(self):
            return super().get_train_dataloader() if own else list(self.regrouped())

        def regrouped(self):
            """The rows of each batch of ours."""
            left = iter(every)
            for batch in found:
                yield self.data_collator([dict(row) for row in islice(left, len(batch.ids))])

        def training_step(self, model, inputs, *args, **kwargs):
            if not clock.times:
                clock.tick()
            clock.counts.append(int(inputs["attention_mask"].sum()))
            return super().training_step(model, inputs, *args, **kwargs)

    class Tick(TrainerCallback):
        def on_step_end(self, *_, **__):
            clock.tick()

    with TemporaryDirectory() as folder:
        config = SFTConfig(
            folder, max_steps=len(every) // size if own else len(found), per_device_train_batch_size=size,
            learning_rate=recipe.learning_rate, max_length=None, packing=False, bf16=torch.cuda.is_available(),
            gradient_checkpointing=True, optim="adamw_torch_fused", max_grad_norm=recipe.clip, report_to=[],
            save_strategy="no", logging_strategy="no", disable_tqdm=True,
            dataset_kwargs={"skip_prepare_dataset": True}, use_cpu=not torch.cuda.is_available(),
        )  # fmt: skip
        data = Dataset.from_list(every)
        Timed(
            model, config, train_dataset=data, processing_class=tokenizer, peft_config=adapter.config(),
            callbacks=[Tick()],
        ).train()  # fmt: skip
    return clock.rate


def each(architecture, found):
    """Operations that a token takes: every weight of the layers, and the output layer where something is learnt."""
    with torch.device("meta"):
        blank = base(architecture)
    words = blank.get_output_embeddings().weight.numel()
    inner = sum(p.numel() for p in blank.get_decoder().parameters()) - words
    share = sum(len(batch.targets.at) for batch in found) / sum(batch.tokens for batch in found)
    print(
        f"{sum(p.numel() for p in blank.parameters()):,} parameters; {share:.0%} of the tokens are learnt", flush=True
    )
    return 4 * (inner + share * words)


def main():
    where, steps = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 13
    settings = cards.find(PLUGINS, sys.argv[3] if len(sys.argv) > 3 else "aletheia-7b").settings
    tokenizer = load_tokenizer(where)
    recipe = Recipe.of(settings["training"])
    adapter = replace(Adapter.of(settings["lora"]), bits=16)
    found = taken(tokenizer, recipe, steps)
    cost = each(settings["architecture"], found)
    for name, run in (
        ("ours", lambda model: ours(model, adapter, recipe, found)),
        ("TRL, our batches", lambda model: theirs(model, adapter, recipe, found, tokenizer, own=False)),
        ("TRL", lambda model: theirs(model, adapter, recipe, found, tokenizer, own=True)),
    ):
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            model = base(settings["architecture"])
        rate = run(model)
        del model
        print(f"{name}: {rate:,.0f} tokens/s, {cost * rate / PEAK:.1%} of {PEAK / 1e12:.0f} TFLOP/s", flush=True)


if __name__ == "__main__":
    main()
