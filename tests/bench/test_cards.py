"""Cards: every mistake in one is a sentence with file and key, and weights are those that the card was written for."""

from pathlib import Path

import pytest

from aletheia_bench.cards import digest, find, override, read, verify
from aletheia_plugins import MissingError, ModelFileError, Plugins, UnknownNameError, UsageError, load_plugins

WHOLE = """
name = "toy"
backend = "hf"
context = "cumulative"
arm = "linearized"
control = "other"
max_tokens = 99

[weights]
path = "weights"
sha256 = "abc"

[data]
tasks = ["sat", "coloring"]
levels = ["tiny"]
count = 7
shares = { "sudoku-small" = 6 }
names = { x = 10 }
exercises = 4
detours = 1
disguises = 32
turns = 16

[architecture]
hidden_size = 32
"""
LEAST = 'name = "toy"\nbackend = "hf"\n'


class Back:
    name = "hf"

    def open(self, card):
        raise NotImplementedError


@pytest.fixture
def card(tmp_path):
    """Writes a card; its path."""

    def make(text: str, name: str = "toy.toml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return make


def refused(path: Path) -> str:
    """What reading the card says, without the path that it begins with."""
    with pytest.raises(ModelFileError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text.removeprefix(str(path)).lstrip(": ")


def test_a_card_is_what_its_file_says(card):
    path = card(WHOLE)
    found = read(path)
    assert (found.name, found.backend, found.context, found.arm) == ("toy", "hf", "cumulative", "linearized")
    assert (found.control, found.max_tokens, found.source) == ("other", 99, path)
    assert (found.weights, found.sha256) == (path.parent / "weights", "abc")
    assert (found.tasks, found.levels, found.count) == (("sat", "coloring"), ("tiny",), 7)
    assert (found.shares, found.names) == ({"sudoku-small": 6}, {"x": 10})
    assert (found.exercises, found.detours, found.disguises, found.turns) == (4, 1, 32, 16)
    assert found.settings == {"architecture": {"hidden_size": 32}}


def test_a_card_needs_a_name_and_a_back_end_only(card):
    found = read(card(LEAST))
    assert (found.context, found.arm, found.weights, found.tasks) == ("folded", "backtracking", None, ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a card needs name."),
        ('name = "toy"', "a card needs backend."),
        ('name = 7\nbackend = "hf"', "name is 7, expected str."),
        (
            LEAST + 'contxt = "folded"',
            "unknown key contxt; known: name, backend, context, arm, control, max_tokens, instructed, chat, base.",
        ),
        (LEAST + 'context = "flat"', "context is 'flat', expected folded or cumulative."),
        (LEAST + 'max_tokens = "many"', "max_tokens is 'many', expected int."),
        (LEAST + "max_tokens = true", "max_tokens is True, expected int."),
        (LEAST + 'weights = "here"', "weights is 'here', expected a table [weights]."),
        (LEAST + "data = 3", "data is 3, expected a table [data]."),
        (LEAST + "[weights]\npath = 3", "weights.path is 3, expected str."),
        (LEAST + '[weights]\nfile = "x"', "unknown key weights.file; known: weights.path, weights.sha256."),
        (LEAST + '[data]\ntasks = "sat"', "data.tasks is 'sat', expected list."),
        (LEAST + '[data]\ntasks = ["sat", 1]', "data.tasks is ['sat', 1], expected a list of names."),
        (LEAST + "[data]\nlevels = [2]", "data.levels is [2], expected a list of names."),
        (LEAST + "[data]\ncount = 1.5", "data.count is 1.5, expected int."),
        (
            LEAST + "[data]\nseed = 1",
            (
                "unknown key data.seed; known: data.tasks, data.levels, data.count, data.shares, data.names, "
                "data.exercises, data.detours, data.disguises, data.turns."
            ),
        ),
        (LEAST + "[data]\nnames = 3", "data.names is 3, expected dict."),
        (LEAST + "[data]\nnames = {x = 0}", "data.names is {'x': 0}, expected whole numbers of 1 or more."),
        (LEAST + "[data]\nshares = {s-t = -1}", "data.shares is {'s-t': -1}, expected whole numbers of 0 or more."),
        (LEAST + "[data]\nshares = {s-t = 0.5}", "data.shares is {'s-t': 0.5}, expected whole numbers of 0 or more."),
    ],
)
def test_a_malformed_card_is_a_sentence_that_names_file_and_key(card, text, message):
    assert refused(card(text)) == message


def test_a_file_that_is_no_toml_or_is_not_there_is_a_sentence(card, tmp_path):
    assert refused(card("name = [")).startswith("is not a readable card: ")
    assert refused(tmp_path / "none.toml").startswith("is not a readable card: ")
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"\xff\xfe")
    assert refused(path).startswith("is not a readable card: ")


