"""Gives the things of a problem other numbers: v3 becomes v17 throughout. Knows letters and numbers, not their meaning.

A student that sees all the names there are, few at a time, knows those of larger problems than it was trained on.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random

from aletheia_plugins import Example

__all__ = ["renamer"]


def renamer(names: Mapping[str, int], problem: str, trace: str, rng: Random) -> Callable[[Example], Example]:
    """What renames the examples of a problem and its trace, given for each letter how many names there are.

    The names of a letter keep their order; a letter that has fewer names than the problem uses keeps these. A problem
    that does not name all that its trace names keeps its names, or nobody could know the others.
    """
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, names))})(\d+)\b") if names else None
    if not pattern or not set(pattern.findall(trace)) <= set(pattern.findall(problem)):
        return lambda example: example
    used: dict[str, set[int]] = {letter: set() for letter in names}
    for letter, number in pattern.findall(problem):
        used[letter].add(int(number))
    new = {
        f"{letter}{old}": f"{letter}{number}"
        for letter, olds in used.items()
        if len(olds) <= names[letter]
        for old, number in zip(sorted(olds), sorted(rng.sample(range(1, names[letter] + 1), len(olds))), strict=True)
    }
    known: dict[str, str] = {}

    def renamed(text: str) -> str:
        if text not in known:
            known[text] = pattern.sub(lambda found: new.get(found.group(), found.group()), text)
        return known[text]

    def rename(example: Example) -> Example:
        return replace(
            example,
            prompt=renamed(example.prompt),
            completion=renamed(example.completion),
            hints=tuple([(place, tuple(map(renamed, words))) for place, words in example.hints]),
            previews=tuple([(place, renamed(word)) for place, word in example.previews]),
            alternatives=tuple(map(renamed, example.alternatives)),
            exercises=tuple([(given, renamed(lines)) for given, lines in example.exercises]),
        )

    return rename
