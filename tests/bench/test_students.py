"""Training: what a student is shown, in which order, and what is written beside its weights."""

import json
import pickle
import re
from collections import Counter
from dataclasses import replace
from itertools import chain

import pytest

from aletheia_bench.contexts import examples
from aletheia_bench.corpus import TRACES, read
from aletheia_bench.locking import alone
from aletheia_bench.students import Course, made_from, train
from aletheia_plugins import Card, ModelFileError, Trainable, UsageError
from aletheia_tasks import Coloring, Sat, Sudoku


class Rote:
    """A back-end whose students learn by heart what they are shown."""

    name = "rote"

    def open(self, card):
        raise NotImplementedError

    def check(self, card):
        if "wrong" in card.settings:
            raise ModelFileError("[wrong] is wrong.")

    def fit(self, card, pages, out, *, seed, workers, progress):
        self.pages = pages = pickle.loads(pickle.dumps(pages))  # noqa: S301 (our own)
        self.seen = list(chain.from_iterable(pages))
        assert [example for page in pages for example in page] == self.seen  # a second pass sees the same
        progress(1, 1, loss=0.0)
        (out / "weights").write_text(str(seed))
        return {"steps": len(self.seen)}


class Mute:
    """A back-end that cannot train."""

    name = "mute"

    def open(self, card):
        raise NotImplementedError


@pytest.fixture
def card(tmp_path):
    return Card("toy", "rote", tmp_path / "toy.toml", arm="linearized")


COURSE = Course((Sat(), Coloring()), ("tiny", "huge"), 3, seed=7)


def pairs(found) -> list[tuple[str, str]]:
    return [(example.prompt, example.completion) for example in found]


def test_a_student_sees_the_turns_of_every_trace_of_its_arm(card, tmp_path, monkeypatch):
    monkeypatch.setattr("aletheia_bench.students.PAGE", 1_000)
    back = Rote()
    assert isinstance(back, Trainable)
    train(card, back, COURSE, tmp_path / "out")
    corpora = [
        list(read(tmp_path / "out" / "corpus" / f"{name}-tiny-linearized.jsonl")) for name in ("sat", "coloring")
    ]
    assert [[(r["arm"], r["split"], r["seed"]) for r in records] for records in corpora] == [
        [("linearized", "train", 7)] * 3
    ] * 2
    in_turn = [record for pair in zip(*corpora, strict=True) for record in pair]
    turns = [turn for r in in_turn for turn in examples("folded", r["prompt"], r["completion"])]
    assert pairs(back.seen) == pairs(turns)
    sizes = [sum(len(example.prompt) for example in page) for page in back.pages]
    assert len(sizes) > 2


def test_a_corpus_with_a_larger_share_is_spread_as_evenly_as_the_others(card, tmp_path, monkeypatch):
    monkeypatch.setattr("aletheia_bench.students.PAGE", 1)
    back = Rote()
    train(card, back, replace(COURSE, count=4, shares={"coloring-tiny": 3, "sat-huge": 9}), tmp_path / "out")
    tasks = [page[0].prompt.split()[0] for page in back.pages]
    assert tasks == ["sat", "coloring", "coloring", "coloring"] * 4
    assert json.loads((tmp_path / "out" / "training.json").read_text())["shares"]["coloring-tiny"] == 3


def test_a_level_whose_share_is_nothing_is_left_out(card, tmp_path):
    back = Rote()
    train(card, back, replace(COURSE, count=4, shares={"coloring-tiny": 0}), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "corpus").glob("*.jsonl")] == ["sat-tiny-linearized.jsonl"]


@pytest.mark.parametrize(("arm", "goes_back"), [("backtracking", True), ("linearized", False)])
def test_a_control_does_not_practise_what_its_traces_never_do(arm, goes_back, tmp_path):
    back = Rote()
    card = Card("toy", "rote", tmp_path / "toy.toml", arm=arm, exercises=2)
    train(card, back, Course((Sat(), Coloring()), ("tiny",), 5, seed=7), tmp_path / "out")
    practised = [line for example in back.seen for _, line in example.exercises]
    assert any(line.startswith("about ") for line in practised)
    assert any(line.startswith("backtrack ") for line in practised) == goes_back


def test_names_are_given_anew(tmp_path):
    back = Rote()
    card = Card("toy", "rote", tmp_path / "toy.toml", names={"x": 50})
    train(card, back, Course((Sat(),), ("tiny",), 5, seed=7), tmp_path / "out")
    assert any("x4" in example.prompt for example in back.seen)
    assert len({word for example in back.seen for word in re.findall(r"x\d+", example.prompt)}) > 12


def test_a_cumulative_student_sees_whole_traces(tmp_path):
    back = Rote()
    train(Card("toy", "rote", tmp_path, context="cumulative"), back, COURSE, tmp_path / "out")
    assert len(back.seen) == 6
    assert all(example.completion.splitlines()[-1].startswith("answer:") for example in back.seen)