def test_an_arm_that_does_not_exist_is_refused(card):
    with pytest.raises(UnknownNameError) as caught:
        read(card(LEAST + 'arm = "linearised"'))
    assert str(caught.value) == (
        "There is no arm 'linearised'. Did you mean linearized or masked? "
        "Known: answer, backtracking, filler, linearized, masked, swapped."
    )


# --- finding ---


def plugins(*paths: Path) -> Plugins:
    return Plugins(backends={"hf": Back()}, cards={path.stem: path for path in paths})


def test_a_card_is_found_by_its_name_and_by_its_file(card, tmp_path):
    path = card(LEAST)
    assert find(plugins(path), "toy").source == path
    assert find(plugins(), str(path)) == find(plugins(path), "toy")


def test_a_folder_or_file_of_weights_needs_no_card(tmp_path):
    found = find(plugins(), f"hf:{tmp_path}")
    assert (found.backend, found.weights, found.settings) == ("hf", tmp_path, {})
    assert found.name.startswith("hf-")
    assert "/" not in found.name


def test_weights_that_are_not_there_are_missing(tmp_path):
    with pytest.raises(MissingError) as caught:
        find(plugins(), f"hf:{tmp_path / 'none'}")
    assert str(caught.value) == (
        f"hf:{tmp_path / 'none'}: there is no {tmp_path / 'none'}; expected a folder or file of weights."
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("tox", "There is no model 'tox'. Did you mean toy? Known: toy."),
        ("gguf:x", "There is no back-end 'gguf'. Known: hf."),
        ("hff:x", "There is no back-end 'hff'. Did you mean hf? Known: hf."),
    ],
)
def test_an_unknown_name_suggests_the_nearest(card, spec, message):
    with pytest.raises(UnknownNameError) as caught:
        find(plugins(card(LEAST)), spec)
    assert str(caught.value) == message


# --- weights ---


@pytest.fixture
def weights(tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"numbers")
    (folder / "config.json").write_text("{}")
    return folder


def with_hash(value: str) -> str:
    return f'{LEAST}[weights]\npath = "weights"\nsha256 = "{value}"\n'


def test_weights_with_the_hash_of_the_card_are_accepted(card, weights):
    assert verify(read(card(with_hash(digest(weights))))) == digest(weights)


def test_weights_with_another_hash_are_refused_with_both(card, weights):
    path = card(with_hash("abc"))
    with pytest.raises(ModelFileError) as caught:
        verify(read(path))
    assert str(caught.value) == (
        f"{weights} has SHA-256 {digest(weights)}, the card {path} says abc: the weights were changed or damaged; "
        "install the package again, or write the new hash into the card."
    )


def test_a_card_without_weights_has_no_digest(card):
    assert verify(read(card(LEAST))) is None
    assert verify(read(card(with_hash("abc")))) is None


