"""Errors carry their subject, their text is fact + value + way out, and their tree is the one that is drawn."""

import re

import pytest

from aletheia_plugins import (
    AletheiaError,
    CorpusError,
    MissingError,
    ModelFileError,
    PluginError,
    ProblemFileError,
    TraceError,
    UnknownNameError,
    UsageError,
    errors,
)


def drawn() -> dict[str, str | None]:
    """Class → parent, as the docstring of `errors` draws them: each level is indented by four characters."""
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"([│├└─ ]*)([A-Z]\w+Error)\b", line):
            above[len(found[1]) // 4 :] = [found[2]]
            parents[found[2]] = above[-2] if len(above) > 1 else None
    return parents


def test_the_tree_in_the_docstring_is_the_tree_of_classes():
    defined = {name: getattr(errors, name) for name in errors.__all__}
    bases = {name: None if c is AletheiaError else c.__bases__[0].__name__ for name, c in defined.items()}
    assert drawn() == bases


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AletheiaError, 1),
        (TraceError, 1),
        (CorpusError, 1),
        (PluginError, 1),
        (UsageError, 2),
        (UnknownNameError, 2),
        (ProblemFileError, 2),
        (ModelFileError, 2),
        (MissingError, 3),
    ],
)
def test_exit_codes(error, code):
    assert error.exit_code == code


def test_the_docstring_draws_the_exit_codes_of_whole_branches():
    for name, code in re.findall(r"(\w+Error) .*\(exit code (\d)\)", errors.__doc__ or ""):
        assert getattr(errors, name).exit_code == int(code)


@pytest.mark.parametrize(
    ("name", "known", "message"),
    [
        ("sta", ["sudoku", "sat"], "There is no task 'sta'. Did you mean sat? Known: sat, sudoku."),
        ("zebra", ["sudoku", "sat"], "There is no task 'zebra'. Known: sat, sudoku."),
        ("sat", [], "There is no task 'sat'. Known: none."),
        ("sat2", ["sat1", "sat3"], "There is no task 'sat2'. Did you mean sat3 or sat1? Known: sat1, sat3."),
    ],
)
def test_an_unknown_name_comes_with_the_nearest_ones(name, known, message):
    error = UnknownNameError("task", name, known)
    assert str(error) == message
    assert (error.kind, error.name, error.known) == ("task", name, sorted(known))


def test_a_problem_file_error_names_file_and_line():
    error = ProblemFileError("expected p cnf V C", line=3)
    assert str(error) == "3: expected p cnf V C"
    assert str(error.at("hole6.cnf")) == "hole6.cnf:3: expected p cnf V C"
    assert str(ProblemFileError("the file is empty").at("a.cnf")) == "a.cnf: the file is empty"
    assert str(ProblemFileError("the file is empty")) == "the file is empty"


def test_a_trace_error_names_the_line():
    error = TraceError("expected backtrack VARIABLE", 7)
    assert (str(error), error.line) == ("line 7: expected backtrack VARIABLE", 7)


def test_a_plugin_error_names_plugin_distribution_and_cause():
    error = PluginError("toy", "toy-dist 1.0", "it is a toy")
    assert str(error) == "plugin 'toy' of toy-dist 1.0: it is a toy"
    assert (error.plugin, error.distribution, error.cause) == ("toy", "toy-dist 1.0", "it is a toy")