def test_the_card_returns_with_its_new_weights_and_facts_are_beside_them(card, tmp_path):
    out = tmp_path / "out"
    trained = train(replace(card, settings={"training": {"tokens": 9}}), Rote(), COURSE, out)
    assert (trained.weights, trained.sha256, trained.name) == (out, None, "toy")
    assert (out / "weights").read_text() == "7"
    facts = json.loads((out / "training.json").read_text())
    assert {key: facts[key] for key in ("card", "arm", "context", "tasks", "levels", "count", "seed")} == {
        "card": "toy",
        "arm": "linearized",
        "context": "folded",
        "tasks": {"sat": Sat.version, "coloring": Coloring.version},
        "levels": ["tiny", "huge"],
        "count": 3,
        "seed": 7,
    }
    assert facts["steps"] > 0
    assert facts["settings"] == {"training": {"tokens": 9}}


def test_a_second_call_builds_no_corpus_again(card, tmp_path):
    train(card, Rote(), COURSE, tmp_path / "out")
    corpora = sorted((tmp_path / "out" / "corpus").glob("*.jsonl"))
    before = [path.stat().st_mtime_ns for path in corpora]
    train(card, Rote(), COURSE, tmp_path / "out")
    assert [path.stat().st_mtime_ns for path in corpora] == before


def test_a_back_end_that_cannot_train_says_so(tmp_path):
    with pytest.raises(UsageError) as caught:
        train(Card("toy", "mute", tmp_path), Mute(), COURSE, tmp_path / "out")
    assert str(caught.value) == "The back-end 'mute' of toy cannot train; choose a card of one that can."


def test_a_level_that_no_task_has_is_refused(card, tmp_path):
    with pytest.raises(UsageError) as caught:
        train(card, Rote(), Course((Sat(),), ("huge", "vast"), 3), tmp_path / "out")
    assert str(caught.value) == "toy: no task has a level named huge or vast."


def test_a_wrong_recipe_is_found_before_any_data_is_made(tmp_path):
    with pytest.raises(ModelFileError):
        train(Card("toy", "rote", tmp_path, settings={"wrong": {}}), Rote(), COURSE, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["exercises", "turns"])
def test_exercises_and_turns_need_folded_contexts(tmp_path, option):
    with pytest.raises(UsageError) as caught:
        train(Card("toy", "rote", tmp_path, context="cumulative", **{option: 2}), Rote(), COURSE, tmp_path / "out")
    assert str(caught.value) == f"toy has {option}, which need folded contexts: leave them out of its [data]."


def test_detours_stand_behind_the_turns_of_their_trace(tmp_path):
    course, back, plain = Course((Sat(),), ("tiny",), 5, seed=7), Rote(), Rote()
    train(Card("toy", "rote", tmp_path / "toy.toml", exercises=2, detours=1), back, course, tmp_path / "out")
    train(Card("toy", "rote", tmp_path / "toy.toml", exercises=2), plain, course, tmp_path / "plain")
    added = [example for example in back.seen if example not in plain.seen]
    assert len(added) >= 5
    assert set(pairs(plain.seen)) <= set(pairs(back.seen))
    assert all(example.hints for example in added)


def test_disguises_reach_the_corpus(tmp_path):
    course, seen = Course((Sudoku(),), ("tiny",), 8), []
    for count in (0, 32):
        back = Rote()
        train(Card("toy", "rote", tmp_path, disguises=count), back, course, tmp_path / str(count))
        seen.append({example.prompt.partition("\n")[2] for example in back.seen})
    assert seen[0] != seen[1]
    assert seen[0] & seen[1]


def taught(folder, **data) -> Counter:
    """The turns of thirty tiny formulas that a student with this [data] sees, as often as it sees each."""
    back = Rote()
    train(Card("toy", "rote", folder, **data), back, Course((Sat(),), ("tiny",), 30), folder)
    return Counter(pairs(back.seen))


def test_of_a_long_trace_so_many_turns_are_learnt(tmp_path):
    whole, some, more = (taught(tmp_path / str(count), turns=count) for count in (0, 6, 1000))
    assert more == whole
    records = read(tmp_path / "6" / "corpus" / "sat-tiny-backtracking.jsonl")
    lengths = [len(list(examples("folded", record["prompt"], record["completion"]))) for record in records]
    assert some.total() == sum(min(6, length) for length in lengths) < sum(lengths)
    assert some <= whole
    firsts = [prompt for prompt, _ in some if not prompt.startswith("state")]
    assert 0 < len(firsts) < 30, "not always the first ones"


def test_detours_come_on_top_of_the_turns_that_are_drawn(tmp_path):
    drawn, both = (taught(tmp_path / str(count), turns=3, detours=count) for count in (0, 2))
    assert drawn.total() == 90
    assert drawn <= both
    assert both.total() > 180


@pytest.mark.parametrize("data", [{}, {"turns": 2}, {"turns": 2, "detours": 4, "exercises": 4}])
def test_a_page_has_about_as_many_characters_as_it_should(tmp_path, monkeypatch, data):
    monkeypatch.setattr("aletheia_bench.students.PAGE", 20_000)
    back = Rote()
    train(Card("toy", "rote", tmp_path, **data), back, Course((Sat(),), ("tiny",), 300), tmp_path / "out")
    sizes = [
        sum(len(e.prompt + e.completion + "".join(lines for _, lines in e.exercises)) for e in page)
        for page in back.pages
    ]
    assert 10_000 < sum(sizes[:-1]) / len(sizes[:-1]) < 40_000