def test_a_digest_depends_on_names_and_content_but_not_on_the_model_card(weights):
    before = digest(weights)
    (weights / "README.md").write_text("about")
    assert digest(weights) == before
    (weights / "config.json").write_text("{ }")
    changed = digest(weights)
    (weights / "config.json").rename(weights / "other.json")
    assert len({before, changed, digest(weights)}) == 3


def test_the_digest_of_a_file_is_its_sha256(tmp_path):
    path = tmp_path / "weights.gguf"
    path.write_bytes(b"abc")
    assert digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_model_that_says_nothing_of_itself_is_told_what_to_do(tmp_path):
    """It was not trained here: it reads all that was written so far, and an instruction."""
    (tmp_path / "config.json").write_text("{}")
    stranger = find(load_plugins(autoload=False), f"hf:{tmp_path}")
    assert (stranger.context, stranger.instructed, stranger.chat) == ("cumulative", True, True)
    (tmp_path / "training.json").write_text('{"context": "folded", "arm": "linearized", "chat": true}')
    ours = find(load_plugins(autoload=False), f"hf:{tmp_path}")
    assert (ours.context, ours.arm, ours.instructed, ours.chat) == ("folded", "linearized", False, True)


@pytest.mark.parametrize("said", ["", "[]", '{"arm": "linearized"}'])
def test_what_a_training_wrote_may_be_damaged(tmp_path, said):
    (tmp_path / "training.json").write_text(said)
    with pytest.raises(ModelFileError, match=r"training.json is not what a training writes"):
        find(load_plugins(autoload=False), f"hf:{tmp_path}")


# --- other options than the card's ---


def test_an_option_of_a_table_can_be_set_to_a_number_a_word_or_a_list(card):
    before = read(card(WHOLE))
    after = override(before, ["architecture.hidden_size=64", "architecture.act=silu", "architecture.sizes=[1, 2]"])
    assert after.settings == {"architecture": {"hidden_size": 64, "act": "silu", "sizes": [1, 2]}}
    assert before.settings == {"architecture": {"hidden_size": 32}}


def test_the_last_of_several_values_counts(card):
    options = ["architecture.hidden_size=64", "architecture.hidden_size=96"]
    assert override(read(card(WHOLE)), options).settings["architecture"]["hidden_size"] == 96


@pytest.mark.parametrize("option", ["hidden_size=64", "architecture.hidden_size", "architecture.=1", "", "="])
def test_an_option_that_names_no_table_and_value_is_refused(card, option):
    with pytest.raises(UsageError) as caught:
        override(read(card(WHOLE)), [option])
    assert str(caught.value) == (
        f"{option!r} is no option of a card; expected base=PATH or TABLE.OPTION=VALUE: training.tokens=1000000."
    )


def test_what_it_is_trained_on_can_be_set_too(card):
    options = ["data.shares={ sat-small = 2 }", 'data.levels=["small"]', "data.detours=0", "data.count=7"]
    after = override(read(card(WHOLE)), options)
    assert (after.shares, after.levels, after.detours, after.count) == ({"sat-small": 2}, ("small",), 0, 7)
    assert after.tasks == read(card(WHOLE)).tasks
    assert "data" not in after.settings


@pytest.mark.parametrize(
    ("option", "objection"),
    [
        ("data.count=0", "-M: data.count is 0, expected 1 or more."),
        ("data.levels=small", "-M: data.levels is 'small', expected list."),
        ("data.tokens=1", "-M: unknown key data.tokens; known: data.tasks, data.levels, data.count, data.shares, "),
    ],
)
def test_what_it_cannot_be_trained_on_is_refused(card, option, objection):
    with pytest.raises(UsageError) as caught:
        override(read(card(WHOLE)), [option])
    assert str(caught.value).startswith(objection)


def test_a_table_that_the_card_does_not_have_begins_with_its_first_option(card):
    after = override(read(card(WHOLE)), ["generation.batch_size=64"])
    assert after.settings == {"architecture": {"hidden_size": 32}, "generation": {"batch_size": 64}}
