"""A small task that keeps the contract, and tasks that are like it but for one mistake each."""

import itertools
import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from aletheia_plugins import (
    CSP,
    AtMost,
    ProblemFileError,
    Solution,
    UnknownNameError,
    Verdict,
    belongs,
    generator,
)

VALUES = ("1", "2", "3")


@dataclass(frozen=True)
class Shelf:
    """Books 1 .. `books` on three boards; `rules` (left, right, apart): not exactly so many boards apart."""

    books: int
    rules: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Apart:
    """The rule as the search sees it."""

    name: str
    left: str
    right: str
    apart: int

    def bounds(self, domains) -> Iterator[AtMost]:
        for one, other in itertools.product(domains[self.left], domains[self.right]):
            if abs(int(one) - int(other)) == self.apart:
                yield AtMost(1, ((self.left, one), (self.right, other)))


@lru_cache(maxsize=1 << 12)
def least(problem):
    """The least of all ways to name the books: an exact canonical form."""
    return repr(
        min(
            sorted([(min(n[a], n[b]), max(n[a], n[b]), apart) for a, b, apart in problem.rules])
            for n in itertools.permutations(range(1, problem.books + 1))
            for n in [(0, *n)]
        )
    )


class Shelves:
    """The right one."""

    name: ClassVar[str] = "shelves"
    version: ClassVar[str] = "1"
    levels: ClassVar[tuple[str, ...]] = ("tiny", "small")
    legend: ClassVar[str] = "A rule b1 b2 0 says that two books are not so many boards apart. Values are boards."

    def generate(self, level, *, split, seed, index):
        if level not in self.levels:
            raise UnknownNameError("level", level, self.levels)
        rng = self.random(level, split, seed, index)
        while True:
            problem = self.drawn(rng, *{"tiny": (3, 5), "small": (5, 14)}[level])
            if self.fits(problem, split):
                return problem

    def random(self, level, split, seed, index):
        return generator(self.name, self.version, level, split, seed, index)

    def drawn(self, rng, books, count):
        every = [(*pair, apart) for pair in itertools.combinations(range(1, books + 1), 2) for apart in (0, 1, 2)]
        return Shelf(books, tuple(rng.sample(every, count)))

    def fits(self, problem, split):
        return belongs(self.form(problem), split)

    def loads(self, text):
        try:
            books, rules = json.loads(text)
            found = tuple((int(left), int(right), int(apart)) for left, right, apart in rules)
        except (ValueError, TypeError, RecursionError) as error:
            raise ProblemFileError(f"expected [books, rules], found {text[:20]!r}") from error
        if not isinstance(books, int) or any(not 1 <= b <= books for rule in found for b in rule[:2]):
            raise ProblemFileError("expected rules of books that are there")
        return [Shelf(books, found)]

    def dumps(self, problem):
        return json.dumps([problem.books, problem.rules]) + "\n"

    def render(self, problem):
        lines = [f" b{left} b{right} {apart} r{n}" for n, (left, right, apart) in enumerate(problem.rules, 1)]
        return "\n".join([f"shelves {problem.books}", *lines]) + "\n"

    def domains(self, problem):
        return {f"b{book}": VALUES for book in range(1, problem.books + 1)}

    def csp(self, problem):
        rules = enumerate(problem.rules, 1)
        return CSP(
            self.domains(problem), tuple(Apart(f"r{n}", f"b{a}", f"b{b}", c) for n, (a, b, c) in rules), "forward"
        )

    def falsified(self, problem, assignment, named=None):
        rules = {f"r{number}": rule for number, rule in enumerate(problem.rules, 1)}
        for name in rules if named is None else [named]:
            if self.breaks(rules[name], assignment):
                return name
        return None

    def breaks(self, rule, assignment):
        left, right = (assignment.get(f"b{book}") for book in rule[:2])
        return left is not None and right is not None and abs(int(left) - int(right)) == rule[2]

    def solve(self, problem, *, seconds=60.0):
        if seconds <= 0:
            return Solution(Verdict.UNKNOWN)
        for values in itertools.product(VALUES, repeat=problem.books):
            found = {f"b{book}": value for book, value in enumerate(values, 1)}
            if self.falsified(problem, found) is None:
                return Solution(Verdict.SAT, found)
        return Solution(Verdict.UNSAT)

    def canonical(self, problem):
        return self.form(problem)

    def form(self, problem):
        return least(problem)

    def disguise(self, problem, rng):
        names = rng.sample(range(1, problem.books + 1), problem.books)
        rules = [(names[left - 1], names[right - 1], apart) for left, right, apart in problem.rules]
        return Shelf(problem.books, tuple(rng.sample(rules, len(rules))))

    def draw(self, problem, assignment):
        books = [
            f'<text x="{10 * book}" y="{10 * int(assignment.get(f"b{book}", "0"))}">{book}</text>'
            for book in range(1, problem.books + 1)
        ]
        return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 99 40">{"".join(books)}</svg>'


