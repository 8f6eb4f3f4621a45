"""A problem with the arguments that it was generated from."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from aletheia_bench.testing.findings import Finding
from aletheia_plugins import CSP, Assignment, Split, Task, generator

__all__ = ["Place", "Specimen", "literals"]


@dataclass(frozen=True, slots=True)
class Place:
    """What `generate` is asked for."""

    level: str
    split: Split
    seed: int
    index: int

    def __str__(self) -> str:
        return f"level {self.level}, split {self.split}, seed {self.seed}, index {self.index}"

    def generate(self, task: Task[Any]) -> Any:
        return task.generate(self.level, split=self.split, seed=self.seed, index=self.index)


@dataclass(frozen=True, slots=True)
class Specimen:
    task: Task[Any]
    place: Place
    problem: Any

    @property
    def csp(self) -> CSP:
        return self.task.csp(self.problem)

    def rng(self, purpose: str) -> Random:
        """The same in every run, so that a finding can be seen again."""
        return generator(purpose, self.place)

    def finding(self, wrong: str, remedy: str) -> Finding:
        return Finding(str(self.place), wrong, remedy)

    def partials(self, purpose: str, count: int, *, given: bool = True) -> Iterator[dict[str, str]]:
        """Random partial assignments in random order, the first one empty; with what is `given`, or some of it."""
        rng = self.rng(purpose)
        domains = self.task.domains(self.problem)
        for number in range(count):
            share = rng.random() if number else 0.0
            chosen = [
                (variable, rng.choice(values))
                for variable, values in domains.items()
                if (given and len(values) == 1) or rng.random() < share
            ]
            rng.shuffle(chosen)
            yield dict(chosen)


def literals(assignment: Assignment) -> str:
    """An assignment in words."""
    return " ".join(f"{variable}={value}" for variable, value in assignment.items()) or "nothing assigned"
