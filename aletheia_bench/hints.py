"""What a student may learn at each turn beside the turn itself. Knows names and states, not models.

A causal model reads each word of the problem after the state, and could say at once what the state makes of it: the
value of a variable, or that a constraint (or a variable, by its constraints) is in conflict or implies something. Its
outputs there are not used. Training them too gives every word of the problem something to learn, where the completion
alone has a single decision for all of them.

Exercises are lines that are practised behind the prompt and never asked for: "about c7 :" and what each of its places
rests on; "backtrack x3" and the state after it, as if there had been a conflict; the answer, as if all were decided;
the state that was given. A turn reads one name, one in ten goes back, and a trace has one first state and one answer;
so each prompt practises some of these, for a few words more.

A hint is due after a layer that the recipe names, so that the layers above can use it. A preview is due at the end: the
kind of the next step, or a name that it could give, or what it could decide, if the problem ended there, so that
finding and copying a name is practised at every name, and not once a turn.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random

from aletheia_bench.search import Outlook, given, outlook, retreat
from aletheia_bench.text import ANSWER, parse_line, render
from aletheia_plugins import CSP, WORD, Answer, Example, Literal, State, Step, Trace, Verdict, generator

__all__ = ["hinted"]

NAME = re.compile(r"\w+$")
LISTED = 4
"""One prompt in so many practises a list of all that holds: in a Sudoku it is as long as the grid."""


def hinted(example: Example, problem: str, csp: CSP, *, exercises: int = 0, backtracks: bool = False) -> Example:
    """The example with hints, previews and alternatives, if the state stands before the problem.

    And, if any, with exercises about so many names, in lists, and, with `backtracks`, in going back from this state.
    """
    line, found, _ = example.prompt.partition(problem)
    state = parse_line(line.rstrip("\n")) if line and found else None
    if not isinstance(state, State):
        return example
    rng = generator(example.prompt)
    said = outlook(csp, state, rng)
    held = {lit.variable: lit for level in state.levels for lit in level if lit.equal}
    hints = tuple(_hints(said, held, len(WORD.findall(line)), problem))
    practised = [*_about(said, exercises, rng), *_lists(csp, held, rng)] if exercises else []
    if exercises and backtracks and (back := retreat(csp, state)):
        practised.append(_line(1, *back))
    return replace(
        example,
        hints=hints,
        previews=tuple(_previews(hints, WORD.findall(example.prompt), rng)),
        alternatives=tuple(_alternatives(example.completion, said)),
        exercises=tuple(practised),
    )


def _hints(
    said: Mapping[str, Outlook], held: Mapping[str, Literal], start: int, problem: str
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """A word's subject is the name that it ends in: x1 of ~x1, v2 of v1-v2.

    Only a word that is nothing but a name says more than whether its subject has a value: then all that bears on the
    subject has been read. A word that names a constraint says if that is in conflict, or implies something.
    """
    for place, word in enumerate(WORD.findall(problem), start):
        name, whole = NAME.search(word), said.get(word.strip())
        if whole and (not name or name.group() == word.strip() or whole.kind in ("conflict", "imply")):
            yield place, (whole.kind, *whole.reasons)
        elif name and name.group() in held:
            yield place, (f" {held[name.group()]}",)
        elif name and name.group() in said:
            yield place, ("decide",)


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


def _about(said: Mapping[str, Outlook], names: int, rng: Random) -> Iterator[tuple[int, str]]:
    """Of some names, what they rest on."""
    asked = [name for name, found in said.items() if found.reasons]
    for name in rng.sample(asked, min(names, len(asked))):
        yield 2, f"about {name} :{''.join(said[name].reasons)}\n"


def _lists(csp: CSP, held: Mapping[str, Literal], rng: Random) -> Iterator[tuple[int, str]]:
    """Now and then: what holds, as an answer would say it; what was given, as the first state says it."""
    if held and not rng.randrange(LISTED):
        yield _line(2, Answer(Verdict.SAT, tuple([held[v] for v in csp.domains if v in held])))
    first = given(csp.domains)
    if any(first.levels) and not rng.randrange(LISTED):
        yield _line(1, first)


def _line(words: int, *steps: Step) -> tuple[int, str]:
    """As an exercise of which so many words are given."""
    return words, render(Trace(steps))


def _previews(
    hints: Sequence[tuple[int, tuple[str, ...]]], words: Sequence[str], rng: Random
) -> Iterator[tuple[int, str]]:
    """What the next step would be if the problem ended there.

    At each name, one that it could name: of a conflict, or else of an implication; or else, when checking forward, what
    it would decide: of the first variable with fewest values left, the first. At the end of each line, its kind.
    """
    names: dict[str, list[str]] = {"conflict": [], "imply": [], "decide": []}
    left: list[list[str]] = []
    said = dict(hints)
    for place, word in enumerate(words):
        kind, *reasons = said.get(place, ("",))
        if kind in names:
            names[kind].append(word)
        if kind == "decide" and (values := [reason for reason in reasons if reason.startswith(f"{word}=")]):
            left.append(values)
        if kind and (found := names["conflict"] or names["imply"]):
            yield place, rng.choice(found)
        elif kind and left:
            yield place, min(left, key=len)[0]
        elif word == "\n" and said and place > min(said):
            yield place, next((kind for kind, found in names.items() if found), ANSWER)
