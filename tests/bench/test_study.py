"""Studies: files that say what they want, students that share nothing by accident, and one report of what came out."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from aletheia_bench import page, study_report
from aletheia_bench.cli import main
from aletheia_bench.measures import measure
from aletheia_bench.results import Results
from aletheia_bench.scoring import Outcome
from aletheia_bench.study import Study, pool, read, students, tries
from aletheia_bench.study_report import Conducted, markdown, sections
from aletheia_plugins import UsageError, load_plugins

from .test_cli import needs
from .test_report import a_score

ROOT = Path(__file__).parents[2]
LEAST = 'name = "s"\nmodels = ["m.toml"]\ntasks = ["sat"]\nlevels = ["tiny"]\narms = ["backtracking"]\nseeds = [0]\n'
CARD = """
name = "mini"
backend = "hf"
max_tokens = 60
[data]
tasks = ["sat"]
levels = ["tiny"]
count = 10
[architecture]
hidden_size = 16
intermediate_size = 32
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 2
max_position_embeddings = 512
[training]
tokens = 4_000
tokens_per_batch = 512
"""


def written(folder, text):
    path = folder / "study.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LEAST + "limits = 3\n", "There is no key of a study"),
        (LEAST.replace("seeds", "seed"), "Did you mean seeds"),
        (LEAST.replace('tasks = ["sat"]\n', ""), "a study needs tasks."),
        (LEAST.replace('["sat"]', '"sat"'), "tasks is 'sat', expected a list of names."),
        (LEAST.replace("[0]", "[]"), "seeds is [], expected a list of numbers."),
        (LEAST.replace("[0]", "[0, 0]"), "seeds has 0 twice."),
        (LEAST + "limit = 0\n", "limit is 0, expected a positive number."),
        (LEAST + 'temperature = "hot"\n', "temperature is 'hot', expected a positive number."),
        (LEAST.replace('["backtracking"]', '["sideways"]'), "There is no arm 'sideways'."),
        ("name = [", "is not a readable study"),
        (LEAST.replace('"s"', '"../s"'), "name is '../s', expected letters, digits, hyphens"),
        (LEAST + "temperature = nan\n", "temperature is nan, expected a positive number."),
    ],
)
def test_a_mistake_in_a_study_is_a_sentence(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read(path)
    assert message in str(caught.value)
    told = CliRunner().invoke(main, ["study", str(path), "-o", str(tmp_path / "out")])
    assert told.exit_code == 2
    assert told.stderr.count("Error: ") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["paper", "arms"])
def test_the_studies_that_ship_can_be_read_and_their_students_made(name):
    study = read(ROOT / "studies" / f"{name}.toml")
    assert study.name == name
    assert study.limit >= 500
    found = students(study, load_plugins([]), ROOT / "studies")
    assert len({s.card.name for s in found}) == len(study.arms) * len(study.seeds)


def test_students_differ_in_arm_and_seed_alone_and_scale_multiplies_what_they_read(tmp_path):
    (tmp_path / "m.toml").write_text(CARD)
    study = read(written(tmp_path, LEAST.replace('["backtracking"]', '["backtracking", "answer"]')))
    small, large = (students(study, load_plugins([]), tmp_path, scale=scale) for scale in (1, 2.5))
    assert [s.card.name for s in small] == ["mini-backtracking-0", "mini-answer-0"]
    assert small[0].card == replace(small[1].card, name="mini-backtracking-0", arm="backtracking")
    assert (large[0].card.count, large[0].card.settings["training"]["tokens"]) == (25, 10_000)


def test_a_card_that_does_not_say_what_to_train_on_is_refused(tmp_path):
    (tmp_path / "m.toml").write_text('name = "m"\nbackend = "hf"\n')
    with pytest.raises(UsageError) as caught:
        students(read(written(tmp_path, LEAST)), load_plugins([]), tmp_path)
    assert "does not say what to train on" in str(caught.value)


def a_run(arm, signs, name="sat-tiny", tokens=10):
    outcomes = {"1": Outcome.SOLVED, "0": Outcome.WRONG}
    scores = tuple(
        replace(a_score(f"{name}-{n}", outcomes[sign]), tokens=tokens, prompt_tokens=0) for n, sign in enumerate(signs)
    )
    config = {"versions": {"task": "1"}, "model": {"parameters": 100}, "hashes": {}}
    return Results(name, arm, config, scores, measure(scores))


def test_seeds_are_further_tries_of_the_same_items():
    both = pool([a_run("a", "1100"), a_run("a", "1000")], model="a")
    assert both.estimates["solve_accuracy"].value == 3 / 8
    assert both.passes[2].value == 2 / 4
    every = pool([a_run("a", "11"), a_run("a", "00", "coloring-tiny")], name="all tasks", model="a")
    assert (every.name, len(every.scores), every.passes) == ("all tasks", 4, {})


def test_as_many_tries_as_the_first_arm_costs():
    costly, cheap = a_run("a", "11", tokens=100), a_run("b", "11", tokens=30)
    assert [tries(costly, cheap, most) for most in (8, 2)] == [3, 2]  # 100/30, never more than it costs
    assert tries(cheap, costly, 8) == 1


STUDY = Study("toy", ("m",), ("sat", "coloring"), ("tiny",), ("backtracking", "linearized"), (0, 1), limit=4, best_of=8)
FACTS = {
    "count": 5, "tasks": {"sat": "1", "coloring": "1"}, "levels": ["tiny"], "tokens": 1000, "completion_tokens": 300,
    "parameters": 100, "seconds": 36.0,
}  # fmt: skip


def conducted(arm, seed, *signs):
    runs = [a_run(arm, sign, name) for sign, name in zip(signs, ("sat-tiny", "coloring-tiny"), strict=True)]
    tried = {"sat-tiny": pool([runs[0], a_run(arm, "1111")], model=arm)} if arm == "linearized" else {}
    return Conducted("m", arm, seed, FACTS, runs, tried)


DONE = [
    conducted("backtracking", 0, "1111", "1110"), conducted("linearized", 0, "1000", "1000"),
    conducted("backtracking", 1, "1111", "1100"), conducted("linearized", 1, "1000", "0000"),
]  # fmt: skip


def test_the_report_has_every_arm_of_every_task_and_of_all_together():
    headline, arms, seeds, tried, signatures, costs = sections(STUDY, DONE)
    assert [row[:2] for row in headline.rows] == [
        [name, arm] for name in ("sat-tiny", "coloring-tiny", "all tasks") for arm in STUDY.arms
    ]
    assert headline.rows[0][2].startswith("100.0 %")
    assert [row[-2] for row in headline.rows] == [
        "100.0 100.0",
        "25.0 25.0",
        "75.0 50.0",
        "25.0 0.0",
        "87.5 75.0",
        "25.0 12.5",
    ]
    assert [row[-1] for row in headline.rows] == [row[-2] for row in headline.rows]  # the toys certify what they solve
    assert [row[:2] for row in arms.rows] == [[n, "linearized"] for n in ("sat-tiny", "coloring-tiny", "all tasks")]
    assert [row[4] for row in arms.rows] == ["3 : 0", "2 : 0", "5 : 0"]
    assert [row[:3] for row in seeds.rows] == [["linearized", 0, 8], ["linearized", 1, 8]]
    found = {(row[0], row[2]): row[3:] for row in tried.rows}
    assert list(found) == [("coloring-tiny", 0), ("coloring-tiny", 1), ("sat-tiny", 0), ("sat-tiny", 1)]
    assert found["sat-tiny", 0][:2] == [2, "2.00"]  # of the price of one
    assert [cell.partition(" %")[0] for cell in found["sat-tiny", 0][2:5]] == ["25.0", "100.0", "100.0"]
    assert found["coloring-tiny", 1][:2] == [1, "1.00"]
    assert found["coloring-tiny", 1][2] == found["coloring-tiny", 1][3]
    assert signatures.rows
    assert [row[1:5] for row in costs.rows] == [["10", "1,000", "300", "6e+05"]] * 2


def test_the_report_is_the_same_as_text_as_a_page_and_as_data():
    text = markdown(STUDY, DONE)
    html = page.of_study(STUDY, sections(STUDY, DONE))
    for section in sections(STUDY, DONE):
        assert f"## {section.title}" in text
        assert f"<h2>{section.title}</h2>" in html
    found = study_report.data(replace(STUDY), [replace(c, runs=[], tried={}) for c in DONE])
    assert json.loads(json.dumps(found))["students"][1]["arm"] == "linearized"


def test_a_study_trains_evaluates_and_reports_and_goes_on_where_it_stopped(tmp_path):
    needs("torch")
    (tmp_path / "m.toml").write_text(CARD)
    path = written(
        tmp_path,
        LEAST.replace('["backtracking"]', '["backtracking", "filler"]') + "limit = 4\nforced = 2\nbest_of = 2\n",
    )
    command = ["study", str(path), "-o", str(tmp_path / "out"), "--workers", "2"]
    first = CliRunner().invoke(main, command, catch_exceptions=False)
    assert first.exit_code == 0
    folder = tmp_path / "out" / "s"
    assert {"report.md", "report.html", "study.json"} <= {file.name for file in folder.iterdir()}
    assert (folder / "report.md").read_text() in first.stdout
    trained = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "students").glob("*/model.safetensors")}
    assert len(trained) == 2
    again = CliRunner().invoke(main, command, catch_exceptions=False)
    assert again.stdout == first.stdout
    assert {p: p.stat().st_mtime_ns for p in trained} == trained
