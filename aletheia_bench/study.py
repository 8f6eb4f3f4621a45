"""A whole experiment: which students it trains, which runs it makes of them, and what they say together.

Knows cards, results and statistics; neither how a student learns nor how a run is made.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aletheia_bench import cards
from aletheia_bench.arms import arm
from aletheia_bench.measures import measure
from aletheia_bench.results import Results
from aletheia_bench.scoring import Score
from aletheia_plugins import Card, UnknownNameError, UsageError
from aletheia_plugins.loading import Plugins

__all__ = ["LINEAR", "Student", "Study", "flops", "pool", "read", "tries"]

LISTS: Mapping[str, type] = {"models": str, "tasks": str, "levels": str, "arms": str, "seeds": int}
NUMBERS: Mapping[str, tuple[type, ...]] = {
    "limit": (int,),
    "forced": (int,),
    "best_of": (int,),
    "temperature": (int, float),
}
LINEAR = ("linearized", "answer", "filler")
"""Arms that do not backtrack, and may try several times for the same price."""


@dataclass(frozen=True, slots=True)
class Study:
    """Every model in every arm from every seed, on every task and level."""

    name: str
    models: tuple[str, ...]
    tasks: tuple[str, ...]
    levels: tuple[str, ...]
    arms: tuple[str, ...]
    """The first one is what the others are compared with."""
    seeds: tuple[int, ...]
    """Of the data and of the students' weights; the items that are evaluated are always the same."""
    limit: int = 500
    """Items of each task and level."""
    forced: int = 0
    """Items of them into whose completions errors are put."""
    best_of: int = 1
    """The most tries that an arm without backtracking gets; it gets as many as cost what the first arm costs."""
    temperature: float = 1.0
    """Of these tries."""


@dataclass(frozen=True, slots=True)
class Student:
    """One of the students of a study."""

    card: Card
    model: str
    """The card that it is made from."""
    seed: int


def read(path: Path) -> Study:
    """The study in a TOML file. Raises UsageError naming the key and what was expected."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is not a readable study: {error}") from error
    known = {"name", *LISTS, *NUMBERS}
    if unknown := table.keys() - known:
        raise UnknownNameError(f"key of a study ({path})", min(unknown), known)
    if missing := [key for key in ("name", *LISTS) if key not in table]:
        raise UsageError(f"{path}: a study needs {missing[0]}.")
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", str(table["name"])) or table["name"] == "students":
        raise UsageError(f"{path}: name is {table['name']!r}, expected letters, digits, hyphens; not students.")
    for key, kind in LISTS.items():
        value = table[key]
        if not isinstance(value, list) or not value or not all(type(each) is kind for each in value):
            raise UsageError(f"{path}: {key} is {value!r}, expected a list of {'numbers' if kind is int else 'names'}.")
        if len(set(value)) < len(value):
            raise UsageError(f"{path}: {key} has {max(value, key=value.count)!r} twice.")
    for key, kinds in NUMBERS.items():
        if key in table and (
            type(table[key]) not in kinds or not 0 <= table[key] < 1e9 or (key == "limit" and not table[key])
        ):
            raise UsageError(f"{path}: {key} is {table[key]!r}, expected a positive number.")
    for name in table["arms"]:
        arm(name)
    found: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Study(**found)


def students(study: Study, plugins: Plugins, folder: Path, *, scale: float = 1.0) -> list[Student]:
    """All students, those of the first seed first; card files are seen from `folder`, the study's.

    `scale` multiplies what each is trained on: problems and tokens.
    """
    found = []
    for seed in study.seeds:
        for model in study.models:
            card = cards.find(plugins, str(folder / model) if model.endswith(".toml") else model)
            training = dict(card.settings.get("training", {}))
            if "tokens" not in training or not card.count:
                raise UsageError(f"{model} does not say what to train on: a study needs cards with data and tokens.")
            settings = {**card.settings, "training": {**training, "tokens": round(training["tokens"] * scale)}}
            common = replace(
                card, control="", weights=None, sha256=None, tasks=study.tasks, levels=study.levels,
                count=max(1, round(card.count * scale)), settings=settings,
            )  # fmt: skip
            for name in study.arms:
                found.append(_student(common, name, seed))  # noqa: PERF401 - three loops in one are not read
    return found


def _student(card: Card, arm: str, seed: int) -> Student:
    return Student(replace(card, name=f"{card.name}-{arm}-{seed}", arm=arm), card.name, seed)


def pool(results: Iterable[Results], *, name: str | None = None, model: str) -> Results:
    """Several runs as one: runs of the same items, of other seeds say, are further tries of them.

    With `name`, runs of different tasks may be among them.
    """
    found = list(results)
    scores: list[Score] = []
    tries: dict[str, int] = {}
    for each in found:
        for one in each.scores:
            scores.append(replace(one, epoch=tries.get(one.item, 0)))
            tries[one.item] = tries.get(one.item, 0) + 1
    forced = tuple(f for each in found for f in each.forced)
    return Results(name or found[0].name, model, found[0].config, tuple(scores), measure(scores), forced)


def flops(results: Results) -> float | None:
    """Floating-point operations for an item: twice the parameters for each token read or written (arXiv 2001.08361)."""
    parameters = results.config.get("model", {}).get("parameters")
    if not parameters or not results.scores:
        return None
    tokens = sum(s.prompt_tokens + s.tokens for s in results.scores) / len(results.scores)
    return 2.0 * float(parameters) * tokens


def tries(first: Results, other: Results, most: int) -> int:
    """How many tries of the other run's model cost what one of the first's does, at most `most`."""
    costs = flops(first), flops(other)
    return max(1, min(most, int(costs[0] / costs[1]))) if costs[0] and costs[1] else 1


def training_cost(facts: Mapping[str, Any]) -> dict[str, float]:
    """From training.json: problems, tokens, those of completions, and FLOPs, six a parameter and token."""
    problems = facts["count"] * sum(
        facts.get("shares", {}).get(f"{task}-{level}", 1) for task in facts["tasks"] for level in facts["levels"]
    )
    return {
        "problems": problems,
        "tokens": facts["tokens"],
        "completion tokens": facts["completion_tokens"],
        "FLOPs": 6.0 * facts["parameters"] * facts["tokens"],
    }
