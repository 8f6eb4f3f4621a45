"""The kit that tells authors what is wrong with a plugin: each of many mistakes, and nothing where there is none."""

import random
import time
from dataclasses import replace

import pytest

from aletheia_bench.testing import Finding, Playback, check_model, check_task, findings, model_findings
from aletheia_bench.testing.findings import merged
from aletheia_plugins import Example

from . import toys

BROKEN = {
    "NoSolver": "class NoSolver: it has no solve. Write each method that the contract has.",
    "NeedsArguments": "Let it be made without arguments.",
    "LevelTwice": "class LevelTwice: its levels are ('tiny', 'tiny'). Name each level once",
    "Capitals": "its name is 'My Task'. Name it in lower-case letters, digits and hyphens.",
    "NumberedVersion": "its version is 1. Let the version be a string such as '1'.",
    "SpacedVersion": "its version is '1 beta'. Let the version be a string such as '1'.",
    "NoLegend": "its legend is ''. Say in sentences",
    "AnyLevel": "`generate` of the level 'no-such-level' makes a problem. Raise UnknownNameError",
    "Clocked": "the second problem of these arguments is not equal to the first. Draw from `generator` alone",
    "ComparedByIdentity": "is not equal to the first. Draw from `generator` alone, and let problems compare by content",
    "OneSeed": "6 seeds give 1 canonical form. Let different seeds give different problems",
    "OneIndex": "6 indices give 1 canonical form. Let different indices give different problems",
    "SeedPlusIndex": "a seed has the problems of the seed before it, one index on. Seed with",
    "Pairs": "level small, split train, seeds 1 to 6: 6 indices give 3 canonical forms.",
    "Unsplit": "the canonical form of the problem belongs to the other split. Draw until `belongs",
    "Slow": "and may take 0.2. Make it quicker",
    "Raises": "`generate` raises ZeroDivisionError",
    "NoPrompt": "`render` returns None. Let `render` return a str.",
    "Tuples": "Let `csp` return a CSP.",
    "NoNewline": "the prompt does not end in a newline. Write lines that end in a newline",
    "TwoSpaces": "with one space between them and at most one before.",
    "RandomOrder": "`render` writes the same problem in two ways. Let the prompt depend on the problem alone",
    "Forgetful": "`render` writes the same as for the other problem of level",
    "Underscores": "a variable or value is called 'b_1'. Call variables and values by letters and digits",
    "Backwards": "`csp` and `domains` differ in variables, values or their order.",
    "Unit": "its propagation 'unit' does not fit. Use 'unit' where variables have two values",
    "OneName": "two constraints are called 'r1'. Give each constraint a name of its own.",
    "Colons": "a constraint is called 'r1 :'. Call constraints by words",
    "OutOfDomain": "a bound of 'r1' has a pair twice, or one that is in no domain.",
    "LossyFile": "`loads(dumps(problem))` is not the problem, but [Shelf(",
    "Unread": "Let `loads` raise ProblemFileError, and nothing else, for what it cannot read.",
    "Overlooks": "`falsified` does not see that",
    "Hasty": "Let `falsified` name only what no values of the open variables can make hold",
    "Half": "and nothing if not, with",
    "OtherNames": "which is no constraint of the CSP. Let `falsified` mean the same with and without a name",
    "Renames": "Let `falsified` answer with the name that it was asked for",
    "Forgives": "was falsified, and no longer is with",
    "AllNames": "which the problem does not have, answers None. Raise KeyError",
    "ValueErrors": "which the problem does not have, raises ValueError. Raise KeyError",
    "TimedOutIsUnsat": "`solve` without any time says UNSAT. Say UNKNOWN when `seconds` did not suffice",
    "Incomplete": "the solver's solution is not complete: it differs in b1.",
    "Outside": "the solver's solution is outside the domains: b1=9 b2=9 b3=9.",
    "NoSolution": "the solver's solution falsifies 'r",
    "NeverSat": "`solve` says UNSAT, and a search of `csp` says SAT.",
    "SomethingForUnsat": "`solve` says UNSAT and gives an assignment.",
    "GivesUp": "`solve` has no verdict after 20 s.",
    "Literal": "a disguise of the problem has another canonical form. Let `canonical` depend on nothing",
    "Coarse": "Let `canonical` tell problems apart that are no disguises of each other.",
    "Mirror": "the disguise of each problem is the problem itself.",
    "Loses": "a disguise of the problem has other variables, constraints or solutions than the problem.",
    "BrokenXml": "is no XML (",
    "Html": "is no SVG document with a size. Begin with <svg",
    "Scripted": "has a script, a link or a style, or may have: onclick. Draw shapes and texts alone",
}
IN_ANOTHER_PROCESS = {
    "HashSeeded": "another process makes another problem of these arguments: `render` differs. Draw from `generator`",
    "Endless": "level small, split test, seed 1, index 5: `generate` did not end within",
    "Ends": "another process that was asked for this problem ended without a word.",
}


