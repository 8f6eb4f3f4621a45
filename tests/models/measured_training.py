"""Prints the bytes that a LoRA training on a folder takes, measured in this process or planned; not a test.

python measured_training.py FOLDER CHECKPOINTING BITS measure|plan
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from transformers import AutoConfig

from aletheia_models.lora import LoRA
from aletheia_models.lora.planning import memory, needs
from aletheia_models.lora.training import Adapter, Recipe
from aletheia_plugins import Card, Example

folder, checkpointing, bits, what = sys.argv[1], sys.argv[2] == "1", int(sys.argv[3]), sys.argv[4]
example = Example("red " * 50, "green " * 99)  # 53 tokens, and 101 with the end
training = {"tokens": 3 * 2048, "tokens_per_batch": 2048, "length": 512, "gradient_checkpointing": checkpointing}
if what == "plan":
    config = AutoConfig.from_pretrained(folder)
    found = needs(config, Adapter(), Recipe(**training), length=154, targets=101 / 154, batch_size=1)
    sys.stdout.write(str(found.training["f32" if bits == 16 else "nf4+f32"] + memory()[1]))
else:
    with TemporaryDirectory() as out:
        card = Card("m", "lora", Path(folder), base=folder, settings={"training": training, "lora": {"bits": bits}})
        LoRA().fit(card, [[example] * 64], Path(out), seed=0, workers=1, progress=lambda *_, **__: None)
    sys.stdout.write(str(1024 * int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])))
