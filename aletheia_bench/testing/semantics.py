"""What is promised of `falsified`: that it finds exactly the constraints that cannot hold, as the CSP has them."""

from collections.abc import Generator, Iterator, Mapping

from aletheia_bench.testing.findings import Finding, shortened
from aletheia_bench.testing.meaning import Meaning, TooMany, meanings
from aletheia_bench.testing.specimen import Specimen, literals

__all__ = ["agreeing", "monotone", "unknown_names"]

ASSIGNMENTS = 6
OVERLOOKED = "Let `falsified` find every constraint that cannot hold whatever the open variables are, or mend `csp`."
CLAIMED = "Let `falsified` name only what no values of the open variables can make hold, or mend `csp`."


def agreeing(each: Specimen) -> Iterator[Finding]:
    """Constraint by constraint, and as a whole, on random partial assignments."""
    known = {meaning.name: meaning for meaning in meanings(each.csp)}
    for given in (True, False):
        for assignment in each.partials(f"agreeing {given}", ASSIGNMENTS, given=given):
            found = set()
            for name, meaning in known.items():
                if (yield from _asked(each, meaning, assignment, given=given)):
                    found.add(name)
            yield from _whole(each, known, assignment, found)


def _asked(
    each: Specimen, meaning: Meaning, assignment: dict[str, str], *, given: bool
) -> Generator[Finding, None, bool]:
    """Returns whether `falsified` names the constraint."""
    name, domains = meaning.name, each.task.domains(each.problem)
    answer = each.task.falsified(each.problem, assignment, name)
    held = shortened(literals({v: assignment[v] for v in meaning.scope if v in assignment}))
    if answer not in (name, None):
        wrong = f"`falsified`, asked for {name!r}, answers {answer!r}."
        yield each.finding(wrong, "Let `falsified` answer with the name that it was asked for, as the CSP writes it.")
    elif answer is None and meaning.exceeded(assignment):
        yield each.finding(f"`falsified` does not see that {held} falsifies {name!r}.", OVERLOOKED)
    else:
        try:
            completion = meaning.completion(assignment, domains)
        except TooMany:
            return answer is not None
        if answer is None and completion is None and given:
            wrong = f"with {held}, no values of the open variables make {name!r} hold, and `falsified` does not see it."
            yield each.finding(wrong, OVERLOOKED)
        if answer is not None and completion is not None:
            wrong = (
                f"`falsified` says that {held} falsifies {name!r}, which holds with {shortened(literals(completion))}."
            )
            yield each.finding(wrong, CLAIMED)
    return answer is not None


def _whole(
    each: Specimen, known: Mapping[str, Meaning], assignment: dict[str, str], found: set[str]
) -> Iterator[Finding]:
    """Asked for no constraint in particular, it names one that it also admits to when asked."""
    answer = each.task.falsified(each.problem, assignment)
    held = shortened(literals(assignment))
    if answer is None and found:
        wrong = f"`falsified` finds {min(found)!r} if asked for it, and nothing if not, with {held}."
        yield each.finding(wrong, "Let `falsified` without a name look at every constraint.")
    if answer is not None and answer not in found:
        why = "it does not if asked for it" if answer in known else "is no constraint of the CSP"
        wrong = f"`falsified` names {answer!r} with {held}, which {why}."
        yield each.finding(
            wrong, "Let `falsified` mean the same with and without a name, and the constraints of `csp`."
        )


def monotone(each: Specimen) -> Iterator[Finding]:
    """What is falsified stays so, whatever else is assigned."""
    task, problem = each.task, each.problem
    for assignment in each.partials("monotone", 3):
        pairs = list(assignment.items())
        first: str | None = None
        for length in range(len(pairs) + 1):
            held = dict(pairs[:length])
            if first is None:
                first = task.falsified(problem, held)
            elif task.falsified(problem, held, first) is None or task.falsified(problem, held) is None:
                wrong = f"{first!r} was falsified, and no longer is with {literals(dict([pairs[length - 1]]))} more."
                yield each.finding(wrong, "Let what is falsified stay so when more is assigned.")
                return


def unknown_names(each: Specimen) -> Iterator[Finding]:
    names = [constraint.name for constraint in each.csp.constraints]
    made_up = ["", " ", "\n", "no such constraint", *(f"{name} {name}" for name in names[:2])]
    for name in made_up:
        if name in names:
            continue
        try:
            answer = each.task.falsified(each.problem, {}, name)
        except KeyError:
            continue
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises is a finding
            said = f"raises {type(error).__name__}"
        else:
            said = f"answers {answer!r}"
        wrong = f"`falsified`, asked for {name!r}, which the problem does not have, {said}."
        yield each.finding(wrong, "Raise KeyError for a constraint that the problem does not have.")
