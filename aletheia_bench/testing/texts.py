"""What is promised of the texts of a problem: its prompt, its file, its names, its drawing."""

import pickle
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from random import Random
from typing import Any
from xml.etree import ElementTree as ET

from aletheia_bench.network import bounded
from aletheia_bench.testing.findings import Finding, shortened
from aletheia_bench.testing.specimen import Specimen, literals
from aletheia_plugins import CSP, Drawing, ProblemFileError, Solution

__all__ = ["drawn", "filed", "garbage", "named", "rendered", "sent", "shaped", "told_apart"]

PROMPT = re.compile(r"( ?\S+( \S+)*\n)+")
ATOM = re.compile("[A-Za-z0-9]+")
NAME = re.compile(r"[^\s:]\S*( [^\s:]\S*)*")
"""A colon at the beginning of a word would end a name in the middle of a step."""
VERDICT = re.compile(r"\b(UN)?SAT\b")
SVG = "{http://www.w3.org/2000/svg}"
SHAPE = re.compile(
    re.escape(SVG) + "(svg|g|defs|title|desc|symbol|marker|clipPath|mask|pattern|linearGradient|radialGradient|stop"
    "|path|line|polyline|polygon|rect|circle|ellipse|text|tspan)"
)
LOADING = re.compile(r"""url\((?!\s*['"]?#)|@import|image-set|javascript:|\\""", re.IGNORECASE)
"""What in an attribute's value may load something, or is an escape that may hide it."""
TRASH = ("", "\n", " ", "\0", "0", "-1", "p", "#", "%", "c", "é∧\ufeff", "[1, 2", "{}", "9" * 30, "garbage\n" * 50)
CHARACTERS = "\n 019-.%cpe#,{é\0"


def shaped(each: Specimen) -> Iterator[Finding]:
    """Whether methods return what the contract says: nothing else is looked at before they do."""
    task, problem = each.task, each.problem
    expected: list[tuple[str, Callable[[], Any], type | tuple[type, ...]]] = [
        ("render", lambda: task.render(problem), str),
        ("dumps", lambda: task.dumps(problem), str),
        ("loads", lambda: task.loads(task.dumps(problem)), (list, tuple)),
        ("canonical", lambda: task.canonical(problem), str),
        ("domains", lambda: task.domains(problem), Mapping),
        ("csp", lambda: task.csp(problem), CSP),
        ("falsified", lambda: task.falsified(problem, {}), (str, type(None))),
        ("solve", lambda: task.solve(problem, seconds=0), Solution),
    ]
    for method, call, kinds in expected:
        found = call()
        if not isinstance(found, kinds):
            names = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
            wrong = f"`{method}` returns {shortened(repr(found))}."
            yield each.finding(wrong, f"Let `{method}` return a {names.replace('NoneType', 'None')}.")


def rendered(each: Specimen) -> Iterator[Finding]:
    prompt = each.task.render(each.problem)
    if not PROMPT.fullmatch(prompt):
        bad = next((line for line in prompt.split("\n")[:-1] if not PROMPT.fullmatch(line + "\n")), None)
        wrong = f"the prompt {'does not end in a newline' if bad is None else f'has the line {shortened(bad)!r}'}."
        remedy = "Write lines that end in a newline, of words with one space between them and at most one before."
        yield each.finding(wrong, remedy)
    if (first := prompt.split(maxsplit=1)[:1]) != [each.task.name]:
        wrong = f"the prompt begins with {shortened(' '.join(map(repr, first)) or 'nothing')}."
        yield each.finding(
            wrong, "Begin the prompt with the task's name, a word of its own: models read several tasks."
        )
    if verdict := VERDICT.search(prompt):
        wrong = f"the prompt has the word {verdict.group()}."
        yield each.finding(wrong, "Write no verdict into the prompt: it is what a model is asked for.")
    if type(each.task)().render(each.task.loads(each.task.dumps(each.problem))[0]) != prompt:
        wrong = "`render` writes the same problem in two ways."
        yield each.finding(wrong, "Let the prompt depend on the problem alone: no random order, no count of calls.")


def told_apart(specimens: Sequence[Specimen]) -> Iterator[Finding]:
    """Over all levels: what tells two problems apart must stand in the text."""
    for one, other in combinations(specimens, 2):
        if one.problem == other.problem:
            continue
        for method in ("render", "dumps"):
            if getattr(one.task, method)(one.problem) == getattr(other.task, method)(other.problem):
                wrong = f"`{method}` writes the same as for the other problem of {other.place}."
                yield one.finding(wrong, f"Let `{method}` write all that tells problems apart.")


def named(each: Specimen) -> Iterator[Finding]:
    domains, csp = each.task.domains(each.problem), each.csp
    words: list[Any] = [*domains, *(value for values in domains.values() for value in values)]
    for word in words:
        if not isinstance(word, str) or not ATOM.fullmatch(word):
            wrong = f"a variable or value is called {word!r}."
            yield each.finding(wrong, "Call variables and values by letters and digits: steps are written x1=2.")
            break
    if any(not values or len(set(values)) < len(values) for values in domains.values()):
        yield each.finding("a variable has no value, or one twice.", "Give each variable different values.")
    if list(csp.domains.items()) != list(domains.items()):
        wrong = "`csp` and `domains` differ in variables, values or their order."
        yield each.finding(wrong, "Let `csp` take its domains from `domains`.")
    if csp.propagation not in ("unit", "forward") or (
        csp.propagation == "unit" and any(len(values) > 2 for values in domains.values())
    ):
        wrong = f"its propagation {csp.propagation!r} does not fit."
        yield each.finding(wrong, "Use 'unit' where variables have two values, else 'forward'.")
    yield from _constraints(each, csp)