def sentences(found: list[Finding]) -> str:
    return "\n".join(map(str, found))


def test_nothing_is_wrong_with_the_task_that_the_others_are_made_from():
    assert sentences(findings(toys.Shelves)) == ""
    check_task(toys.Shelves, seed=7, fresh=False)


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_in_a_task_is_told_in_a_sentence(name):
    assert BROKEN[name] in sentences(findings(getattr(toys, name), seconds=0.2, fresh=False))


@pytest.mark.parametrize("name", IN_ANOTHER_PROCESS)
def test_a_mistake_that_only_another_process_shows_is_told_in_a_sentence(name, monkeypatch):
    monkeypatch.setattr("aletheia_bench.testing.processes.PATIENCE", 1.0)
    assert IN_ANOTHER_PROCESS[name] in sentences(findings(getattr(toys, name), seconds=0.1))


def test_a_class_that_another_process_cannot_import_is_told_so():
    class Local(toys.Shelves):
        pass

    (found,) = findings(Local)
    assert "another process cannot import it from " in found.wrong
    assert "Let it stand in a module" in found.remedy
    assert findings(Local, fresh=False) == []


def test_a_finding_says_with_which_arguments_and_where_the_error_is():
    (found,) = (each for each in findings(toys.Raises, fresh=False) if "ZeroDivisionError" in each.wrong)
    assert str(found).startswith("level tiny: `generate` raises ZeroDivisionError: ")
    assert "The error comes from toys.py, line " in found.remedy


def test_all_findings_are_one_error():
    with pytest.raises(AssertionError) as caught:
        check_task(toys.NoLegend, fresh=False)
    first, second = str(caught.value).splitlines()
    assert first == "NoLegend does not keep the contract: 1 finding."
    assert second.startswith("- class NoLegend: its legend is ''. Say in sentences")


def test_findings_of_one_kind_are_counted():
    one, other = Finding("here", "this is wrong.", "Mend it."), Finding("there", "that is wrong.", "Mend that.")
    found = merged([one, replace(one, where="there"), other])
    assert [str(each) for each in found] == [
        "here: this is wrong. Mend it. (1 more like this.)",
        "there: that is wrong. Mend that.",
    ]


# --- models ---

PROMPTS = ["one\n", "two\n", "three four\n"]
EXAMPLES = [
    Example(prompt, " ".join(f"{prompt[:3].strip()}{n}" for n in range(12)) + "\n")
    for prompt in [*PROMPTS, "", "other"]
]


class Parrot(Playback):
    """The right one."""

    def __init__(self):
        super().__init__(EXAMPLES)


class Moody(Parrot):
    def _write(self, request):
        done = super()._write(request)
        return replace(done, text=done.text + str(random.random()))


class Counting(Parrot):
    calls = 0

    def _write(self, request):
        self.calls += 1
        return super()._write(replace(request, max_tokens=min(request.max_tokens, 3 + self.calls)))


class Batched(Parrot):
    def poll(self):
        size = len(self.queue)
        return [replace(done, text=done.text * size) for done in super().poll()]


class Unseeded(Parrot):
    def _write(self, request):
        done = super()._write(request)
        return replace(done, text=str(random.random())) if request.temperature else done


class Opened(Parrot):
    opened = 0

    def __init__(self):
        super().__init__()
        Opened.opened += 1
        self.number = Opened.opened

    def _write(self, request):
        done = super()._write(request)
        return replace(done, text=f"{self.number} {done.text}")


class Endless(Parrot):
    def _write(self, request):
        return super()._write(replace(request, max_tokens=99))


