"""What a study says: tables for people, and the same as data. Knows the results of its students, not where they are."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tabulate import tabulate

from aletheia_bench import comparing
from aletheia_bench.results import Results
from aletheia_bench.scoring import Outcome, Score
from aletheia_bench.signatures import diagnose
from aletheia_bench.study import LINEAR, Study, flops, pool, training_cost
from aletheia_bench.tables import cell, forced_rows, percent

__all__ = ["Conducted", "Section", "data", "markdown", "sections"]

HEADLINE: Mapping[str, str] = {
    "solve_accuracy": "solved",
    "certified_accuracy": "certified",
    "backtrack_event_rate": "with a backtrack",
    "conflict_precision": "conflicts real",
    "conflict_recall": "conflicts noticed",
    "backtrack_validity": "backtracks valid",
}
ALL = "all tasks"
Pooled = Mapping[tuple[str, str], Results]
"""By arm and task."""


@dataclass(frozen=True, slots=True)
class Conducted:
    """One student of a study after all that was to be done."""

    model: str
    arm: str
    seed: int
    training: Mapping[str, Any]
    """Its training.json."""
    runs: Sequence[Results]
    """Greedy, one for each task and level."""
    tried: Mapping[str, Results]
    """By task and level, the run with several tries, if it had any."""


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the report, with a title and a sentence of what it is."""

    title: str
    text: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]


def sections(study: Study, done: Sequence[Conducted]) -> list[Section]:
    """The report, model after model."""
    found: list[Section] = []
    for model in dict.fromkeys(c.model for c in done):
        mine = [c for c in done if c.model == model]
        pooled = _pooled(study, mine)
        found += [
            _headline(study, mine, pooled), _arms(study, pooled), _seeds(study, mine), *_tried(study, mine),
            *_forced(pooled), _signatures(pooled), _costs(study, mine),
        ]  # fmt: skip
    return found


def _pooled(study: Study, done: Iterable[Conducted]) -> Pooled:
    """All seeds together, and under ALL all tasks and seeds."""
    found: dict[tuple[str, str], Results] = {}
    for arm in study.arms:
        runs = [run for c in done if c.arm == arm for run in c.runs]
        for name in dict.fromkeys(run.name for run in runs):
            found[arm, name] = pool([run for run in runs if run.name == name], model=arm)
        found[arm, ALL] = pool(runs, name=ALL, model=arm)
    return found


def _headline(study: Study, done: Sequence[Conducted], pooled: Pooled) -> Section:
    names = list(dict.fromkeys(name for _, name in pooled))
    text = f"{study.limit} test items of each task and level, greedy, {_count(study.seeds, 'seed')}; intervals of 95 %"
    apart = ["solve_accuracy", "certified_accuracy"] if len(study.seeds) > 1 else []
    if apart:
        text += " over items, of which the seeds are further tries. The last columns have the seeds one by one"
    return Section(
        f"{done[0].model}: what each arm solves",
        f"{text}.",
        ["task", "arm", *HEADLINE.values(), *(f"{HEADLINE[measure]}, by seed" for measure in apart)],
        [
            [
                name,
                arm,
                *(percent(pooled[arm, name].estimates[measure]) for measure in HEADLINE),
                *_spread(done, arm, name, apart),
            ]
            for name in names
            for arm in study.arms
        ],
    )


def _spread(done: Iterable[Conducted], arm: str, name: str, measures: Sequence[str]) -> list[str]:
    """Of each of these rates what it is for each seed, in percent."""
    if not measures:
        return []
    chosen = ([run for run in c.runs if c.arm == arm and name in (run.name, ALL)] for c in done)
    seeds = [pool(runs, name=name, model=arm).estimates for runs in chosen if runs]
    rates = [[found[measure].value for found in seeds] for measure in measures]
    return [" ".join("n/a" if value is None else f"{100 * value:.1f}" for value in each) for each in rates]


def _arms(study: Study, pooled: Pooled) -> Section:
    """The first arm against each other one, all seeds together."""
    first, *others = study.arms
    names = list(dict.fromkeys(name for _, name in pooled))
    found = comparing.pairs((pooled[first, name], pooled[other, name]) for other in others for name in names)
    return Section(
        f"{first} against the other arms",
        "Paired on items. Differences of all seeds; tests of the first seed, with Holm's correction for this table.",
        ["task", "against", "solved more", "certified more", "alone", "McNemar p", "Holm p", "items for 80 % power"],
        [
            [c.name, c.theirs, percent(c.solved), percent(c.certified), f"{c.alone[0]} : {c.alone[1]}", f"{c.p:.2g}",
             f"{c.adjusted:.2g}", "n/a" if c.needed is None else c.needed]
            for c in found
        ],
    )  # fmt: skip


def _seeds(study: Study, done: Sequence[Conducted]) -> Section:
    """The paper's figure: whose completions have a backtrack, seed by seed, all tasks together."""
    first, *others = study.arms
    together = {(c.arm, c.seed): pool(c.runs, name=ALL, model=c.arm) for c in done}
    rows = []
    for other in others:
        for seed in study.seeds:
            ours, theirs = together[first, seed], together[other, seed]
            (c,) = comparing.pairs([(ours, theirs)])
            events = [percent(r.estimates["backtrack_event_rate"]) for r in (ours, theirs)]
            rows.append(
                [other, seed, c.items, *events, f"{c.events_p:.2g}", f"{c.events_paired_p:.2g}", " : ".join(c.hard),
                 f"{c.hard_p:.2g}", " : ".join(c.easy)]
            )  # fmt: skip
    return Section(
        f"Backtracking events of {first} and of the others",
        "Completions with at least one backtrack, right or wrong, all tasks together; Fisher's exact test, and "
        "McNemar's on items. Then the same of items whose reference search has a conflict, and what is solved of those "
        "whose reference has none.",
        ["against", "seed", "items", first, "the other", "Fisher p", "McNemar p", "of those that need one", "Fisher p",
         "solved of the others"],
        rows,
    )  # fmt: skip