def _constraints(each: Specimen, csp: CSP) -> Iterator[Finding]:
    names: list[Any] = [constraint.name for constraint in csp.constraints]
    for name in names:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            wrong = f"a constraint is called {name!r}."
            yield each.finding(
                wrong, "Call constraints by words with one space between them, none of which begins with a colon."
            )
            break
    if both := next((name for name in names if name in csp.domains), None):
        wrong = f"a constraint and a variable are called {both!r}."
        yield each.finding(wrong, "Call no constraint like a variable: a line of a trace names either.")
    if twice := next((name for name in names if names.count(name) > 1), None):
        yield each.finding(f"two constraints are called {twice!r}.", "Give each constraint a name of its own.")
    pairs = {(variable, value) for variable, values in csp.domains.items() for value in values}
    for constraint in bounded(csp):
        for bound in constraint.bounds(csp.domains):
            if not pairs.issuperset(bound.pairs) or len(set(bound.pairs)) < len(bound.pairs):
                wrong = f"a bound of {constraint.name!r} has a pair twice, or one that is in no domain."
                yield each.finding(wrong, "Bound different (variable, value) pairs of the domains.")
                return


def filed(each: Specimen) -> Iterator[Finding]:
    task, text = each.task, each.task.dumps(each.problem)
    if list(task.loads(text)) != [each.problem]:
        wrong = f"`loads(dumps(problem))` is not the problem, but {shortened(repr(task.loads(text)))}."
        yield each.finding(wrong, "Let the file have all that the problem has, and `loads` read it.")


def sent(each: Specimen) -> Iterator[Finding]:
    """To a worker process, and back; not if the problem's class stands where no process can import it."""
    if type(each.problem).__module__ not in sys.modules:
        return
    remedy = "Let problems be plain data that can be pickled: worker processes are sent them."
    try:
        copy = pickle.loads(pickle.dumps(each.problem))  # noqa: S301 - our own bytes
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises is a finding
        yield each.finding(f"pickling it raises {type(error).__name__}: {shortened(str(error))}.", remedy)
    else:
        if copy != each.problem:
            yield each.finding("it is not equal to what pickle makes of it.", remedy)


def garbage(each: Specimen) -> Iterator[Finding]:
    """Texts that are no problem, and files with mistakes in them."""
    text, rng = each.task.dumps(each.problem), each.rng("garbage")
    for spoilt in [*TRASH, *(_spoilt(text, rng) for _ in range(40))]:
        try:
            if not list(each.task.loads(spoilt)):
                wrong = f"`loads` of {shortened(repr(spoilt))} returns no problem."
                yield each.finding(wrong, "Let `loads` raise ProblemFileError for a file without problems.")
        except ProblemFileError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises is a finding
            wrong = f"`loads` of {shortened(repr(spoilt))} raises {type(error).__name__}: {shortened(str(error))}."
            yield each.finding(wrong, "Let `loads` raise ProblemFileError, and nothing else, for what it cannot read.")


def _spoilt(text: str, rng: Random) -> str:
    """With a few characters changed, left out or put in, cut off, or with its lines in another order."""
    if rng.random() < 0.2:
        lines = text.splitlines(keepends=True)
        return "".join(rng.sample(lines, rng.randint(0, len(lines))))
    if rng.random() < 0.2:
        return text[: rng.randint(0, len(text))]
    for _ in range(rng.randint(1, 3)):
        place = rng.randint(0, len(text))
        text = text[:place] + rng.choice(CHARACTERS) * rng.randint(0, 2) + text[place + rng.randint(0, 2) :]
    return text


def drawn(each: Specimen) -> Iterator[Finding]:
    """If the task draws: an SVG document for any assignment."""
    if not isinstance(each.task, Drawing):
        return
    for assignment in each.partials("draw", 3, given=False):
        text = each.task.draw(each.problem, assignment)
        shown = f"the drawing with {shortened(literals(assignment))}"
        try:
            root = ET.fromstring(text)  # noqa: S314 - what our own task wrote
        except (ET.ParseError, TypeError) as error:
            yield each.finding(f"{shown} is no XML ({error}).", "Write a well-formed SVG document; escape < and &.")
            return
        if root.tag != f"{SVG}svg" or not {"viewBox", "width"}.intersection(root.keys()):
            remedy = 'Begin with <svg xmlns="http://www.w3.org/2000/svg" viewBox="...">.'
            yield each.finding(f"{shown} is no SVG document with a size.", remedy)
        if active := next((odd for element in root.iter() for odd in _active(element)), None):
            wrong = f"{shown} has a script, a link or a style, or may have: {shortened(active)}."
            yield each.finding(wrong, "Draw shapes and texts alone: reports show it.")


def _active(element: ET.Element) -> Iterator[str]:
    """An element that is no shape, an attribute that acts, or a value that loads something."""
    if not SHAPE.fullmatch(element.tag):
        yield f"<{element.tag.rpartition('}')[2]}>"
    for key, value in element.items():
        name = key.rpartition("}")[2].lower()
        if name.startswith("on") or name in ("href", "src", "base"):
            yield name
        elif LOADING.search(value):
            yield f"{name}={value}"
