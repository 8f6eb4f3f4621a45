"""Randomness depends on keys alone, and the split on the canonical form alone."""

import os
import subprocess
import sys

from hypothesis import given, strategies as st

import aletheia_plugins
from aletheia_plugins import belongs, generator

KEYS = st.lists(
    st.text(st.characters(exclude_characters="\x1f", codec="utf-8"), max_size=5) | st.integers(), min_size=1
)
PINNED = 3866696942550388447


def test_a_generator_is_the_same_in_every_process():
    """A changed literal here means that every corpus changes: then every task needs a new version."""
    code = (
        "from aletheia_plugins import generator; print(generator('sat', '1', 'small', 'train', 0, 7).getrandbits(64))"
    )
    for hash_seed in ("0", "1"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        assert int(done.stdout) == PINNED


def test_neighbouring_keys_have_nothing_in_common():
    """With seed + index, item 1 of seed 0 would be item 0 of seed 1."""
    draws = [generator("sat", seed, index).getrandbits(64) for seed in range(30) for index in range(30)]
    assert len(set(draws)) == 900


def test_a_key_is_its_parts_and_not_their_concatenation():
    assert generator("a", "bc").random() != generator("ab", "c").random()
    assert generator(1, 12).random() != generator(11, 2).random()


@given(KEYS)
def test_a_generator_depends_on_its_key_alone(key):
    assert generator(*key).random() == generator(*key).random()


@given(st.text(st.characters(codec="utf-8")))
def test_every_canonical_form_is_in_exactly_one_split(canonical):
    assert belongs(canonical, "train") != belongs(canonical, "test")


def test_a_quarter_of_all_forms_is_held_out():
    share = sum(belongs(f"p cnf {n}", "test") for n in range(4000)) / 4000
    assert 0.23 < share < 0.27


def test_the_split_of_a_form_never_changes():
    """A changed literal here means that trained students have seen test problems."""
    assert "".join("T" if belongs(str(n), "test") else "." for n in range(24)) == "T................TTT...."


def test_all_names_exist_and_are_sorted_as_ruff_sorts_them():
    assert all(hasattr(aletheia_plugins, name) for name in aletheia_plugins.__all__)
    assert len(set(aletheia_plugins.__all__)) == len(aletheia_plugins.__all__)
