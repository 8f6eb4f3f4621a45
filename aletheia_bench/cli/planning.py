"""What `plan` does with its options."""

from collections.abc import Iterator
from typing import Any

import click
from tabulate import tabulate

from aletheia_bench import corpus
from aletheia_bench.cli.building import chosen_card, course_of
from aletheia_bench.students import Course, check, learnt
from aletheia_plugins import Card, Example, Planning, UsageError
from aletheia_plugins.loading import Plugins

__all__ = ["plan"]

SAMPLE = 40
"""Problems of each task and level whose examples are looked at."""


def plan(plugins: Plugins, *, seed: int, **options: Any) -> None:
    card = chosen_card(plugins, **options)
    backend = plugins.backend(card.backend)
    if not isinstance(backend, Planning):
        raise UsageError(f"The back-end {card.backend!r} of {card.name} makes no plans; lora does.")
    check(card)
    course = course_of(plugins, card, seed=seed)
    rows = {
        "problems": f"{sum(found.count for found in course.plans(card)):,} {card.arm}, {card.context}",
        **backend.plan(card, list(_sample(card, course))),
    }
    click.echo(tabulate(rows.items(), tablefmt="plain"))


def _sample(card: Card, course: Course) -> Iterator[tuple[float, Example]]:
    """Some examples of each corpus, and how many each stands for."""
    for found in course.plans(card):
        indices = range(min(SAMPLE, found.count))
        for index in indices:
            if record := corpus.make(found, index):
                for example in learnt(card, record):
                    yield found.count / len(indices), example
