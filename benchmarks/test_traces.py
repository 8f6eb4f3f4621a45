"""How many verified traces a second one core makes, everything included; and what a second worker adds.

    make bench

Every round makes other problems. `ops` in the table is rounds a second; `extra_info` has traces a second.
"""

import time
from itertools import count

import pytest

from aletheia_bench import corpus
from aletheia_plugins import load_plugins

TASKS = load_plugins([]).tasks
LEVELS = [("sat", "tiny", 400), ("sat", "small", 400), ("coloring", "small", 400), ("sudoku", "tiny", 400),
          ("sudoku", "medium", 40)]  # fmt: skip


@pytest.mark.parametrize(("name", "level", "size"), LEVELS, ids=str)
def test_verified_traces_a_second(benchmark, tmp_path, name, level, size):
    """Generate, search, render, check again from the text, hash, and write as JSON."""
    seeds = count()

    def make():
        plan = corpus.Plan(TASKS[name], level, size, seed=next(seeds))
        *_, done = corpus.build(plan, tmp_path / f"{plan.seed}.jsonl")
        assert done == size

    benchmark.pedantic(make, rounds=5, warmup_rounds=1)
    benchmark.extra_info["traces_per_second"] = round(size / benchmark.stats.stats.median)
    print(f"\n{name}-{level}: {size / benchmark.stats.stats.median:.0f} verified traces a second")


def test_two_workers_against_one(benchmark, tmp_path):
    """The bar is 1.7 times as many with two workers; both pay for their start."""
    seeds = count()

    def timed(workers):
        plan = corpus.Plan(TASKS["sat"], "small", 12_000, seed=next(seeds))
        began = time.perf_counter()
        for _ in corpus.build(plan, tmp_path / f"{plan.seed}.jsonl", workers=workers):
            pass
        return time.perf_counter() - began

    ratios = []
    benchmark.pedantic(lambda: ratios.append(timed(1) / timed(2)), rounds=3)
    benchmark.extra_info["speed_up"] = round(sorted(ratios)[1], 2)
    print(f"\ntwo workers: {sorted(ratios)[1]:.2f} times one")
