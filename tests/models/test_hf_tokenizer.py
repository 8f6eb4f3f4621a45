"""The tokenizer: any text comes back as it was, and a word that a student will write is one token."""

import random
import re

from hypothesis import example, given, settings, strategies as st
from transformers import AutoTokenizer

from aletheia_bench.corpus import Plan, make
from aletheia_models.hf.tokenizer import END, PAD, WORD, build_tokenizer, count_words
from aletheia_tasks import aletheia_tasks

RECORDS = [
    make(Plan(task(), level, 12, arm=arm), index)
    for task in aletheia_tasks()
    for level in ("tiny", "small")
    for arm in ("backtracking", "linearized")
    for index in range(12)
]
TEXTS = [record["prompt"] + record["completion"] for record in RECORDS]
TOKENIZER = build_tokenizer(count_words(TEXTS), min_count=1)
WORDS = sorted({word for text in TEXTS for word in WORD.findall(text)})


def ids(text: str, tokenizer=TOKENIZER) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def test_every_prompt_and_trace_of_every_task_comes_back():
    for text in TEXTS:
        assert TOKENIZER.decode(ids(text)) == text


def test_every_word_of_them_is_one_token():
    for text in TEXTS:
        assert len(ids(text)) == len(WORD.findall(text))
    literals = [word for word in WORDS if re.search("[a-z0-9]!?=", word)]
    assert len(literals) > 50
    assert all(len(ids(word)) == 1 for word in literals)


def test_a_turn_is_read_as_it_was_written():
    """A prompt made of lines that were written apart has the tokens of the lines."""
    for record in RECORDS[::6]:
        lines = record["completion"].splitlines(keepends=True)
        assert sum(map(ids, lines), ids(record["prompt"])) == ids(record["prompt"] + record["completion"])


ODD = ["  ", "x1=1x1=1", " state", "é", "Ġ", "\r\n\t", "\x00", "👩\u200d🔬", "\ufeff", "e\u0301", "ﬁ", "x1=1\u00a0"]


@given(st.text() | st.lists(st.sampled_from([*WORDS, *ODD])).map("".join))
@example("".join(ODD))
@settings(max_examples=300)
def test_any_text_comes_back(text):
    assert TOKENIZER.decode(ids(text)) == text


@given(st.lists(st.text(max_size=5) | st.sampled_from(ODD), min_size=1, max_size=6), st.text(max_size=5))
@example(["é"], "é")
@settings(max_examples=60)
def test_any_text_comes_back_from_a_tokenizer_that_was_built_from_it(texts, other):
    tokenizer = build_tokenizer(count_words(texts), min_count=1)
    for text in [*texts, other, "".join(texts)]:
        assert tokenizer.decode(ids(text, tokenizer)) == text


def test_the_order_of_the_texts_does_not_matter():
    shuffled = random.Random(1).sample(TEXTS, len(TEXTS))
    assert build_tokenizer(count_words(shuffled), min_count=1).get_vocab() == TOKENIZER.get_vocab()


def test_a_rare_word_is_spelt_in_bytes():
    tokenizer = build_tokenizer(count_words(["often\noften\nonce\n"]), min_count=2)
    assert len(ids("often", tokenizer)) == 1
    assert len(ids("once", tokenizer)) == len("once")


def test_end_and_padding_are_tokens_of_their_own():
    assert TOKENIZER.eos_token == END
    assert TOKENIZER.pad_token == PAD
    assert len({TOKENIZER.eos_token_id, TOKENIZER.pad_token_id}) == 2
    used = {token for text in TEXTS for token in ids(text)}
    assert not used & {TOKENIZER.eos_token_id, TOKENIZER.pad_token_id}


def test_a_tokenizer_that_was_saved_reads_the_same(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    for text in [*TEXTS[::5], "".join(ODD)]:
        assert ids(text, again) == ids(text)
        assert again.decode(ids(text)) == text
    assert (again.eos_token_id, again.pad_token_id) == (TOKENIZER.eos_token_id, TOKENIZER.pad_token_id)
