"""How often the reference search goes back on tiny SAT, if it takes any of several equally good steps.

python benchmarks/draws.py: for the 500 test items of a run with --limit 500, 20 draws each. A student takes any of them
too, so this is how often one that is always right can be expected to go back.
"""

from collections import Counter

from aletheia_bench.search import search
from aletheia_plugins import Backtrack, Conflict, Trace, generator
from aletheia_tasks import Sat

ITEMS, DRAWS = 500, 20


def has(trace: Trace, kind: type) -> bool:
    return any(isinstance(step, kind) for step in trace.steps)


def main() -> None:
    items: Counter[str] = Counter()
    back: Counter[str] = Counter()
    for index in range(ITEMS):
        csp = Sat().csp(Sat().generate("tiny", split="test", seed=0, index=index))
        group = "with" if has(search(csp), Conflict) else "without"
        items[group] += 1
        back[group] += sum(has(search(csp, rng=generator("draws", index, n)), Backtrack) for n in range(DRAWS))
    for group, number in items.items():
        print(f"{number} items {group} a conflict in the reference: {back[group] / DRAWS:.1f} go back on average")


if __name__ == "__main__":
    main()
