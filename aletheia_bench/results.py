"""A run, measured: its figures as values, JSON and CSV. Knows runs and measures, not how people like to see them."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from aletheia_bench.forced import KINDS, Forced, judge, measure as measure_forced
from aletheia_bench.measures import by_conflicts, by_size, line_errors, measure, passes
from aletheia_bench.runs import FORCED, Run
from aletheia_bench.scoring import Outcome, Score, score
from aletheia_bench.signatures import diagnose
from aletheia_bench.statistics import Estimate
from aletheia_plugins import CorpusError, Task

__all__ = ["Results"]


@dataclass(frozen=True, slots=True)
class Results:
    """A run, measured."""

    name: str
    """Task and level."""
    model: str
    config: Mapping[str, Any]
    scores: tuple[Score, ...]
    estimates: Mapping[str, Estimate]
    forced: tuple[Forced, ...] = ()
    """What was done after errors were put in."""
    causes: Mapping[str, int] = field(default_factory=dict)
    """What items ended in an error of, and how many."""

    @classmethod
    def of(cls, run: Run, task: Task[Any]) -> "Results":
        """Everything recomputed from the run's samples."""
        config = run.config()
        lenient = bool(config["card"].get("instructed"))  # it was never trained on traces
        samples = list(run.samples())
        try:
            causes = Counter(sample["error"] for sample in samples if sample["finish"] == "error")
            scores = tuple(score(task, sample, lenient=lenient) for sample in samples)
        except KeyError as error:
            raise CorpusError(
                f"{run.path} has a sample without {error}: it is of another version, use --fresh."
            ) from error
        log = Run(run.path, FORCED)
        forced = tuple(judge(task, sample) for sample in log.samples()) if (run.path / FORCED).exists() else ()
        name = f"{config['run']['task']}-{config['run']['level']}"
        return cls(name, config["card"]["name"], config, scores, measure(scores), forced, causes)

    @property
    def outcomes(self) -> dict[str, int]:
        counts = Counter(s.outcome for s in self.scores)
        return {str(outcome): counts[outcome] for outcome in Outcome}

    @property
    def strata(self) -> dict[str, dict[str, dict[str, Estimate]]]:
        """All measures, of the items by the conflicts of their reference search, and by their open variables."""
        parts = {"conflicts": by_conflicts(self.scores), "variables": by_size(self.scores)}
        return {key: {name: measure(part) for name, part in found.items()} for key, found in parts.items()}

    @property
    def passes(self) -> dict[int, Estimate]:
        """pass@k, if items were tried several times."""
        return passes(self.scores)

    @property
    def errors_put_in(self) -> dict[str, list[Forced]]:
        """By kind, what was done after such errors were put in."""
        found = {kind: [f for f in self.forced if f.kind == kind] for kind in KINDS}
        return {kind: some for kind, some in found.items() if some}

    @property
    def faults(self) -> list[tuple[str, str, int]]:
        """First faults by kind of line, most frequent first."""
        counts = Counter(s.first_fault for s in self.scores if s.first_fault)
        return [(word, fault, n) for (word, fault), n in counts.most_common()]

    def json(self) -> dict[str, Any]:
        """Shaped as lm-evaluation-harness shapes its results: "metric,filter" under each task; no filter is used."""
        metrics: dict[str, Any] = {"alias": self.name}
        for name, estimate in self.estimates.items():
            metrics[f"{name},none"] = estimate.value
            metrics[f"{name}_ci95,none"] = [estimate.low, estimate.high]
            metrics[f"{name}_n,none"] = estimate.n
        for k, estimate in self.passes.items():
            metrics[f"pass@{k},none"] = estimate.value
            metrics[f"pass@{k}_ci95,none"] = [estimate.low, estimate.high]
            metrics[f"pass@{k}_n,none"] = estimate.n
        metrics["memory_bytes,none"] = self.config.get("model", {}).get("memory_bytes")
        tables = {
            "outcomes": self.outcomes,
            "strata": {
                key: {name: _numbers(found) for name, found in parts.items()} for key, parts in self.strata.items()
            },
            "line_errors": _numbers(line_errors(self.scores)),
            "first_faults": [list(fault) for fault in self.faults],
            "signatures": {
                s.name: {"verdict": s.verdict, **asdict(s.estimate), "items": list(s.items)}
                for s in diagnose(self.scores)
            },
            "forced_errors": {
                kind: {
                    **_numbers(measure_forced(found)),
                    "conflicts": {n: _numbers(measure_forced(some)) for n, some in by_conflicts(found).items()},
                }
                for kind, found in self.errors_put_in.items()
            },
            "versions": self.config["versions"]["task"],
            "n-samples": {"original": len({s.item for s in self.scores}), "effective": len(self.scores)},
        }
        return {
            "results": {self.name: metrics},
            **{key: {self.name: found} for key, found in tables.items()},
            "config": self.config,
            "hashes": self.config["hashes"],
        }

    def csv(self) -> str:
        """A row for each measure: of all items, and of each stratum of them."""
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(["task", "model", "items", "measure", "value", "low", "high", "n"])
        for items, estimates in self._groups():
            for name, e in estimates.items():
                writer.writerow([self.name, self.model, items, name, e.value, e.low, e.high, e.n])
        return out.getvalue()

    def _groups(self) -> Iterable[tuple[str, Mapping[str, Estimate]]]:
        yield "all", self.estimates
        for key, parts in self.strata.items():
            yield from ((f"{key} {name}", found) for name, found in parts.items())


def _numbers(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: asdict(estimate) for name, estimate in estimates.items()}
