"""What the contract promises of a model, looked for in what it writes."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic
from typing import Any

from aletheia_bench.testing.findings import Finding, guarded, insist, merged, shortened
from aletheia_plugins import Completion, Encoding, Model, Request, Scoring

__all__ = ["check_model", "model_findings"]

PROMPTS = ("once upon a time\n", "1 2 3 4 5\n", "state: -\n", "a")
TOKENS = 8
"""That a completion may have."""
MORE = 32
"""And where more are asked for."""
SEEDS = 12
"""Of a model that samples at all, so many other seeds all write the same once in thousands of times."""
MANY = 40
"""Requests in the queue."""
LONG = 20_000
"""Words of a prompt that is longer than most contexts."""
FINISHES = ("stop", "length", "timeout", "error")
STRANGE = "é∧ 数独 \U0001f600\n"
INSTRUCTION = "Go on with this text.\n"
LATE = 0.05
"""Seconds after which a completion was not done at once."""
SLACK = 1.0
"""Seconds that a completion may say beyond those that the clock shows."""
UNWRITTEN = "\ufffd"
"""Stands for the half of a character: such a text is not the beginning of a longer one."""

Open = Callable[[], Model]
Done = Mapping[str, Completion]


def check_model(open_model: Open, *, prompts: Sequence[str] = PROMPTS) -> None:
    """Raises AssertionError with all that `model_findings` finds."""
    insist("The model", model_findings(open_model, prompts=prompts))


def model_findings(open_model: Open, *, prompts: Sequence[str] = PROMPTS) -> list[Finding]:
    """What is wrong with a model; of each kind the first finding. Each model that is opened is closed.

    `prompts`: different ones, to some of which the model writes more than a word.
    """
    found: list[Finding] = []
    for check in CHECKS:
        found += guarded(check.__name__.strip("_"), check(open_model, prompts))
    return merged(found)


# --- what it writes ---


def _steady(open_model: Open, prompts: Sequence[str]) -> Iterator[Finding]:
    """At temperature 0: whatever else is asked, in whatever order, of whichever of two equal models."""
    asked = _requests(prompts)
    with _opened(open_model) as model:
        began = monotonic()
        first = _asked(model, asked)
        yield from _well_formed(asked, first)
        yield from _measured(first, monotonic() - began)
        yield from _same(
            asked, first, _asked(model, asked), "asked again, at temperature 0", "Depend on no earlier call."
        )
        backwards = _asked(model, [*asked[::-1], *_requests(["another one\n"], prefix="other")])
        remedy = "Let a completion depend on its request alone, not on its batch or its place in it."
        yield from _same(asked, first, backwards, "asked in another order, with others", remedy)
        alone = {request.id: done for request in asked for done in _asked(model, [request]).values()}
        yield from _same(asked, first, alone, "asked alone", remedy)
    with _opened(open_model) as model:
        remedy = "Let temperature 0 take the likeliest token: nothing random."
        yield from _same(asked, first, _asked(model, asked), "asked of the model opened again", remedy)


def _seeded(open_model: Open, prompts: Sequence[str]) -> Iterator[Finding]:
    """A model may be too sure of its text to sample another one, or not sample at all: then all seeds are alike."""
    asked = _requests(prompts, temperature=1.0)
    with _opened(open_model) as model:
        first, second = _asked(model, asked), _asked(model, asked[::-1])
        remedy = "Draw each completion from its request's seed alone."
        yield from _same(asked, first, second, "with the same seed, at temperature 1", remedy)
        others = ([replace(request, seed=request.seed + MANY * n) for request in asked] for n in range(1, SEEDS + 1))
        if _texts(first) != _texts(_asked(model, _requests(prompts))) and all(
            _texts(_asked(model, other)) == _texts(first) for other in others
        ):
            wrong = f"at temperature 1 it writes other texts than at 0, but the same with each of {SEEDS + 1} seeds."
            yield Finding("all prompts", wrong, "Draw with the request's `seed`: another seed, another text.")


def _texts(done: Done) -> dict[str, str]:
    return {name: completion.text for name, completion in done.items()}


def _limited(open_model: Open, prompts: Sequence[str]) -> Iterator[Finding]:
    """A smaller limit cuts the same text."""
    with _opened(open_model) as model:
        whole = _asked(model, _requests(prompts, max_tokens=MORE))
        for limit in (1, TOKENS // 2, TOKENS):
            for name, cut in _asked(model, _requests(prompts, max_tokens=limit)).items():
                where = f"prompt {shortened(repr(prompts[int(name)]))}, max_tokens {limit}"
                if len(cut.tokens) > limit:
                    yield Finding(where, f"it writes {len(cut.tokens)} tokens.", "Write at most max_tokens tokens.")
                elif cut.tokens != whole[name].tokens[: len(cut.tokens)]:
                    wrong = "a smaller limit changes what is written before it."
                    yield Finding(where, wrong, "Let max_tokens cut, and change nothing else.")
                elif len(cut.tokens) < len(whole[name].tokens) and cut.finish != "length":
                    wrong = f"it is cut, and its finish is {cut.finish!r}."
                    yield Finding(where, wrong, "Say 'length' where max_tokens ends a completion.")
    yield from _cut_early(whole)


def _cut_early(whole: Done) -> Iterator[Finding]:
    """At some number of tokens, and not where a context that prompts fill to different degrees has no more room."""
    cut = [done for done in whole.values() if done.finish == "length"]
    written = {len(done.tokens) for done in cut}
    if len(written) == 1 and max(written) < MORE and len({len(c.tokens) + c.prompt_tokens for c in cut}) > 1:
        wrong = f"it writes no more than {max(written)} tokens, and its finish is 'length'."
        yield Finding(f"all prompts, max_tokens {MORE}", wrong, "Cut where max_tokens says, and no earlier.")


def _stopping(open_model: Open, prompts: Sequence[str]) -> Iterator[Finding]:
    """For each prompt, what the second token adds is a stop text, and so is what both of the first two write."""
    told = False
    with _opened(open_model) as model:
        whole = _asked(model, _requests(prompts))
        for number, prompt in enumerate(prompts):
            grown = [
                _asked(model, _requests([prompt], max_tokens=limit))["0"].text
                for limit in range(1, len(whole[str(number)].tokens) + 1)
            ]
            stop = grown[1].removeprefix(grown[0]) if len(grown) > 1 else ""
            if stop and UNWRITTEN not in grown[0] + stop:
                told = True
                for each in (stop, grown[1]):
                    expected = next(text for text in grown if each in text)
                    yield from _stopped(model, prompt, ("never written", each), expected)
                    yield from _stopped(model, prompt, (each, "never written"), expected)
    if not told:
        wrong = "it writes less than two tokens to each of them, so that nothing can be stopped."
        yield Finding("all prompts", wrong, "Give prompts that it continues: prompts=[...].")


def _stopped(model: Model, prompt: str, stop: tuple[str, ...], expected: str) -> Iterator[Finding]:
    where = f"prompt {shortened(repr(prompt))}, stop {shortened(repr(stop))}"
    (request,) = _requests([prompt])
    (done,) = _asked(model, [replace(request, stop=stop)]).values()
    if done.text != expected:
        wrong = f"it writes {shortened(repr(done.text))} instead of {shortened(repr(expected))}."
        yield Finding(
            where, wrong, "End a completion behind the token with which a stop text is whole, and include it."
        )
    elif done.finish != "stop":
        yield Finding(where, f"its finish is {done.finish!r}.", "Say 'stop' where a stop text ends a completion.")


def _extremes(open_model: Open, prompts: Sequence[str]) -> Iterator[Finding]:
    """Empty, foreign and long prompts are requests like others, and spoil none of them."""
    asked = [
        *_requests(prompts[:1]),
        *_requests(["", STRANGE], prefix="strange "),
        *_requests(["word " * LONG], prefix="long ", max_tokens=1),
    ]
    with _opened(open_model) as model:
        yield from _well_formed(asked[:3], _asked(model, asked))


def _instructed(open_model: Open, prompts: Sequence[str]) -> Iterator[Finding]:
    """An instruction is read, which shows in what is written or in how much was read."""
    asked = _requests(prompts)
    with _opened(open_model) as model:
        plain = _asked(model, asked)
        told = [replace(request, instruction=INSTRUCTION) for request in asked]
        instructed = _asked(model, told)
    yield from _well_formed(told, instructed)
    if all(
        (plain[n].text, plain[n].prompt_tokens) == (done.text, done.prompt_tokens) for n, done in instructed.items()
    ):
        wrong = "it changes neither what is written nor `prompt_tokens`."
        yield Finding(
            f"instruction {INSTRUCTION!r}", wrong, "Read `instruction` before the prompt, and count its tokens."
        )


def _hurried(open_model: Open, prompts: Sequence[str]) -> Iterator[Finding]:
    """Without any time: what took longer than nothing has timed out, if it was not done with its first token."""
    asked = [replace(request, seconds=0.0) for request in _requests(prompts)]
    with _opened(open_model) as model:
        done = _asked(model, asked)
    yield from _well_formed(asked, done)
    for request in asked:
        late = done[request.id]
        if late.finish in ("stop", "length") and len(late.tokens) > 1 and late.seconds > LATE:
            wrong = f"it took {late.seconds:.2f} s, and its finish is {late.finish!r}."
            where = f"prompt {shortened(repr(request.prompt))}, seconds 0"
            yield Finding(where, wrong, "End a completion with 'timeout' once it took the `seconds` of its request.")


# --- how it answers ---


def _polled(open_model: Open, prompts: Sequence[str]) -> Iterator[Finding]:
    with _opened(open_model) as model:
        if list(model.poll()):
            yield Finding("nothing queued", "`poll` returns completions.", "Return nothing where nothing is queued.")
        for request in _requests(prompts):
            model.submit(request)
        names: list[str] = []
        while batch := model.poll():
            names += [completion.id for completion in batch]
            if len(names) > 10 * len(prompts):
                break
    where = f"{len(prompts)} requests"
    if len(set(names)) < len(names):
        yield Finding(where, "a request is completed twice.", "Return each request's id once.")
    if set(names) - {str(number) for number in range(len(prompts))}:
        wrong = f"completions are called {shortened(' '.join(sorted(set(names))))}."
        yield Finding(where, wrong, "Give a completion the id of its request.")
    if len(set(names)) < len(prompts):
        wrong = "`poll` returns nothing while requests are queued."
        yield Finding(where, wrong, "Wait until at least one request is done.")


def _queued(open_model: Open, prompts: Sequence[str]) -> Iterator[Finding]:
    """Many requests, with prompts that come again: all at once, and then half of them between the polls."""
    asked = _requests([prompts[n % len(prompts)] for n in range(MANY)], max_tokens=2)
    with _opened(open_model) as model:
        if lost := MANY - len(_answered(model, asked, at_once=MANY)):
            remedy = "Queue each request, however many there are, and also where its prompt is queued already."
            yield Finding(f"{MANY} requests at once", f"{lost} of them are never completed.", remedy)
        elif lost := MANY - len(_answered(model, asked, at_once=MANY // 2)):
            remedy = "Let `submit` keep what is queued, also between two polls."
            yield Finding(f"{MANY} requests, some between polls", f"{lost} of them are never completed.", remedy)


def _answered(model: Model, asked: Sequence[Request], *, at_once: int) -> set[str]:
    """The names of those that are completed, where one more is submitted after each poll."""
    waiting, names = list(asked), set[str]()
    for _ in range(at_once):
        model.submit(waiting.pop(0))
    for _ in range(2 * len(asked)):
        batch = model.poll()
        names |= {completion.id for completion in batch}
        if waiting:
            model.submit(waiting.pop(0))
        elif not batch:
            break
    return names


def _described(open_model: Open, prompts: Sequence[str]) -> Iterator[Finding]:
    with _opened(open_model) as model:
        facts: Mapping[Any, Any] = model.facts()
        plain = all(isinstance(name, str) and isinstance(fact, str | int | float) for name, fact in facts.items())
        try:
            json.dumps(dict(facts), allow_nan=False)
        except (TypeError, ValueError):
            plain = False
        if not plain or not facts:
            wrong = f"`facts` returns {shortened(repr(dict(facts)))}."
            yield Finding(
                "facts", wrong, "Return names with texts and finite numbers: what a reader needs to repeat a run."
            )
        if isinstance(model, Encoding):
            ids = list(model.encode(prompts[0]))
            if ids != list(model.encode(prompts[0])) or not all(isinstance(token, int) for token in ids):
                yield Finding("encode", f"it returns {shortened(repr(ids))}.", "Return the same token ids each time.")
        if isinstance(model, Scoring):
            rows = model.likelihoods(prompts, ["a", " b"])
            sound = all(row is None or (len(row) == 2 and all(value <= 1e-6 for value in row)) for row in rows)
            if len(rows) != len(prompts) or not sound:
                wrong = f"it returns {shortened(repr(rows))} for {len(prompts)} prompts and two continuations."
                yield Finding("likelihoods", wrong, "Return a row of logarithms a prompt, one a continuation, or None.")


def _closing(open_model: Open, prompts: Sequence[str]) -> Iterator[Finding]:
    """With requests in the queue, and once more."""
    model = open_model()
    for request in _requests(prompts):
        model.submit(request)
    for count in ("once", "twice"):
        try:
            model.close()
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises is a finding
            wrong = f"closing it {count} raises {type(error).__name__}: {shortened(str(error))}."
            yield Finding("close", wrong, "Let `close` drop what is queued, and do nothing the second time.")
            return


CHECKS = (
    _steady,
    _seeded,
    _limited,
    _stopping,
    _extremes,
    _instructed,
    _hurried,
    _polled,
    _queued,
    _described,
    _closing,
)

# --- asking ---


@contextmanager
def _opened(open_model: Open) -> Iterator[Model]:
    model = open_model()
    try:
        yield model
    finally:
        model.close()


def _requests(
    prompts: Sequence[str], *, max_tokens: int = TOKENS, temperature: float = 0.0, prefix: str = ""
) -> list[Request]:
    return [
        Request(f"{prefix}{number}", prompt, (), max_tokens, temperature, seed=number)
        for number, prompt in enumerate(prompts)
    ]


def _asked(model: Model, requests: Sequence[Request]) -> dict[str, Completion]:
    """The completions by id: no more polls than there are requests."""
    for request in requests:
        model.submit(request)
    done: dict[str, Completion] = {}
    for _ in requests:
        batch = model.poll()
        done |= {completion.id: completion for completion in batch}
        if not batch or len(done) == len(requests):
            break
    return done


def _same(asked: Sequence[Request], first: Done, second: Done, how: str, remedy: str) -> Iterator[Finding]:
    for request in asked:
        one, other = (done[request.id] for done in (first, second))
        if (one.text, one.tokens, one.finish) != (other.text, other.tokens, other.finish):
            wrong = f"{how}, it writes {shortened(repr(other.text))} instead of {shortened(repr(one.text))}."
            yield Finding(f"prompt {shortened(repr(request.prompt))}", wrong, remedy)


def _well_formed(asked: Sequence[Request], done: Done) -> Iterator[Finding]:
    for request in asked:
        where = f"prompt {shortened(repr(request.prompt))}"
        found: Any = done[request.id]
        numbers = isinstance(found.tokens, tuple) and all(isinstance(token, int) for token in found.tokens)
        if not isinstance(found.text, str) or not numbers or found.finish not in FINISHES:
            wrong = f"its completion is {shortened(repr(found))}."
            yield Finding(where, wrong, "Return a text, a tuple of token ids, and how it ended: stop, length, ...")
        elif not (0 <= found.seconds < math.inf and found.prompt_tokens >= 0):
            wrong = f"it took {found.seconds} s for {found.prompt_tokens} tokens of a prompt."
            yield Finding(where, wrong, "Count tokens and seconds, from 0 up.")
        elif found.finish == "error":
            yield Finding(where, f"it ends in an error ({shortened(found.error)}).", "Mend what went wrong.")


def _measured(done: Done, seconds: float) -> Iterator[Finding]:
    """`seconds` that all of them took together."""
    for completion in done.values():
        if completion.seconds > seconds + SLACK:
            wrong = f"a completion says that it took {completion.seconds:g} s, where all took {seconds:.2f} s."
            yield Finding("all prompts", wrong, "Let `seconds` be the share of wall time that the request took.")
    if not any(completion.prompt_tokens for completion in done.values()):
        wrong = "the `prompt_tokens` of each completion are 0."
        yield Finding("all prompts", wrong, "Count the tokens that the model read.")
