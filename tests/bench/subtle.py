"""Tasks like those in `toys`, each with a mistake that takes a closer look."""

import random
import time

from aletheia_plugins import CSP, Solution, Verdict

from .toys import Apart, Shelf, Shelves, least

# --- orders ---


class HashDomains(Shelves):
    def domains(self, problem):
        return dict(sorted(super().domains(problem).items(), key=lambda item: hash((item, problem.rules, "order"))))


class HashConstraints(Shelves):
    def csp(self, problem):
        csp = super().csp(problem)
        return CSP(csp.domains, tuple(sorted(csp.constraints, key=lambda each: hash(each.name))), "forward")


# --- texts ---


class OtherWord(Shelves):
    def render(self, problem):
        return super().render(problem).replace("shelves", "puzzle")


class LeaksAnswer(Shelves):
    def render(self, problem):
        return f"{super().render(problem)} {self.solve(problem).verdict}\n"


class LikeVariables(Shelves):
    def csp(self, problem):
        csp = super().csp(problem)
        rules = (Apart(each.name.replace("r", "b"), each.left, each.right, each.apart) for each in csp.constraints)
        return CSP(csp.domains, tuple(rules), "forward")

    def falsified(self, problem, assignment, named=None):
        found = super().falsified(problem, assignment, named and named.replace("b", "r"))
        return found and found.replace("r", "b")


class EmptyFile(Shelves):
    def loads(self, text):
        return super().loads(text) if text.strip() else []


class Locked(Shelf):
    def __reduce__(self):
        raise TypeError("no pickle")


class Unpickled(Shelves):
    def drawn(self, rng, books, count):
        problem = super().drawn(rng, books, count)
        return Locked(problem.books, problem.rules)

    def loads(self, text):
        return [Locked(each.books, each.rules) for each in super().loads(text)]


class Changeling(Shelf):
    def __reduce__(self):
        return (Changeling, (self.books, self.rules[1:]))


class ChangedByPickle(Unpickled):
    def drawn(self, rng, books, count):
        problem = super().drawn(rng, books, count)
        return Changeling(problem.books, problem.rules)

    def loads(self, text):
        return [Changeling(each.books, each.rules) for each in super().loads(text)]


# --- solving ---


class ImpatientIsUnsat(Shelves):
    """Not only without any time: with little, too."""

    def solve(self, problem, *, seconds=60.0):
        hurried = Solution(Verdict.UNSAT if seconds else Verdict.UNKNOWN)
        return super().solve(problem, seconds=seconds) if seconds > 1 else hurried


class IgnoresSeconds(Shelves):
    def solve(self, problem, *, seconds=60.0):
        time.sleep(0.1 if 0.01 < seconds < 1 else 0)
        return super().solve(problem, seconds=seconds)


# --- forms and drawings ---


class CoarseAbove(Shelves):
    """Its canonical form is exact where problems are small."""

    def form(self, problem):
        return least(problem) if problem.books == 3 else repr(sorted(apart for _, _, apart in problem.rules))


class GlobalRandom(Shelves):
    def disguise(self, problem, rng):
        return super().disguise(problem, random)


class Adorned(Shelves):
    ornament = ""

    def draw(self, problem, assignment):
        return super().draw(problem, assignment).replace("</svg>", f"{self.ornament}</svg>")


class Framed(Adorned):
    ornament = '<iframe xmlns="http://www.w3.org/1999/xhtml" srcdoc="hello"/>'


class Foreign(Adorned):
    ornament = "<foreignObject/>"


class Styled(Adorned):
    ornament = "<style>@import url(http://example.org/x.css);</style>"


class Linked(Adorned):
    ornament = '<text xmlns:x="http://www.w3.org/1999/xlink" x:href="http://example.org"/>'


class Painted(Adorned):
    ornament = '<rect fill="url(http://example.org/x.svg#a)"/>'


class Shaded(Adorned):
    """Nothing is wrong with this one: it refers to itself."""

    ornament = '<defs><linearGradient id="a"/></defs><rect fill="url(#a)" style="stroke: none"/>'
