"""What a plugin implements: `Task`, and `Backend` with its `Model`. Knows values only."""

import random
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, Literal as OneOf, Protocol, TypeVar, runtime_checkable

from aletheia_plugins.values import CSP, Assignment, Card, Completion, Domains, Example, Request, Solution

__all__ = [
    "Backend",
    "Describing",
    "Disguising",
    "Drawing",
    "Encoding",
    "Exporter",
    "Merging",
    "Model",
    "Planning",
    "Progress",
    "Scoring",
    "Split",
    "Task",
    "Trainable",
    "belongs",
    "generator",
]

Split = OneOf["train", "test"]

P = TypeVar("P")
"""A task's own problem type: any value that compares by content."""

HELD_OUT = 4
"""One canonical form in so many is for testing."""


class Task(Protocol[P]):
    """A family of constraint problems. Instances are made without arguments and hold no state."""

    name: ClassVar[str]
    version: ClassVar[str]
    """Changes when `generate` gives other problems for the same arguments."""
    levels: ClassVar[tuple[str, ...]]
    """Named difficulties, easiest first."""
    legend: ClassVar[str]
    """How to read a problem, in a few sentences for a model that has never seen one: variables, values, constraints."""

    def generate(self, level: str, *, split: Split, seed: int, index: int) -> P:
        """The problem of these arguments, the same in every process; use `generator` and `belongs`."""
        ...

    def loads(self, text: str) -> Sequence[P]:
        """The problems in the text of a file of the field's own format; raises ProblemFileError, also for none."""
        ...

    def dumps(self, problem: P) -> str:
        """The problem in that format: `loads(dumps(p)) == [p]`."""
        ...

    def render(self, problem: P) -> str:
        """The prompt: lines that end in a newline; words separated by single spaces; the first is the task's name."""
        ...

    def domains(self, problem: P) -> Domains:
        """What can be assigned, in the order in which an answer lists it."""
        ...

    def csp(self, problem: P) -> CSP:
        """What the search sees."""
        ...

    def falsified(self, problem: P, assignment: Assignment, named: str | None = None) -> str | None:
        """The name of a constraint that `assignment` falsifies, or None: the primitive that the checker uses.

        It looks at the native problem and shares no code with `csp`. A constraint is falsified when it cannot hold,
        whatever values the unassigned variables take; where an assignment has what is given, this is to be exact.
        With `named`, only the constraint of that name counts; KeyError if the problem has none of that name.
        """
        ...

    def solve(self, problem: P, *, seconds: float = 60.0) -> Solution:
        """The verdict of an established solver; UNKNOWN when `seconds` did not suffice."""
        ...

    def canonical(self, problem: P) -> str:
        """A text that is the same for all disguises of a problem: renamed, permuted, reordered."""
        ...


@runtime_checkable
class Disguising(Protocol[P]):
    """A task that knows the symmetries of its problems."""

    def disguise(self, problem: P, rng: random.Random) -> P:
        """The same problem in other words: renamed, permuted, reordered. It has the same canonical form."""
        ...


@runtime_checkable
class Drawing(Protocol):
    """A task whose problems can be seen."""

    def draw(self, problem: Any, assignment: Assignment) -> str:
        """An SVG document of the problem with a partial assignment in it; without scripts, links and styles."""
        ...


