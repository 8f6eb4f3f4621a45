"""What a card may say of a student and its training, and what is said of a mistake."""

import pytest

from aletheia_models.hf import HF
from aletheia_models.hf.student import build_student
from aletheia_models.hf.training import Recipe
from aletheia_plugins import Card, ModelFileError


def test_the_learning_rate_rises_and_then_falls_to_a_hundredth():
    recipe = Recipe(tokens=1000, learning_rate=1.0, warmup=0.1)
    rates = [recipe.rate(tokens) for tokens in range(0, 1001, 10)]
    assert rates[0] == 0
    assert rates[5] == pytest.approx(0.5, rel=0.01)
    assert max(rates) == rates[10] > 0.97
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == recipe.rate(2000) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "[training] needs tokens, the number of tokens to train on."),
        ({"tokens": "many"}, "[training] tokens is 'many', expected a whole number."),
        ({"tokens": 1, "hint_layer": 1.5}, "[training] hint_layer is 1.5, expected a whole number."),
        ({"tokens": 1, "clip": True}, "[training] clip is True, expected a number."),
        ({"tokens": 1, "start": 7}, "[training] start is 7, expected a text."),
        ({"tokens": 1, "optimizer": "sgd"}, "[training] optimizer is 'sgd', expected muon or adamw."),
        ({"tokens": 0}, "[training] tokens is 0, expected a positive number."),
        ({"tokens": 1, "learning_rate": float("nan")}, "[training] learning_rate is nan, expected a positive number."),
        ({"tokens": 1, "tokens_per_batch": -3}, "[training] tokens_per_batch is -3, expected a positive number."),
        ({"tokens": 1, "beta2": 1.0}, "[training] beta2 is 1.0, expected a number from 0 to less than 1."),
        ({"tokens": 1, "warmup": -1}, "[training] warmup is -1, expected a number from 0 to less than 1."),
        ({"tokens": 1, "weight_decay": -1}, "[training] weight_decay is -1, expected 0 or a positive number."),
        ({"tokens": 1, "hint_layer": -1}, "[training] hint_layer is -1, expected 0 or a positive number."),
        ({"tokens": 1, "learning_rat": 1}, "[training] has no option 'learning_rat'; it takes beta2, "),
    ],
)
def test_a_malformed_recipe_is_a_sentence(table, message):
    with pytest.raises(ModelFileError) as caught:
        Recipe.of(table)
    assert str(caught.value).startswith(message)


def test_a_recipe_is_what_its_table_says():
    assert Recipe.of({"tokens": 5, "warmup": 0.5}) == Recipe(tokens=5, warmup=0.5)


def test_an_architecture_has_the_options_of_llama_only(tokenizer, architecture):
    with pytest.raises(ModelFileError) as caught:
        build_student({**architecture, "hidden_sise": 32}, tokenizer, seed=0)
    assert str(caught.value) == "[architecture] has no option 'hidden_sise'; it takes those of LlamaConfig."


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"num_attention_heads": 5}, "[architecture] makes no student: "),
        ({"hidden_size": "wide"}, "[architecture] makes no student: "),
        ({"hidden_act": "foo"}, "[architecture] makes no student: "),
        ({"vocab_size": 5}, "[architecture] has no option 'vocab_size'; it takes those of LlamaConfig."),
        ({"pad_token_id": 1}, "[architecture] has no option 'pad_token_id'; it takes those of LlamaConfig."),
    ],
)
def test_an_architecture_that_makes_no_student_is_a_sentence(architecture, table, said, tmp_path):
    settings = {"architecture": {**architecture, **table}, "training": {"tokens": 1}}
    with pytest.raises(ModelFileError) as caught:
        HF().check(Card("toy", "hf", tmp_path / "toy.toml", settings=settings))
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_a_misspelt_table_of_a_card_is_a_sentence(tmp_path):
    with pytest.raises(ModelFileError) as caught:
        HF().check(Card("toy", "hf", tmp_path / "toy.toml", settings={"architectur": {}, "training": {"tokens": 1}}))
    assert str(caught.value) == (
        f"{tmp_path / 'toy.toml'}: unknown table [architectur]; known: architecture, training, generation."
    )


def test_parameters_are_counted_once_where_they_are_tied(student, tokenizer):
    model = student()
    assert model.lm_head.weight is model.model.embed_tokens.weight
    layer = 4 * 32 * 32 + 3 * 32 * 64 + 2 * 32
    assert model.num_parameters() == len(tokenizer) * 32 + 2 * layer + 32