def _tried(study: Study, done: Sequence[Conducted]) -> Iterator[Section]:
    """Best of n at equal inference compute."""
    rows = []
    for c in done:
        for greedy in c.runs if study.best_of > 1 and c.arm in LINEAR else ():
            name = greedy.name
            run = c.tried.get(name, greedy)
            first = next(
                r for d in done if (d.arm, d.seed) == (study.arms[0], c.seed) for r in d.runs if r.name == name
            )
            counts = Counter(s.item for s in run.scores)
            best = replace(run, scores=tuple(_best(run.scores)))
            (paired,) = comparing.pairs([(first, best)])
            own, price = flops(run), flops(first)
            spent = f"{sum(counts.values()) / len(counts) * own / price:.2f}" if own and price else "n/a"
            rows.append(
                [name, c.arm, c.seed, max(counts.values()), spent,
                 *(percent(r.estimates["solve_accuracy"]) for r in (greedy, pool([best], model=c.arm), first)),
                 percent(paired.solved), f"{paired.p:.2g}"]
            )  # fmt: skip
    if rows:
        yield Section(
            "Several tries for the same price",
            f"An arm without backtracking may try as often as costs no more than what {study.arms[0]} costs, at most "
            f"{study.best_of} times, at temperature {study.temperature:g}; a single try is greedy. An item counts if "
            "any try solves it: more than a user gets who cannot tell which. Spent: what the tries did cost, as a "
            f"share of what {study.arms[0]} cost.",
            ["task", "arm", "seed", "tries", "spent", "greedy", "one of them solves", study.arms[0], "solved more",
             "McNemar p"],
            sorted(rows, key=lambda row: (row[0], row[1], row[2])),
        )  # fmt: skip


def _best(scores: Iterable[Score]) -> Iterator[Score]:
    """Of each item a try that solved it, or else its first one."""
    found: dict[str, Score] = {}
    for each in scores:
        if each.item not in found or (
            each.outcome is Outcome.SOLVED and found[each.item].outcome is not Outcome.SOLVED
        ):
            found[each.item] = each
    yield from (replace(each, epoch=0) for each in found.values())


def _forced(pooled: Pooled) -> Iterator[Section]:
    found = [r for (_, name), r in pooled.items() if name != ALL and r.forced]
    if found:
        headers, rows = forced_rows(found)
        yield Section(
            "After an error was put into a completion",
            "A wrong decision, or an implication with a wrong value, where the student was right; all seeds.",
            ["task", "arm", *headers[2:]],
            rows,
        )


def _signatures(pooled: Pooled) -> Section:
    rows = [
        [name, arm, s.name, s.verdict, percent(s.estimate), s.estimate.n, ", ".join(s.items[:3])]
        for (arm, name), r in pooled.items()
        if name != ALL
        for s in diagnose(r.scores)
        if s.verdict not in ("absent", "n/a")
    ]
    return Section(
        "Ways to fail",
        "Signatures that are present, or that single items show; the first of these items.",
        ["task", "arm", "signature", "diagnosis", "share of those that could", "n", "items"],
        rows,
    )


def _costs(study: Study, done: Sequence[Conducted]) -> Section:
    rows = []
    for arm in study.arms:
        mine = [c for c in done if c.arm == arm]
        cost = training_cost(mine[0].training)
        runs = pool([run for c in mine for run in c.runs], name=ALL, model=arm)
        each = flops(runs)
        rows.append(
            [arm, *(f"{cost[key]:,}" for key in ("problems", "tokens", "completion tokens")),
             f"{cost['FLOPs']:.2g}", cell("tokens", runs.estimates["tokens"]), f"{each:.2g}" if each else "n/a",
             f"{sum(c.training['seconds'] for c in mine) / 3600 / len(mine):.2f}"]
        )  # fmt: skip
    return Section(
        "What it costs",
        "All arms are made from the same problems and read as many tokens. FLOPs: six a parameter and token in "
        "training, two in use (Kaplan et al., arXiv 2001.08361). Arms whose states are not their problem's (answer, "
        "swapped, filler) have no hints and exercises.",
        ["arm", "problems", "tokens", "of completions", "training FLOPs", "tokens/item", "FLOPs/item", "hours/student"],
        rows,
    )


def _count(things: Sequence[Any], word: str) -> str:
    return f"{len(things)} {word}{'s' * (len(things) != 1)}"


def markdown(study: Study, done: Sequence[Conducted]) -> str:
    """report.md of a study."""
    parts = [f"# Study: {study.name}"]
    for section in sections(study, done):
        text = tabulate(section.rows, headers=section.headers, tablefmt="github", disable_numparse=True)
        parts.append(f"## {section.title}\n\n{section.text}\n\n{text}")
    return "\n\n".join(parts) + "\n"


def data(study: Study, done: Sequence[Conducted]) -> dict[str, Any]:
    """study.json: the study, and the results of every run as its own results.json has them."""
    return {
        "study": asdict(study),
        "students": [
            {
                "model": c.model,
                "arm": c.arm,
                "seed": c.seed,
                "training": dict(c.training),
                "runs": [run.json() for run in c.runs],
                "tried": {name: run.json() for name, run in c.tried.items()},
            }
            for c in done
        ],
    }
