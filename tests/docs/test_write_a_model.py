"""The page about models: its example keeps the contract, and no ability is left out."""

import runpy
from pathlib import Path

import aletheia_plugins
from aletheia_bench.testing import check_model
from aletheia_plugins import Card, Completion, Request

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/write-a-model.md").read_text(encoding="utf-8")
OF_TASKS = {"Disguising", "Drawing"}


def test_the_example_keeps_the_contract():
    path = ROOT / "docs/examples/parrot.py"
    (backend,) = runpy.run_path(str(path))["aletheia_backends"]()
    card = Card("polly", backend.name, path)
    check_model(lambda: backend().open(card), prompts=["once upon a time\n", "1 2 3\n"])


def test_every_ability_of_a_model_or_a_back_end_is_in_the_table_with_its_methods():
    everything = {name: getattr(aletheia_plugins, name) for name in aletheia_plugins.__all__}
    abilities = {name: found for name, found in everything.items() if getattr(found, "_is_runtime_protocol", False)}
    for name in abilities.keys() - OF_TASKS:
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
        assert [m for m in vars(abilities[name]) if not m.startswith("_") and f"`{m}`" not in row] == []


def test_every_field_of_a_request_and_a_completion_is_spoken_of():
    fields = [*Request.__dataclass_fields__, *Completion.__dataclass_fields__]
    assert [field for field in fields if f"`{field}`" not in PAGE and field not in ("prompt", "text", "finish")] == []
