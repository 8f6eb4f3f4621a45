"""What a student may learn from the words that it only reads. Knows names and states, not models.

A causal model reads each word of the problem after the state, and could say at once what the state makes of it: the
value of a variable, or that a constraint (or a variable, by its constraints) is in conflict or implies something. Its
outputs there are not used. Training them too gives every word of the problem something to learn, where the completion
alone has a single decision for all of them.

A hint is due after a layer that the recipe names, so that the layers above can use it. A preview is due at the end: the
name that the next step could give if the problem ended there, so that finding and copying a name is practised at every
name, and not once a turn.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random

from aletheia_bench.search import Outlook, outlook
from aletheia_bench.text import parse
from aletheia_plugins import CSP, WORD, Decide, Example, Imply, Literal, State, generator

__all__ = ["hinted"]

NAME = re.compile(r"\w+$")


def hinted(example: Example, problem: str, csp: CSP) -> Example:
    """The example with hints, previews and alternatives, if the state stands before the problem."""
    segment, found, _ = example.prompt.partition(problem)
    if not segment or not found:
        return example
    rng = generator(example.prompt)
    said = outlook(csp, _state(segment), rng)
    hints = tuple(_hints(said, len(WORD.findall(segment)), problem))
    previews = tuple(_previews(hints, WORD.findall(example.prompt), rng))
    return replace(example, hints=hints, previews=previews, alternatives=tuple(_alternatives(example.completion, said)))


def _hints(said: Mapping[str, Outlook], start: int, problem: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """A word's subject is the name that it ends in: x1 of ~x1, v2 of v1-v2.

    Only a word that is nothing but a name says more than whether its subject has a value: then all that bears on the
    subject has been read.
    """
    for place, word in enumerate(WORD.findall(problem), start):
        name = NAME.search(word)
        found = said.get(name.group()) if name else None
        if name and found:
            whole = name.group() == word.strip()
            part = found.kind if found.kind.startswith(" ") else "decide"
            yield place, (found.kind, *found.reasons) if whole else (part,)


def _alternatives(completion: str, said: Mapping[str, Outlook]) -> Iterator[str]:
    """The completion with another step of its kind in place of the first one: it could name something else."""
    first, newline, rest = completion.partition("\n")
    kind, _, named = first.partition(" ")
    for name, found in said.items() if kind in ("imply", "conflict") else ():
        if found.kind == kind and not named.startswith(f"{name} :"):
            words = list(found.step)
            if kind == "imply":
                words.insert(-1, " ->")
            yield f"{kind} {name} :{''.join(words)}{newline}{rest}"


def _previews(
    hints: Sequence[tuple[int, tuple[str, ...]]], words: Sequence[str], rng: Random
) -> Iterator[tuple[int, str]]:
    """At each name, one that a step could name if the problem ended there: of a conflict, or else of an implication."""
    names: dict[str, list[str]] = {"conflict": [], "imply": []}
    for place, (kind, *_) in hints:
        if kind in names:
            names[kind].append(words[place])
        if found := names["conflict"] or names["imply"]:
            yield place, rng.choice(found)


def _state(segment: str) -> State:
    """Everything that holds at the end of a segment, as one level."""
    held: list[Literal] = []
    for step in parse(segment).steps:
        match step:
            case State(levels):
                held = [lit for level in levels for lit in level]
            case Decide(literal) | Imply(literal=literal):
                held.append(literal)
            case _:
                pass
    return State((tuple(held),))