# --- what it says of itself ---


class NoSolver(Shelves):
    solve = None


class NeedsArguments(Shelves):
    def __init__(self, size):
        self.size = size


class LevelTwice(Shelves):
    levels = ("tiny", "tiny")


class Capitals(Shelves):
    name = "My Task"


class NumberedVersion(Shelves):
    version = 1


class SpacedVersion(Shelves):
    version = "1 beta"


class NoLegend(Shelves):
    legend = ""


class AnyLevel(Shelves):
    def generate(self, level, *, split, seed, index):
        return super().generate(level if level in self.levels else "tiny", split=split, seed=seed, index=index)


# --- generating ---


class HashSeeded(Shelves):
    def random(self, *key):
        return random.Random(hash(key))


class Clocked(Shelves):
    def random(self, *key):
        return random.Random(time.perf_counter_ns())


class Identity(Shelf):
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class ComparedByIdentity(Shelves):
    def drawn(self, rng, books, count):
        problem = super().drawn(rng, books, count)
        return Identity(problem.books, problem.rules)


class OneSeed(Shelves):
    def random(self, level, split, seed, index):
        return super().random(level, split, 0, index)


class OneIndex(Shelves):
    def random(self, level, split, seed, index):
        return super().random(level, split, seed, 0)


class SeedPlusIndex(Shelves):
    def random(self, level, split, seed, index):
        return super().random(level, split, 0, seed + index)


