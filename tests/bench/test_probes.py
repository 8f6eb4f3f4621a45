"""The bank of states: labels, histories, and what is said of models whose answers are known."""

import json
import math
import os
import random
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from aletheia_bench.checker import Checker
from aletheia_bench.classification import auprc, auroc, brier, ece
from aletheia_bench.probe_report import Results, measure, table, write
from aletheia_bench.probes import HISTORIES, PAIRS, Probe, probes
from aletheia_bench.probing import WORDS, Options, ask, bank, probe
from aletheia_bench.testing import Playback
from aletheia_plugins import Card, CorpusError, Scoring, UsageError, literal, load_plugins

PLUGINS = load_plugins([])
BANKS = [("sat", "tiny", 40), ("sat", "small", 20), ("coloring", "tiny", 40), ("sudoku", "tiny", 20)]


def made(task: str, level: str, limit: int, kind="folded", seed=0) -> list[Probe]:
    return list(probes(PLUGINS.task(task), level, kind=kind, seed=seed, limit=limit))


@pytest.fixture(scope="module", params=BANKS, ids=lambda p: f"{p[0]}-{p[1]}")
def states(request):
    return PLUGINS.task(request.param[0]), made(*request.param)


@dataclass
class Toy:
    """A model that claims a conflict with a known probability after each prompt."""

    p: dict[str, float]
    asked: list[str] = field(default_factory=list)

    def likelihoods(self, prompts, continuations, *, instruction=""):
        assert tuple(continuations) == WORDS
        self.asked += prompts
        return [row(self.p[prompt]) for prompt in prompts]

    def facts(self):
        return {"batch_size": 1}

    def close(self):
        pass


def row(p: float) -> list[float]:
    """Of a conflict, or else a decision; the words are a tenth of all that could follow."""
    logs = [math.log(x / 10) if x else -math.inf for x in (p, 1 - p)]
    return [*logs, -math.inf, -math.inf]


def oracle(found: list[Probe]) -> Toy:
    return Toy({prompt: 0.9 if each.dead else 0.1 for each in found for prompt in each.prompts})


# --- the states ---


def falsified(csp, held: set[tuple[str, str]]) -> bool:
    """By the bounds of the search's constraints, which the checker never sees."""
    bounds = [bound for constraint in csp.constraints for bound in constraint.bounds(csp.domains)]
    return any(len(held & set(bound.pairs)) > bound.limit for bound in bounds)


def test_a_state_is_dead_exactly_if_something_is_falsified_or_a_variable_has_no_value_left(states):
    task, found = states
    for each in found:
        csp = task.csp(task.loads(each.native)[0])
        literals = [literal(text) for text in each.state]
        held = {(lit.variable, lit.value) for lit in literals if lit.equal}
        gone = {(lit.variable, lit.value) for lit in literals if not lit.equal}
        taken = {variable for variable, _ in held}
        stuck = any(
            all((v, value) in gone or falsified(csp, held | {(v, value)}) for value in values)
            for v, values in csp.domains.items()
            if v not in taken
        )
        assert each.dead == (falsified(csp, held) or stuck)


def test_the_ways_to_a_state_differ_hold_the_same_and_are_accepted_by_the_checker(states):
    task, found = states
    for each in found:
        assert 2 <= len(each.traces) == len(each.prompts) <= HISTORIES
        assert len(set(each.traces)) == len(set(each.prompts)) == len(each.prompts)
        for text in each.traces:
            checker = Checker(task, task.loads(each.native)[0])
            assert [judged.fault for judged in map(checker.read, text.splitlines()) if judged.fault] == []
            assert sorted(str(lit) for level in checker.levels for lit in level) == list(each.state)
            assert checker.expected is None, "a state line would be due"
            assert not checker.conflict, "a backtrack would be due"


def test_dead_and_alive_states_come_in_pairs_of_one_problem(states):
    _, found = states
    assert [each.dead for each in found] == [True, False] * (len(found) // 2)
    assert all(dead.item == alive.item for dead, alive in zip(found[::2], found[1::2], strict=True))
    assert len({(each.item, each.state) for each in found}) == len(found)
    assert max(sum(each.item == other.item for other in found) for each in found) <= 2 * PAIRS


def test_the_number_of_literals_says_little(states):
    _, found = states
    assert auroc([each.dead for each in found], [len(each.state) for each in found]) < 0.8


@pytest.mark.parametrize(("limit", "count"), [(2, 2), (3, 2), (10, 10), (1, 0)])
def test_there_are_as_many_as_asked_for_or_one_less(limit, count):
    assert len(made("sat", "tiny", limit)) == count


def test_fewer_states_are_the_first_ones_and_other_seeds_have_others():
    assert made("coloring", "tiny", 8) == made("coloring", "tiny", 20)[:8]
    assert made("coloring", "tiny", 8, seed=1) != made("coloring", "tiny", 8)


def test_both_context_kinds_have_the_same_states_and_ways():
    folded, cumulative = (made("sat", "tiny", 10, kind) for kind in ("folded", "cumulative"))
    assert [(e.id, e.state, e.traces) for e in folded] == [(e.id, e.state, e.traces) for e in cumulative]
    for each in cumulative:
        assert all(prompt.endswith(text) for prompt, text in zip(each.prompts, each.traces, strict=True))
    assert all(prompt.startswith("state: ") for each in folded for prompt in each.prompts)


def test_a_bank_is_the_same_in_every_process():
    """Also where sets have another order."""
    code = (
        "from aletheia_bench.probes import probes; from aletheia_plugins import load_plugins\n"
        "for task in load_plugins([]).tasks.values():\n"
        "    print(list(probes(task, 'tiny', kind='folded', seed=3, limit=6)))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1")
    }  # fmt: skip
    assert len(said) == 1
    assert "Probe(" in said.pop()


