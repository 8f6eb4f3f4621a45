"""Trains on the toy corpus in one of several processes, with or without a halt between; run by test_lora_parallel.py.

torchrun parallel_training.py BASE FOLDER RANK HALT
"""

import os
import sys
from itertools import count
from pathlib import Path

from torch.distributed.tensor import DTensor

from aletheia_models.lora import LoRA, training
from aletheia_models.lora.training import Processes
from aletheia_plugins import Card, Example

base, folder, rank, halt = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
options = {"tokens": 2_000, "tokens_per_batch": 60, "learning_rate": 1e-2, "length": 64, "checkpoint_seconds": 0.0}
card = Card("pupil", "lora", base, base=str(base), settings={"training": options, "lora": {"rank": rank}})
examples = [Example(f"after {word} comes\n", f"{word}\n") for word in ("red", "green", "blue", "grey", "pink")]


class Halt(Exception):
    pass


class Watched(Processes):
    """Keeps how many numbers this process holds."""

    held = 0

    def share(self, losses):
        module = super().share(losses)
        parameters = list(losses.parameters())
        Watched.held = sum((p.to_local() if isinstance(p, DTensor) else p).numel() for p in parameters)
        return module


STEPS = count(1)


def progress(done: int, total: int, **figures: float) -> None:
    if next(STEPS) == halt:
        raise Halt


training.Processes = Watched
folder.mkdir(exist_ok=True)
for _ in range(2 if halt else 1):
    try:
        figures = LoRA().fit(card, [examples], folder, seed=1, workers=1, progress=progress)
    except Halt:
        continue
if os.environ["RANK"] == "0":
    sys.stdout.write(
        f"{figures['processes']} {figures['steps']} {figures['parameters']} {figures['trainable']} "
        f"{Watched.held} {next(STEPS) - 1}\n"
    )
