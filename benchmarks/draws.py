"""How often the reference search goes back on tiny SAT, if it takes any of several equally good steps.

python benchmarks/draws.py RUN: for the items of a run with --task sat --level tiny --limit 500, 20 draws each, and how
often the student of that run goes back. A student takes any of those steps too, so the draws say how often one that is
always right goes back.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

from aletheia_bench.search import search
from aletheia_bench.statistics import rate
from aletheia_bench.tables import percent
from aletheia_plugins import Backtrack, Conflict, Trace, generator
from aletheia_tasks import Sat

DRAWS = 20


def has(trace: Trace, kind: type) -> bool:
    return any(isinstance(step, kind) for step in trace.steps)


def main() -> None:
    found: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for line in (Path(sys.argv[1]) / "samples.jsonl").read_text().splitlines():
        sample = json.loads(line)
        csp = Sat().csp(Sat().loads(sample["problem"])[0])
        rngs = (generator("draws", sample["id"], n) for n in range(DRAWS))
        drawn = sum(has(search(csp, rng=rng), Backtrack) for rng in rngs)
        back = drawn, "\nbacktrack " in sample["completion"]
        if has(search(csp), Conflict):
            found["with a conflict in the reference"].append(back)
            found[f"of these, {'every draw goes' if drawn == DRAWS else 'some draws do not go'} back"].append(back)
        else:
            found["without one"].append(back)
    for group, counts in found.items():
        drawn, student = (sum(column) for column in zip(*counts, strict=True))
        share = percent(rate(student, len(counts)))
        print(
            f"{group}: {len(counts)} items, {drawn / DRAWS:.1f} go back on average; the student in {student}, {share}"
        )


if __name__ == "__main__":
    main()