class Pairs(Shelves):
    def random(self, level, split, seed, index):
        return super().random(level, split, seed, index // 2)


class Unsplit(Shelves):
    def random(self, level, split, seed, index):
        return super().random(level, "", seed, index)

    def fits(self, problem, split):
        return True


class Slow(Shelves):
    def random(self, level, split, seed, index):
        time.sleep(0.3 if index == 3 else 0)
        return super().random(level, split, seed, index)


class Endless(Shelves):
    def fits(self, problem, split):
        return split == "train" and super().fits(problem, split)


class Ends(Shelves):
    def drawn(self, rng, books, count):
        os._exit(3)


class Raises(Shelves):
    def drawn(self, rng, books, count):
        return super().drawn(rng, books, count * (books - 3) // (books - 3))


# --- texts ---


class NoPrompt(Shelves):
    def render(self, problem):
        return None


class Tuples(Shelves):
    def csp(self, problem):
        return self.domains(problem), ()


class NoNewline(Shelves):
    def render(self, problem):
        return super().render(problem).removesuffix("\n")


class TwoSpaces(Shelves):
    def render(self, problem):
        return super().render(problem).replace(" 0 ", "  0 ")


class RandomOrder(Shelves):
    def render(self, problem):
        head, *lines = super().render(problem).splitlines(keepends=True)
        return head + "".join(random.sample(lines, len(lines)))


class Forgetful(Shelves):
    def render(self, problem):
        return f"shelves {problem.books}\n"


class Underscores(Shelves):
    def domains(self, problem):
        return {f"b_{book}": VALUES for book in range(1, problem.books + 1)}

    def csp(self, problem):
        return CSP(self.domains(problem), (), "forward")


class Backwards(Shelves):
    def csp(self, problem):
        csp = super().csp(problem)
        return CSP(dict(reversed(csp.domains.items())), csp.constraints, "forward")


class Unit(Shelves):
    def csp(self, problem):
        csp = super().csp(problem)
        return CSP(csp.domains, csp.constraints, "unit")


class OneName(Shelves):
    def csp(self, problem):
        csp = super().csp(problem)
        return CSP(csp.domains, tuple(Apart("r1", c.left, c.right, c.apart) for c in csp.constraints), "forward")


class Colons(Shelves):
    def csp(self, problem):
        csp = super().csp(problem)
        return CSP(
            csp.domains, tuple(Apart(f"{c.name} :", c.left, c.right, c.apart) for c in csp.constraints), "forward"
        )


class OutOfDomain(Shelves):
    def csp(self, problem):
        csp = super().csp(problem)
        wide = {variable: (*values, "4") for variable, values in csp.domains.items()}

        class Wide(Apart):
            def bounds(self, domains):
                return super().bounds(wide)

        return CSP(csp.domains, tuple(Wide(c.name, c.left, c.right, c.apart) for c in csp.constraints), "forward")


class LossyFile(Shelves):
    def dumps(self, problem):
        return json.dumps([problem.books, problem.rules[1:]])


class Unread(Shelves):
    def loads(self, text):
        books, rules = json.loads(text)
        return [Shelf(books, tuple(map(tuple, rules)))]


# --- meaning ---


class Overlooks(Shelves):
    def breaks(self, rule, assignment):
        return rule[2] != 1 and super().breaks(rule, assignment)


class Hasty(Shelves):
    """A rule counts as broken as soon as one of its books has a place."""

    def breaks(self, rule, assignment):
        return f"b{rule[0]}" in assignment or super().breaks(rule, assignment)


class Half(Shelves):
    """Looks only at the first rule where none is named."""

    def falsified(self, problem, assignment, named=None):
        return super().falsified(problem, assignment, named or "r1")


class OtherNames(Shelves):
    def falsified(self, problem, assignment, named=None):
        found = super().falsified(problem, assignment, named)
        return found and (named or f"rule {found}")


class Renames(Shelves):
    def falsified(self, problem, assignment, named=None):
        found = super().falsified(problem, assignment, named)
        return found and f"rule {found}"


class Forgives(Shelves):
    """Nothing is falsified once all is assigned."""

    def falsified(self, problem, assignment, named=None):
        found = super().falsified(problem, assignment, named)
        return None if len(assignment) == problem.books else found


class AllNames(Shelves):
    def falsified(self, problem, assignment, named=None):
        try:
            return super().falsified(problem, assignment, named)
        except KeyError:
            return None


class ValueErrors(Shelves):
    def falsified(self, problem, assignment, named=None):
        try:
            return super().falsified(problem, assignment, named)
        except KeyError:
            raise ValueError(named) from None


# --- solving ---


class TimedOutIsUnsat(Shelves):
    def solve(self, problem, *, seconds=60.0):
        return super().solve(problem, seconds=seconds) if seconds > 0 else Solution(Verdict.UNSAT)


class Incomplete(Shelves):
    def solve(self, problem, *, seconds=60.0):
        found = super().solve(problem, seconds=seconds)
        return Solution(found.verdict, found.assignment and dict(list(found.assignment.items())[1:]))


class Outside(Shelves):
    def solve(self, problem, *, seconds=60.0):
        found = super().solve(problem, seconds=seconds)
        return Solution(found.verdict, found.assignment and dict.fromkeys(found.assignment, "9"))


class NoSolution(Shelves):
    def solve(self, problem, *, seconds=60.0):
        found = super().solve(problem, seconds=seconds)
        return Solution(found.verdict, found.assignment and dict.fromkeys(found.assignment, "1"))


class NeverSat(Shelves):
    def solve(self, problem, *, seconds=60.0):
        return Solution(Verdict.UNSAT if seconds > 0 else Verdict.UNKNOWN)


class SomethingForUnsat(Shelves):
    def solve(self, problem, *, seconds=60.0):
        found = super().solve(problem, seconds=seconds)
        return Solution(found.verdict, found.assignment or ({} if found.verdict is Verdict.UNSAT else None))


class GivesUp(Shelves):
    def solve(self, problem, *, seconds=60.0):
        return Solution(Verdict.UNKNOWN)


# --- forms and drawings ---


class Literal(Shelves):
    """Its canonical form knows how the books are called."""

    def canonical(self, problem):
        return self.dumps(problem)

    def fits(self, problem, split):
        return belongs(self.canonical(problem), split)


class Coarse(Shelves):
    """Its canonical form counts rules of each kind, and no more."""

    def canonical(self, problem):
        return repr(sorted(apart for _, _, apart in problem.rules))

    def fits(self, problem, split):
        return belongs(self.canonical(problem), split)


class Mirror(Shelves):
    def disguise(self, problem, rng):
        return problem


class Loses(Shelves):
    def disguise(self, problem, rng):
        return Shelf(problem.books, super().disguise(problem, rng).rules[1:])


class BrokenXml(Shelves):
    def draw(self, problem, assignment):
        return super().draw(problem, assignment).replace("</svg>", "")


class Html(Shelves):
    def draw(self, problem, assignment):
        return "<html><body/></html>"


class Scripted(Shelves):
    def draw(self, problem, assignment):
        return super().draw(problem, assignment).replace("<text", '<text onclick="alert(1)"')