def test_pages_are_the_same_whenever_they_are_made(card, tmp_path, monkeypatch):
    monkeypatch.setattr("aletheia_bench.students.PAGE", 1_000)
    monkeypatch.setattr("aletheia_bench.students.SIZED", 2)
    sizes = []
    for folder in ("once", "again"):
        back = Rote()
        train(card, back, replace(COURSE, count=20), tmp_path / folder)
        sizes.append([len(page) for page in back.pages])
    assert sizes[0] == sizes[1]
    assert len(sizes[0]) > 2


@pytest.mark.parametrize("other", [{"context": "cumulative"}, {"arm": "linearized"}])
def test_detours_are_for_folded_students_that_backtrack(tmp_path, other):
    with pytest.raises(UsageError) as caught:
        train(Card("toy", "rote", tmp_path, detours=1, **other), Rote(), COURSE, tmp_path / "out")
    assert str(caught.value) == (
        "toy has detours, which need folded contexts and the arm backtracking: leave them out of its [data]."
    )


@pytest.mark.parametrize(
    ("card_changes", "course_changes", "said"),
    [
        ({"exercises": 3}, {}, "exercises 2, not 3"),
        ({"names": {"x": 9}}, {}, "x None, not 9"),
        ({"arm": "answer"}, {}, "arm 'linearized', not 'answer'"),
        ({"settings": {"training": {"tokens": 9, "clip": 2.0}}}, {}, "clip 1.0, not 2.0"),
        ({}, {"count": 4}, "count 3, not 4"),
        ({}, {"shares": {"sat-tiny": 2}}, "sat-tiny None, not 2"),
        ({}, {"seed": 8}, "seed 7, not 8"),
        ({}, {"levels": ("tiny",)}, "levels ['tiny', 'huge'], not ['tiny']"),
    ],
)
def test_a_training_goes_on_with_the_same_options_only(card, tmp_path, card_changes, course_changes, said):
    card = replace(card, exercises=2, settings={"training": {"tokens": 9, "clip": 1.0}})
    train(card, Rote(), COURSE, tmp_path / "out")
    with pytest.raises(UsageError) as caught:
        train(replace(card, **card_changes), Rote(), replace(COURSE, **course_changes), tmp_path / "out")
    assert str(caught.value) == (f"{tmp_path / 'out'} was begun with {said}: train into another folder, or delete it.")


def test_a_training_of_other_traces_does_not_go_on(card, tmp_path):
    train(card, Rote(), COURSE, tmp_path / "out")
    path = tmp_path / "out" / "corpus" / "options.json"
    begun = json.loads(path.read_text())
    assert begun.pop("traces") == TRACES
    path.write_text(json.dumps(begun))
    with pytest.raises(UsageError) as caught:
        train(card, Rote(), COURSE, tmp_path / "out")
    assert str(caught.value) == (
        f"{tmp_path / 'out'} was begun with traces 1, not {TRACES}: train into another folder, or delete it."
    )


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_damaged_options_are_a_sentence(card, tmp_path, content):
    train(card, Rote(), COURSE, tmp_path / "out")
    path = tmp_path / "out" / "corpus" / "options.json"
    path.write_text(content)
    with pytest.raises(UsageError) as caught:
        train(card, Rote(), COURSE, tmp_path / "out")
    assert str(caught.value) == f"{path} is damaged: delete {tmp_path / 'out'}, or train into another folder."


def test_the_token_budget_and_the_order_of_options_may_change(card, tmp_path):
    train(replace(card, settings={"training": {"tokens": 9, "clip": 1.0}}), Rote(), COURSE, tmp_path / "out")
    table = {"clip": 1.0, "checkpoint_seconds": 1.0, "tokens": 18}
    train(replace(card, settings={"training": table}), Rote(), COURSE, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "training.json").read_text())["settings"]["training"]["tokens"] == 18


def test_a_folder_is_for_one_training_at_a_time(card, tmp_path):
    (tmp_path / "out").mkdir()
    with alone(tmp_path / "out" / ".lock", UsageError("taken")), pytest.raises(UsageError) as caught:
        train(card, Rote(), COURSE, tmp_path / "out")
    assert str(caught.value) == (
        f"Another training is at work in {tmp_path / 'out'}: wait for it, or use another folder."
    )


@pytest.mark.parametrize(
    "change",
    [
        {"exercises": 3},
        {"detours": 1},
        {"disguises": 8},
        {"turns": 8},
        {"base": "other"},
        {"chat": True},
        {"names": {"x": 9}},
        {"arm": "answer"},
        {"context": "cumulative"},
        {"settings": {"training": {"tokens": 9}}},
    ],
)
def test_what_a_student_is_made_from_is_all_that_its_card_says(card, change):
    assert made_from(replace(card, **change), COURSE) != made_from(card, COURSE)