class Model(Protocol):
    """A model that is loaded and writes text. It knows nothing of traces."""

    def submit(self, request: Request) -> None:
        """Queue a request; its completion depends on nothing else that was or will be submitted."""
        ...

    def poll(self) -> Sequence[Completion]:
        """Wait until at least one request is done and return what is; empty only if nothing is queued."""
        ...

    def facts(self) -> Mapping[str, str | int | float]:
        """What a reader needs to repeat a run: versions, device, threads, parameters, batch size."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Encoding(Protocol):
    """A model that shows which token ids it reads a text as."""

    def encode(self, text: str) -> Sequence[int]:
        """As in a prompt. To be asked when nothing is queued."""
        ...


@runtime_checkable
class Scoring(Protocol):
    """A model that tells how probable it is that it goes on with a text."""

    def likelihoods(
        self, prompts: Sequence[str], continuations: Sequence[str], *, instruction: str = ""
    ) -> Sequence[Sequence[float] | None]:
        """A row for each prompt: natural logarithms of the probability that each continuation follows it.

        The model reads a prompt as it would read a request's. A continuation counts as the tokens that it adds to the
        text of the prompt; its probability is the product of theirs, and it may go on behind them. None for a prompt
        that leaves no room for each of them. To be asked when nothing is queued. Raises ModelFileError if the model
        fails.
        """
        ...


class Progress(Protocol):
    """Told now and then where a long job stands."""

    def __call__(self, done: int, total: int, **figures: float) -> None: ...


class Backend(Protocol):
    """A way to run models: registered by name, opened by card."""

    name: ClassVar[str]

    def open(self, card: Card) -> Model:
        """Raises MissingError or ModelFileError with the way out."""
        ...


@runtime_checkable
class Trainable(Protocol):
    """A back-end that can also train."""

    def check(self, card: Card) -> None:
        """Raises ModelFileError if no student can be trained with the card's options: before any data is made."""
        ...

    def fit(
        self,
        card: Card,
        pages: Sequence[Iterable[Example]],
        out: Path,
        *,
        seed: int,
        workers: int,
        progress: Progress,
    ) -> Mapping[str, Any]:
        """Train the card's student on the examples and write its weights into `out`.

        `pages` can be pickled, and read in any order: with `workers` > 1, other processes may prepare what comes next.
        Continues from a checkpoint in `out`. Returns what a model card should say: steps, tokens, seconds, loss.
        """
        ...


@runtime_checkable
class Describing(Protocol):
    """A back-end that knows what BACKEND:WHERE stands for; for others, WHERE is the path of the weights."""

    def describe(self, where: str) -> Mapping[str, Any]:
        """Fields of such a card, among them `weights`, if it has any here, and what they say of themselves.

        What names no `context` was not trained on traces. That there is nothing in that place, the harness says.
        """
        ...


@runtime_checkable
class Exporter(Protocol):
    """A back-end that can also write its own format, from a folder in Hugging Face's."""

    quants: ClassVar[tuple[str, ...]]
    """Names of the precisions that it writes."""

    def export(self, card: Card, out: Path, *, quant: str) -> Mapping[str, int]:
        """Write the card's weights as one file; returns how many tensors it has of each type.

        Raises ModelFileError if the format has no place for such a model, MissingError without weights.
        """
        ...


@runtime_checkable
class Merging(Protocol):
    """A back-end whose weights are changes of a base."""

    def merge(self, card: Card, folder: Path) -> None:
        """Write the base with the changes in it, in full precision, as a folder in Hugging Face's format."""
        ...


@runtime_checkable
class Planning(Protocol):
    """A back-end that can tell beforehand what a training would take."""

    def plan(self, card: Card, sample: Sequence[tuple[float, Example]]) -> Mapping[str, str]:
        """Rows of a table for people: parameters, tokens, memory, hours, and whether it fits.

        `sample`: examples, and how many of the corpus each stands for. Raises MissingError if it cannot be told.
        """
        ...


def generator(*key: object) -> random.Random:
    """A random generator that depends on `key` alone; neighbouring keys have nothing in common."""
    digest = blake2b("\x1f".join(map(str, key)).encode(), digest_size=16).digest()
    return random.Random(int.from_bytes(digest, "big"))


def belongs(canonical: str, split: Split) -> bool:
    """Whether a problem with this canonical form is in `split`: so no disguise of a test problem is trained on."""
    test = blake2b(canonical.encode(), digest_size=8).digest()[0] % HELD_OUT == 0
    return test == (split == "test")
