"""What the documents show is what the code does."""

import math
import re
from pathlib import Path

import pytest

from aletheia_bench.checker import Fault, review
from aletheia_bench.forced import judge
from aletheia_bench.measures import MEASURES
from aletheia_bench.probe_report import measure
from aletheia_bench.scoring import score
from aletheia_plugins import load_plugins

from .test_measures import sample

ROOT = Path(__file__).parents[2]
SAT = load_plugins([]).task("sat")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_fault_is_in_the_table_of_measures():
    text = read("docs/measures.md")
    assert [fault for fault in Fault if str(fault) not in text] == []


def test_the_example_of_measures_is_judged_as_it_says():
    block = read("docs/measures.md").split("## An example\n\n")[1].split("\n\nSolved")[0]
    lines = [line.removeprefix("    ") for line in block.splitlines() if line.strip()]
    trace = [re.split(r"\s{4,}", line) for line in lines[3:]]
    problem = SAT.loads("p cnf 2 2\n1 2 0\n-1 0\n")[0]
    assert "\n".join(lines[:3]) + "\n" == SAT.render(problem)
    found = review(SAT, problem, "\n".join(line for line, _ in trace)).judgements
    assert [j.fault is None for j in found] == [not said.startswith("fault") for _, said in trace]
    assert [j.fault for j in found if j.fault] == [Fault.STALE]


def test_the_example_of_probes_has_the_figures_that_it_says():
    section = read("docs/measures.md").split("## Probes\n\n")[1].split("## Faults")[0]
    rows = re.findall(r"^\| ([AB]) \| (dead|alive) \| ([\d.]+) \| ([\d.]+) \|$", section, re.MULTILINE)
    answers = [
        {
            "item": item,
            "state": ["x1=1"],
            "dead": state == "dead",
            "p": [float(p) for p in two],
            "log_likelihoods": [[math.log(float(p)), math.log(1 - float(p))] for p in two],
        }
        for item, state, *two in rows
    ]
    found = measure(answers)
    values = {name: estimate.value for name, estimate in found.items()}
    assert len(answers) == 4
    assert (values["false_backtrack_rate"], values["missed_backtrack_rate"]) == (0.25, 0.25)
    assert "α = 1/4 and β = 1/4" in section
    assert values["same_state_agreement"] == 2 / 4
    for name, text in (("auroc", "AUROC 0.78125"), ("brier", "Brier 0.18125"), ("ece", "ECE 0.3125")):
        assert values[name] == pytest.approx(float(text.split()[1]))
        assert text in section
    assert values["same_state_spread"] == pytest.approx(0.325)
    assert all(f"`{name}`" in section for name in values)


def test_the_trace_in_the_readme_is_a_proof():
    block = read("README.md").split("--proof proofs\n\n")[1].split("\n\nThe problem is")[0]
    columns = [(line[4:49].rstrip(), line[49:]) for line in block.splitlines()]
    clauses = [
        [int(w.replace("~", "-").replace("x", "")) for w in left.split()[:-1]] for left, _ in columns[1:] if left
    ]
    problem = SAT.loads(f"p cnf 3 {len(clauses)}\n" + "".join(" ".join(map(str, [*c, 0])) + "\n" for c in clauses))[0]
    assert "\n".join(left for left, _ in columns if left) + "\n" == SAT.render(problem)
    assert review(SAT, problem, "\n".join(right for _, right in columns if right)).valid


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/measures.md", "docs/traces.md"])
def test_links_lead_somewhere(name):
    for target in re.findall(r"\]\((?!http)([^)#]+)", read(name)):
        assert (ROOT / name).parent.joinpath(target).exists(), target


def test_the_example_of_measures_has_the_figures_that_it_says():
    block = read("docs/measures.md").split("## An example\n\n")[1].split("\n\nSolved")[0]
    lines = [re.split(r"\s{4,}", line.removeprefix("    "))[0] for line in block.splitlines() if line.strip()][3:]
    text = "".join(f"{line}\n" for line in lines)
    told = sample(text, problem="p cnf 2 2\n1 2 0\n-1 0\n")
    found = score(SAT, told)
    assert (found.outcome, found.certified, found.backtracks, found.valid_backtracks) == ("solved", False, 1, 0)
    assert (found.real_conflicts, found.false_conflicts) == (0, (str(Fault.STALE),))
    assert (found.noticed, found.dead_ends, found.mimicked, found.decisive) == (1, 1, 1, True)
    assert found.first_error_step == 3
    forced = judge(SAT, {**told, "forced": {"kind": "decision", "wrong": "x1=1", "place": 1}})
    assert (forced.steps, forced.localised, forced.corrected, forced.solved) == (1, False, True, True)


def test_every_measure_is_in_the_table_of_measures():
    text = read("docs/measures.md")
    assert [name for name in MEASURES if f"`{name}`" not in text] == []
