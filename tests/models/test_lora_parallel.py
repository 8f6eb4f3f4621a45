"""Two processes learn the same together, whether each holds all weights or they share them."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("peft") is None:
    pytest.skip("without the extra [lora]", allow_module_level=True)

import torch
from safetensors.torch import load_file

SCRIPT = Path(__file__).with_name("parallel_training.py")
LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", str(SCRIPT)]
FSDP = {"ACCELERATE_USE_FSDP": "true"}
"""What `accelerate launch --use_fsdp` sets."""


def train(base, folder, *, rank, halt=0, **more):
    """Processes, steps, parameters, those that are trained and that the first process held, steps done; the weights."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **more}
    command = [*LAUNCH, str(base), str(folder), str(rank), str(halt)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("*.safetensors")
    return [int(number) for number in done.stdout.split()], load_file(file)


@pytest.mark.parametrize("rank", [4, 0])
def test_shared_weights_learn_what_whole_ones_do_also_after_a_halt(base, tmp_path, rank):
    said, whole = train(base, tmp_path / "whole", rank=rank)
    told, shared = train(base, tmp_path / "shared", rank=rank, halt=5, **FSDP)
    assert told[:4] == said[:4]
    assert (said[0], said[4]) == (2, said[2])
    assert told[4] == pytest.approx(said[4] / 2, rel=0.05)
    assert (said[5], told[5]) == (said[1], said[1] + 1)  # the step at which it was halted is done again
    assert whole.keys() == shared.keys()
    start = load_file(base / "model.safetensors")
    for name, tensor in whole.items():
        torch.testing.assert_close(shared[name], tensor, rtol=1e-3, atol=1e-4)
        assert not (name in start and torch.allclose(start[name], tensor)), f"{name} has learnt nothing"
