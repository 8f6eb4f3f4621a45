"""The kit for authors of tasks finds mistakes that take a closer look, too."""

import pytest

from aletheia_bench.testing import findings

from . import subtle

DRAWING = "has a script, a link or a style, or may have: "
BROKEN = {
    "OtherWord": "the prompt begins with 'puzzle'. Begin the prompt with the task's name",
    "LeaksAnswer": "SAT. Write no verdict into the prompt: it is what a model is asked for.",
    "LikeVariables": "a constraint and a variable are called 'b1'. Call no constraint like a variable",
    "EmptyFile": "`loads` of '' returns no problem. Let `loads` raise ProblemFileError for a file without problems.",
    "Unpickled": "pickling it raises TypeError: no pickle. Let problems be plain data that can be pickled",
    "ChangedByPickle": "it is not equal to what pickle makes of it. Let problems be plain data",
    "ImpatientIsUnsat": "`solve` says UNSAT after 1e-06 s, and SAT if it has 20. Say UNKNOWN when `seconds`",
    "IgnoresSeconds": " s, and may take 0.05. Hand `seconds` on to the solver",
    "CoarseAbove": "Let `canonical` tell problems apart that are no disguises of each other.",
    "GlobalRandom": "two disguises of the problem, made with equal `rng`, differ. Draw a disguise from `rng` alone.",
    "Framed": f"{DRAWING}<iframe>. Draw shapes and texts alone",
    "Foreign": f"{DRAWING}<foreignObject>.",
    "Styled": f"{DRAWING}<style>.",
    "Linked": f"{DRAWING}href.",
    "Painted": f"{DRAWING}fill=url(http://example.org/x.svg#a).",
}
IN_ANOTHER_PROCESS = {
    "HashDomains": "another process makes another problem of these arguments: `domains` differs.",
    "HashConstraints": "another process makes another problem of these arguments: `csp` differs.",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_in_a_task_is_told_in_a_sentence(name, monkeypatch):
    monkeypatch.setattr("aletheia_bench.testing.solving.OVERTIME", 0.05)
    monkeypatch.setattr("aletheia_bench.testing.symmetry.MOMENT", 60.0)
    assert BROKEN[name] in "\n".join(map(str, findings(getattr(subtle, name), fresh=False)))


@pytest.mark.parametrize("name", IN_ANOTHER_PROCESS)
def test_an_order_that_depends_on_hashes_is_told_in_a_sentence(name):
    assert IN_ANOTHER_PROCESS[name] in "\n".join(map(str, findings(getattr(subtle, name))))


def test_a_drawing_may_refer_to_itself():
    assert findings(subtle.Shaded, fresh=False) == []
