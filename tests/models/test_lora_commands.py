"""Adapters through the command line: trained, by two processes too, evaluated, exported, planned."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest
from click.testing import CliRunner

if find_spec("peft") is None:
    pytest.skip("without the extra [lora]", allow_module_level=True)

from safetensors.torch import load_file

from aletheia_bench.cli.main import main

CARD = """
name = "pupil"
backend = "lora"
base = "base"
context = "folded"
max_tokens = 40

[data]
tasks = ["sat"]
levels = ["tiny"]
count = 6

[lora]
rank = 2

[training]
tokens = 3_000
tokens_per_batch = 512
length = 1024
"""
TRAIN = ["train", "--model", "pupil.toml", "-o", "pupil", "--workers", "1"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a base, a card, and nothing that an environment says."""
    from aletheia_bench.contexts import examples
    from aletheia_bench.corpus import Plan, make
    from aletheia_models.hf.student import build_student
    from aletheia_models.hf.tokenizer import build_tokenizer, count_words
    from aletheia_tasks import Sat

    record = make(Plan(Sat(), "tiny", 1), 0)
    turns = examples("folded", record["prompt"], record["completion"])
    tokenizer = build_tokenizer(count_words(turn.prompt + turn.completion for turn in turns))
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
             "num_key_value_heads": 2, "max_position_embeddings": 1024}  # fmt: skip
    build_student(shape, tokenizer, seed=0).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    (tmp_path / "pupil.toml").write_text(CARD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*arguments):
    result = CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_from_a_base_to_a_report_and_a_file(here):
    assert "pupil: SHA-256 " in invoke(*TRAIN)
    told = json.loads((here / "pupil" / "training.json").read_text())
    assert (told["base"], told["arm"], told["context"], told["processes"]) == ("base", "backtracking", "folded", 1)
    run = ["--task", "sat", "--limit", 2, "-o", "runs"]
    assert "sat-tiny" in invoke("run", "--model", "lora:base+pupil", *run)
    assert "sat-tiny" in invoke("run", "--model", "lora:pupil", "-M", f"base={here / 'base'}", *run)
    (config,) = {path.read_text() for path in (here / "runs").glob("*base*/*/config.toml")}
    assert 'base = "base"' in config
    if find_spec("llama_cpp"):
        assert "f32" in invoke("export", "--model", "lora:base+pupil", "--quant", "f32", "-o", "pupil.gguf")
        assert "f16" in invoke("run", "--model", "lora:base+pupil", "--quant", "f16", *run)
        (here / "trained.toml").write_text(CARD.replace("[data]", "[weights]\npath = 'pupil'\n[data]"))
        assert "f16" in invoke("run", "--model", "trained.toml", "--quant", "f16", "-M", "generation.threads=1", *run)
    assert "parameters" in invoke("plan", "--model", "pupil.toml")


def test_a_base_that_is_not_there_is_missing_before_any_data_is_made(here):
    (here / "base").rename(here / "elsewhere")
    result = CliRunner().invoke(main, TRAIN)
    assert result.exit_code == 3
    assert result.output == "Error: pupil needs its base base, and there is no base.\n"
    assert not (here / "pupil").exists()


def test_two_processes_learn_together(here):
    """Each takes every second batch; the first one writes what they have learnt."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "aletheia_bench.cli.main"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}  # two CPUs: there may be a single GPU
    done = subprocess.run([*launch, *TRAIN], capture_output=True, text=True, cwd=here, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("pupil: SHA-256 ") == 1
    together = json.loads((here / "pupil" / "training.json").read_text())
    invoke(*TRAIN[:4], "alone", *TRAIN[5:])
    alone = json.loads((here / "alone" / "training.json").read_text())
    assert (together["processes"], alone["processes"]) == (2, 1)
    assert together["steps"] == -(-alone["steps"] // 2)
    one, other = (load_file(here / name / "adapter_model.safetensors") for name in ("pupil", "alone"))
    assert one.keys() == other.keys()


def test_what_makes_no_plans_says_so(here):
    result = CliRunner().invoke(main, ["plan", "--model", "aletheia-tiny"])
    assert result.exit_code == 2
    assert result.output == "Error: The back-end 'hf' of aletheia-tiny makes no plans; lora does.\n"


def test_a_plan_counts_the_turns_that_are_drawn_and_refuses_what_train_would(here):
    drawn = CARD.replace("count = 6", "count = 6\nturns = 2")
    (here / "drawn.toml").write_text(drawn)
    assert re.search(r"^examples +12 of ", invoke("plan", "--model", "drawn.toml"), re.MULTILINE)
    (here / "whole.toml").write_text(drawn.replace("folded", "cumulative"))
    for command in ("plan", "train"):
        arguments = [command, "--model", "whole.toml", *(["-o", "pupil"] if command == "train" else [])]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert result.output == "Error: pupil has turns, which need folded contexts: leave them out of its [data].\n"
