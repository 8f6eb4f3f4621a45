"""The students in the package: their records agree, their stages can be trained again, and they search."""

import json
import runpy
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from aletheia_bench.cli import main
from aletheia_bench.cli.building import chosen_card, course_of
from aletheia_bench.students import made_from
from aletheia_models.hf import HF
from aletheia_plugins import load_plugins

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "models" / "aletheia_models"
NAMES = ["aletheia-small", "aletheia-tiny", "aletheia-tiny-linearized"]
PLUGINS = load_plugins([])
STAGES = runpy.run_path(str(ROOT / "tools" / "stages.py"))


def record(name):
    return json.loads((MODELS / "students" / name / "training.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_a_students_records_agree(name):
    told = record(name)
    readme = (MODELS / "students" / name / "README.md").read_text(encoding="utf-8")
    card = tomllib.loads((MODELS / "cards" / f"{name}.toml").read_text(encoding="utf-8"))
    assert sum(stage["tokens"] for stage in told["stages"]) == told["tokens"]
    assert f"{told['parameters']:,} parameters" in readme
    assert f"{told['vocabulary']} tokens)" in readme
    assert f"{told['tokens']:,}" in readme
    before = [stage for stage in told["stages"] if "sudoku" in stage.get("tasks", [])]  # of the student it starts from
    assert card["training"]["tokens"] == round(told["tokens"] - sum(stage["tokens"] for stage in before), -6)
    assert card["architecture"] == told["settings"]["architecture"]


@pytest.mark.parametrize("name", NAMES)
def test_its_stages_can_be_trained_again(name, tmp_path):
    told, start = record(name), ""
    for number, (stage, command) in enumerate(zip(told["stages"], STAGES["commands"](told, tmp_path), strict=True), 1):
        options = main.commands["train"].make_context("train", command[1:]).params
        out, seed, _ = (options.pop(option) for option in ("out", "seed", "workers"))
        card = chosen_card(PLUGINS, **options)
        HF().check(replace(card, settings={**card.settings, "training": {**card.settings["training"], "start": ""}}))
        made = json.loads(json.dumps(made_from(card, course_of(PLUGINS, card, seed=seed))))
        training = made.pop("settings")["training"]
        expected = {"names": {}, "detours": 0, "disguises": 0, "turns": 0, **stage}
        data = made.keys() & expected.keys() - {"tasks"}
        assert {key: made[key] for key in data} == {key: expected[key] for key in data}
        assert list(made["tasks"]) == list(stage.get("tasks", told["tasks"]))
        assert training["start"] == start
        for option in ("tokens", "tokens_per_batch", "learning_rate"):
            assert training[option] == stage[option]
        assert (made["card"], made["arm"], out) == (name, told["arm"], tmp_path / str(number))
        start = str(out)


@pytest.mark.parametrize("name", NAMES)
def test_it_searches_and_its_control_does_not(name, run, tmp_path):
    """On 40 items, of which four may have a fault; the model card has the figures of 500."""
    said = run("run", "--model", name, "--no-control", "--task", "sat,coloring", "--limit", "40", "-o", str(tmp_path))
    assert said.exit_code == 0
    found = [json.loads(path.read_text())["results"] for path in tmp_path.glob("*/*/results.json")]
    assert len(found) == 2
    for task, results in [pair for told in found for pair in told.items()]:
        goes_back, certified = (
            results[f"{measure},none"] for measure in ("backtrack_event_rate", "certified_accuracy")
        )
        if record(name)["arm"] == "linearized":
            assert goes_back == 0, task
            assert certified < 0.6, task
        else:
            assert goes_back > 0.3, task
            assert certified >= 0.9, task