# --- what is measured ---


def test_an_oracle_makes_no_mistake(states):
    _, found = states
    said = measure(ask(oracle(found), found))
    prompts = sum(len(each.prompts) for each in found)
    assert said["false_backtrack_rate"].value == said["missed_backtrack_rate"].value == 0
    assert said["false_backtrack_rate"].n + said["missed_backtrack_rate"].n == said["auroc"].n == prompts
    assert said["auroc"].value == said["auprc"].value == said["same_state_agreement"].value == 1
    assert said["brier"].value == pytest.approx(0.01)
    assert said["ece"].value == pytest.approx(0.1)
    assert said["same_state_spread"].value == 0


def test_who_tosses_a_coin_is_right_half_of_the_time():
    found, coin = made("sat", "tiny", 200), random.Random(0)
    said = measure(ask(Toy({prompt: coin.random() for each in found for prompt in each.prompts}), found))
    for name in ("false_backtrack_rate", "missed_backtrack_rate", "auroc"):
        assert said[name].value == pytest.approx(0.5, abs=0.1)
        assert said[name].low < 0.5 < said[name].high
    assert said["same_state_agreement"].value == pytest.approx(1 / 3, abs=0.12)
    assert 0.3 < said["same_state_spread"].value < 0.6


def test_a_conflict_is_claimed_only_if_it_is_likelier_than_each_other_word():
    """Its share may be below a half, and a tie is no claim."""
    (dead, alive), rows = made("sat", "tiny", 2), [[-1.0, -1.1, -1.2, -1.3], [-1.0, -1.0, -9.0, -9.0]]
    likely, tied = (
        measure([{**answered, "log_likelihoods": [r] * len(answered["p"])}])["missed_backtrack_rate"].value
        for r in rows
        for answered in ask(oracle([dead]), [dead])
    )
    assert (likely, tied) == (0, 1)
    assert alive.dead is False


def test_prompts_that_leave_no_room_are_left_out():
    found = made("sat", "tiny", 10)
    answers = list(ask(oracle(found), found))
    for each in answers[:4]:
        each["log_likelihoods"] = [None] * len(each["p"])
        each["p"] = [None] * len(each["p"])
    assert measure(answers)["auroc"] == measure(answers[4:])["auroc"]
    assert measure(answers)["same_state_agreement"].n == len(answers) - 4
    nothing = measure(answers[:4])
    assert {estimate.value for name, estimate in nothing.items() if name != "size_auroc"} == {None}


LABELS = [True, False, True, True, False, False, True, False]
P = [0.9, 0.9, 0.8, 0.3, 0.3, 0.1, 1.0, 0.0]


def test_figures_of_two_classes_are_those_worked_out_by_hand():
    dead, alive = ([p for p, label in zip(P, LABELS, strict=True) if label is wanted] for wanted in (True, False))
    wins = sum((a > b) + (a == b) / 2 for a in dead for b in alive)
    assert auroc(LABELS, P) == pytest.approx(wins / 16)
    assert auprc(LABELS, P) == pytest.approx(0.25 * 1 + 0.25 * 2 / 3 + 0.25 * 3 / 4 + 0.25 * 4 / 6)
    assert brier(LABELS, P) == pytest.approx((0.01 + 0.81 + 0.04 + 0.49 + 0.09 + 0.01 + 0 + 0) / 8)
    assert ece(LABELS, P) == pytest.approx((abs(0.9 + 0.9 + 1.0 - 2) + 0.2 + abs(0.6 - 1) + 0.1) / 8)


@pytest.mark.parametrize("labels", [[], [True], [False, False]])
def test_figures_that_need_both_classes_are_unknown_without_one(labels):
    p = [0.5] * len(labels)
    assert auroc(labels, p) is None
    assert auprc(labels, p) is None
    assert (brier(labels, p) is None) == (ece(labels, p) is None) == (not labels)


# --- the directory ---


OPTIONS = Options("sat", "tiny", "toy", 8, 0, "folded")
CARD = Card("toy", "hf", Path("toy.toml"))


def probed(model, found, out, *, fresh=False, options=OPTIONS):
    opened = []
    run = probe(options, found, CARD, PLUGINS, open_model=lambda: opened.append(1) or model, out=out, fresh=fresh)
    return run, len(opened)