class Rewrites(Parrot):
    def _write(self, request):
        done = super()._write(request)
        return replace(done, tokens=tuple(token + request.max_tokens for token in done.tokens))


class CutIsStop(Parrot):
    def _write(self, request):
        return replace(super()._write(request), finish="stop")


class NeverStops(Parrot):
    def _write(self, request):
        return super()._write(replace(request, stop=()))


class StopIsLength(Parrot):
    def _write(self, request):
        return replace(super()._write(request), finish="length")


class StopLeftOut(Parrot):
    def _write(self, request):
        done = super()._write(request)
        for stop in request.stop:
            done = replace(done, text=done.text.removesuffix(stop))
        return done


class NoEmptyPrompt(Parrot):
    def submit(self, request):
        if not request.prompt:
            raise ValueError("an empty prompt")
        super().submit(request)


class NoLongPrompt(Parrot):
    def _write(self, request):
        if len(request.prompt) > 1000:
            raise RuntimeError("out of memory")
        return super()._write(request)


class Twice(Parrot):
    def poll(self):
        done = list(super().poll())
        return done + done[:1]


class Lazy(Parrot):
    lazy = True

    def poll(self):
        self.lazy = not self.lazy
        return [] if self.lazy else super().poll()


class OtherIds(Parrot):
    def _write(self, request):
        return replace(super()._write(request), id=f"<{request.id}>")


class Facts(Parrot):
    def facts(self):
        return {"device": object()}


class NotANumber(Parrot):
    def facts(self):
        return {"memory": float("nan")}


class ClosesOnce(Parrot):
    closed = False

    def close(self):
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


class Lists(Parrot):
    def _write(self, request):
        done = super()._write(request)
        return replace(done, tokens=list(done.tokens))


class Failing(Parrot):
    def _write(self, request):
        return replace(super()._write(request), finish="error", error="no GPU")


class Hopeful(Parrot):
    def likelihoods(self, prompts, continuations, *, instruction=""):
        return [[0.5 for _ in continuations] for _ in prompts]


class TokenStop(Parrot):
    """Compares each token with the stop texts."""

    def _write(self, request):
        words = self.completions.get(request.prompt, "").split(" ")
        stop = tuple(stop for stop in request.stop if stop.strip() in words)
        return super()._write(replace(request, stop=stop))


class LastStop(Parrot):
    def _write(self, request):
        return super()._write(replace(request, stop=request.stop[-1:]))


class FirstStop(Parrot):
    def _write(self, request):
        return super()._write(replace(request, stop=request.stop[:1]))


class ShortQueue(Parrot):
    def submit(self, request):
        if len(self.queue) < 8:
            super().submit(request)


class ByPrompt(Parrot):
    """Of two requests with one prompt it keeps the last."""

    def submit(self, request):
        self.queue = type(self.queue)(each for each in self.queue if each.prompt != request.prompt)
        super().submit(request)


class ForgetsOnSubmit(Parrot):
    polled = False

    def submit(self, request):
        if self.polled:
            self.queue.clear()
        self.polled = False
        super().submit(request)

    def poll(self):
        self.polled = True
        return super().poll()


class SameSeed(Parrot):
    """At a temperature it writes another example, which depends on the prompt alone."""

    def _write(self, request):
        other = PROMPTS[PROMPTS.index(request.prompt) - 1]
        return super()._write(replace(request, prompt=other) if request.temperature else request)


class Sampling(Parrot):
    """The right one, and it samples."""

    def _write(self, request):
        other = random.Random(request.seed).choice(PROMPTS)
        return super()._write(replace(request, prompt=other) if request.temperature else request)


class Ascii(Parrot):
    def _write(self, request):
        request.prompt.encode("ascii")
        return super()._write(request)


class AtMostEight(Parrot):
    def _write(self, request):
        return super()._write(replace(request, max_tokens=min(request.max_tokens, 8)))


class CountsNothing(Parrot):
    def _write(self, request):
        return replace(super()._write(request), prompt_tokens=0)


class Aeons(Parrot):
    def _write(self, request):
        return replace(super()._write(request), seconds=1e9)


class Backwards(Parrot):
    def _write(self, request):
        return replace(super()._write(request), seconds=-1.0)


class Timeless(Parrot):
    def _write(self, request):
        return replace(super()._write(request), seconds=float("nan"))


class Uninstructed(Parrot):
    def _write(self, request):
        return super()._write(replace(request, instruction=""))


