"""The three ways in which a student fails that the project looks for by name. Knows scores, not how they are shown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from aletheia_bench.scoring import Outcome, Score
from aletheia_bench.statistics import Estimate, share

__all__ = ["SIGNATURES", "Signature", "diagnose"]

PRESENT = 0.1
"""A signature is there if the lower end of its interval is above this share of the completions that could show it."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A way to fail: of the completions that could show it (`estimate.n`), the share that does, and their items."""

    name: str
    estimate: Estimate
    items: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """present, in single items, absent, or n/a where no completion could show it."""
        if not self.estimate.n:
            return "n/a"
        if self.estimate.low is not None and self.estimate.low > PRESENT:
            return "present"
        return "in single items" if self.items else "absent"


Test = Callable[[Score], bool]
SIGNATURES: Mapping[str, tuple[Test, Test]] = {
    "no backtracking although conflicts occur": (lambda s: s.dead_ends > 0, lambda s: not s.backtracks),
    "mimicry: backtracks without a real conflict, or that change nothing": (
        lambda s: s.backtracks > 0,
        lambda s: s.mimicked > 0,
    ),
    "degradation where no backtracking was needed": (
        lambda s: not s.needed,
        lambda s: s.outcome is not Outcome.SOLVED,
    ),
}
"""Name → which completions could show it, and which of those do."""


def diagnose(scores: Iterable[Score]) -> list[Signature]:
    """All signatures of a run; items that ended in an error show nothing."""
    counted = [s for s in scores if s.outcome is not Outcome.ERROR]
    return [_signature(name, [s for s in counted if could(s)], shows) for name, (could, shows) in SIGNATURES.items()]


def _signature(name: str, scores: Sequence[Score], shows: Test) -> Signature:
    tries: dict[str, list[bool]] = {}
    for each in scores:
        tries.setdefault(each.item, []).append(shows(each))
    items = tuple(item for item, found in tries.items() if any(found))
    return Signature(name, share([(sum(found), len(found)) for found in tries.values()]), items)