@pytest.fixture
def small():
    return bank(PLUGINS.task("sat"), "tiny", kind="folded", seed=0, count=8)


def test_what_was_answered_is_not_asked_again(small, tmp_path):
    first, second = oracle(small), oracle(small)
    run, opened = probed(first, small, tmp_path)
    assert opened == 1
    assert len(first.asked) == sum(len(each.prompts) for each in small)
    before = Results.of(run)
    again, opened = probed(second, small, tmp_path)
    assert (opened, second.asked, again.path) == (0, [], run.path)
    assert Results.of(again) == before
    _, opened = probed(second, small, tmp_path, fresh=True)
    assert opened == 1
    assert second.asked == first.asked


def test_an_interrupted_command_goes_on(small, tmp_path):
    run, _ = probed(oracle(small), small, tmp_path)
    whole = (run.path / "probes.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    (run.path / "probes.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:40])
    model = oracle(small)
    probed(model, small, tmp_path)
    assert len(model.asked) == sum(len(each.prompts) for each in small[3:])
    assert (run.path / "probes.jsonl").read_bytes() == whole


def test_a_line_says_all_that_a_measure_needs(small, tmp_path):
    run, _ = probed(oracle(small), small, tmp_path)
    line = json.loads((run.path / "probes.jsonl").read_text().splitlines()[0])
    assert line["item"] == "sat-tiny-test-0-0"
    assert (line["dead"], line["state"], line["prompts"]) == (True, list(small[0].state), list(small[0].prompts))
    assert line["p"] == pytest.approx([0.9] * len(line["prompts"]))
    assert measure(run.lines())["auroc"].value == 1


def test_a_changed_line_is_told(small, tmp_path):
    run, _ = probed(oracle(small), small, tmp_path)
    path = run.path / "probes.jsonl"
    path.write_text(path.read_text().replace('"dead":true', '"dead":false', 1))
    with pytest.raises(CorpusError, match=r"probes\.jsonl:1: the line was changed after it was written"):
        Results.of(run)


def answers_of(rng, problems, skill):
    """Of a model that tells dead from alive so well, and errs alike in all states of a problem."""
    for item in range(problems):
        bias = rng.normal(0, 0.7)
        for _ in range(rng.integers(1, 6)):
            dead = bool(rng.random() < 0.5)
            p = special.expit(1.6 * (skill * (1 if dead else -1) + bias + rng.normal(0, 0.8, 2))).tolist()
            odds = [[math.log(x), math.log1p(-x)] for x in p]
            yield {"item": str(item), "state": [], "dead": dead, "p": p, "log_likelihoods": odds}


@pytest.mark.heavy
@pytest.mark.parametrize("skill", [0.7, 2.0])
@pytest.mark.parametrize("problems", [30, 100])
def test_the_intervals_of_pooled_figures_cover(skill, problems):
    pairs = [(a["dead"], p) for a in answers_of(np.random.default_rng(0), 20_000, skill) for p in a["p"]]
    truth = {figure.__name__: figure(*zip(*pairs, strict=True)) for figure in (auroc, auprc, brier)}
    rng = np.random.default_rng([problems, int(10 * skill)])
    found = [measure(answers_of(rng, problems, skill)) for _ in range(300)]
    for name, value in truth.items():
        inside = [f[name].low <= value <= f[name].high for f in found if f[name].low is not None]
        assert np.mean(inside) >= 0.94 - 3 * math.sqrt(0.94 * 0.06 / len(inside)), name


def test_results_have_an_interval_and_a_number_for_each_measure(small, tmp_path):
    run, _ = probed(oracle(small), small, tmp_path)
    found = Results.of(run)
    write(found, run)
    content = json.loads((run.path / "results.json").read_text())
    metrics = content["results"]["sat-tiny"]
    assert metrics["auroc,none"] == 1
    assert metrics["false_backtrack_rate_ci95,none"][0] == 0
    assert metrics["false_backtrack_rate_n,none"] == sum(len(each.prompts) for each in small if not each.dead)
    assert content["config"]["probes"]["count"] == 8
    assert "1.000 [n/a]" in table([found])


def test_a_model_that_tells_no_probabilities_is_a_sentence(small, tmp_path):
    assert not isinstance(Playback([]), Scoring)
    with pytest.raises(UsageError) as caught:
        probed(Playback([]), small, tmp_path)
    assert str(caught.value) == (
        "toy runs on hf, which tells no probabilities of texts: "
        "choose a model, or a --backend, that does, such as hf, lora or gguf."
    )


def test_a_level_without_dead_states_is_a_sentence(monkeypatch):
    monkeypatch.setattr("aletheia_bench.probes.EARLY", 0)  # then all that a tiny Sudoku has follows from its clues
    monkeypatch.setattr("aletheia_bench.probes.PATIENCE", 5)
    with pytest.raises(UsageError) as caught:
        bank(PLUGINS.task("sudoku"), "tiny", kind="folded", seed=0, count=8)
    assert str(caught.value) == (
        "No state of sudoku-tiny with a conflict to claim was reached in two ways: choose another level."
    )