class Unhurried(Parrot):
    def _write(self, request):
        slow = request.seconds == 0
        time.sleep(0.06 if slow else 0)
        return replace(super()._write(request), seconds=0.06 if slow else 0.0)


WHOLE_STOP = "End a completion behind the token with which a stop text is whole, and include it."
QUEUE = "Queue each request, however many there are, and also where its prompt is queued already."
MODELS = {
    TokenStop: "stop ('never written', 'one0 one1 '): it writes ",
    LastStop: WHOLE_STOP,
    FirstStop: WHOLE_STOP,
    ShortQueue: f"40 requests at once: 32 of them are never completed. {QUEUE}",
    ByPrompt: f"40 requests at once: 37 of them are never completed. {QUEUE}",
    ForgetsOnSubmit: "of them are never completed. Let `submit` keep what is queued, also between two polls.",
    SameSeed: "but the same with each of 13 seeds. Draw with the request's `seed`: another seed, another text.",
    Ascii: "`_write` raises UnicodeEncodeError",
    AtMostEight: "max_tokens 32: it writes no more than 8 tokens, and its finish is 'length'. Cut where",
    CountsNothing: "the `prompt_tokens` of each completion are 0. Count the tokens that the model read.",
    Aeons: "a completion says that it took 1e+09 s, where all took 0.00 s. Let `seconds` be the share",
    Backwards: "it took -1.0 s for 1 tokens of a prompt. Count tokens and seconds, from 0 up.",
    Timeless: "it took nan s for 1 tokens of a prompt. Count tokens and seconds, from 0 up.",
    Uninstructed: "it changes neither what is written nor `prompt_tokens`. Read `instruction` before the prompt",
    Unhurried: "seconds 0: it took 0.06 s, and its finish is 'length'. End a completion with 'timeout'",
    Moody: "asked again, at temperature 0, it writes",
    Counting: "Depend on no earlier call.",
    Batched: "Let a completion depend on its request alone, not on its batch or its place in it.",
    Unseeded: "with the same seed, at temperature 1, it writes",
    Opened: "asked of the model opened again, it writes",
    Endless: "max_tokens 1: it writes 12 tokens. Write at most max_tokens tokens.",
    Rewrites: "a smaller limit changes what is written before it. Let max_tokens cut",
    CutIsStop: "it is cut, and its finish is 'stop'. Say 'length' where max_tokens ends a completion.",
    NeverStops: "End a completion behind the token with which a stop text is whole, and include it.",
    StopIsLength: "its finish is 'length'. Say 'stop' where a stop text ends a completion.",
    StopLeftOut: "it writes 'one0 ' instead of 'one0 one1 '.",
    NoEmptyPrompt: "`submit` raises ValueError: an empty prompt.",
    NoLongPrompt: "`_write` raises RuntimeError: out of memory.",
    Twice: "a request is completed twice. Return each request's id once.",
    Lazy: "`poll` returns nothing while requests are queued. Wait until at least one request is done.",
    OtherIds: "completions are called <0> <1> <2>. Give a completion the id of its request.",
    Facts: "`facts` returns {'device': <object object at",
    NotANumber: "`facts` returns {'memory': nan}. Return names with texts and finite numbers",
    ClosesOnce: "closing it twice raises RuntimeError: closed already.",
    Lists: "Return a text, a tuple of token ids, and how it ended",
    Failing: "it ends in an error (no GPU). Mend what went wrong.",
    Hopeful: "for 3 prompts and two continuations. Return a row of logarithms a prompt",
}


def test_nothing_is_wrong_with_the_model_that_ships():
    assert sentences(model_findings(Parrot, prompts=PROMPTS)) == ""
    check_model(Parrot, prompts=PROMPTS)


def test_nothing_is_wrong_with_a_model_that_samples():
    assert sentences(model_findings(Sampling, prompts=PROMPTS)) == ""


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_mistake_in_a_model_is_told_in_a_sentence(model):
    assert MODELS[model] in sentences(model_findings(model, prompts=PROMPTS))


def test_prompts_that_a_model_does_not_continue_are_told_so():
    with pytest.raises(AssertionError) as caught:
        check_model(Parrot, prompts=["four"])
    assert "Give prompts that it continues: prompts=[...]." in str(caught.value)
