"""Which Sudokus of a run are certified, by the blanks in a row in their text and by split, and how many are trained on.

python benchmarks/gaps.py RUN [DISGUISES]: the directory of a run of 4x4 Sudokus. The training problems are the first
6,000 of the tiny level with seed 3, with so many `disguises`, if any.
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path

from aletheia_bench.corpus import Plan, make
from aletheia_bench.scoring import score
from aletheia_bench.statistics import rate
from aletheia_bench.tables import percent
from aletheia_plugins import belongs
from aletheia_tasks import Sudoku

TRAINED = 6_000


def gap(problem: str) -> int:
    return max(map(len, re.findall(r"\.+", problem)))


def main() -> None:
    task = Sudoku()
    samples = map(json.loads, (Path(sys.argv[1]) / "samples.jsonl").read_text().splitlines())
    scores = [score(task, sample) for sample in samples]
    items = Counter(gap(each.problem) for each in scores)
    certified = Counter(gap(each.problem) for each in scores if each.certified)
    plan = Plan(task, "tiny", TRAINED, seed=3, disguises=int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    records = (make(plan, index) for index in plan.indices())
    trained = Counter(gap(record["problem"]) for record in records if record)
    for length in sorted(items | trained):
        print(
            f"{length} blanks in a row: {certified[length]} of {items[length]} certified, "
            f"{trained[length]} of {TRAINED} trained on"
        )
    for split in ("train", "test"):
        some = [each for each in scores if belongs(task.canonical(task.loads(each.problem)[0]), split)]
        if some:
            share = percent(rate(sum(each.certified for each in some), len(some)))
            print(f"with a form of the {split} split: {len(some)} items, {share} certified")


if __name__ == "__main__":
    main()
