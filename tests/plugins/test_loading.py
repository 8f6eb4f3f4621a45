"""Plugins are found by entry point, and each one stands or falls on its own."""

import os

import pytest
from click.testing import CliRunner

from aletheia_bench.cli import main
from aletheia_plugins import PluginError, PluginReport, Plugins, UnknownNameError, load_plugins
from aletheia_plugins.loading import culprit

HEAD = "from pathlib import Path\nfrom aletheia_plugins import Backend, Task, hookimpl\n"


def task(name: str, class_name: str = "Toy") -> str:
    """The source of a plugin with one task."""
    return f"""{HEAD}
class {class_name}(Task[str]):
    name = {name!r}
    version = "1"
    levels = ("tiny",)

@hookimpl
def aletheia_tasks():
    return [{class_name}]
"""


BACKEND = f"""{HEAD}
class Echo(Backend):
    name = "echo"

@hookimpl
def aletheia_backends():
    return [Echo]
"""

CARD = f"""{HEAD}
@hookimpl
def aletheia_cards():
    return [Path(__file__).with_name("parrot.toml")]
"""


TWICE = """
class Two(Toy): ...

@hookimpl
def aletheia_tasks():
    return [Toy, Two]
"""


def report(plugins: Plugins, name: str) -> PluginReport:
    (found,) = [report for report in plugins.reports if report.name == name]
    return found


def error(plugins: Plugins, name: str) -> PluginError:
    """The error of a broken plugin, of which nothing else may be left."""
    broken = report(plugins, name)
    assert broken.status == "broken"
    assert broken.tasks == broken.backends == broken.cards == ()
    assert broken.error is not None
    return broken.error


@pytest.fixture
def sound(install):
    """A plugin that works; it comes last, so everything that breaks does so before it."""
    install("zz-sound", "2.0", task("sound"))


def test_an_active_plugin_provides_instances_and_files_by_name(install):
    folder = install("toy", "1.2", task("queens") + BACKEND + CARD)
    (folder / "parrot.toml").touch()
    plugins = load_plugins()
    assert report(plugins, "toy") == PluginReport(
        "toy", "toy", "1.2", "active", tasks=("queens",), backends=("echo",), cards=("parrot",)
    )
    assert plugins.task("queens") is plugins.tasks["queens"]
    assert type(plugins.task("queens")).__name__ == "Toy"
    assert plugins.backend("echo").name == "echo"
    assert plugins.card("parrot") == folder / "parrot.toml"


def test_a_plugin_may_be_an_object_inside_a_module(install):
    source = (
        f"{HEAD}class Plugin:\n    @hookimpl\n    def aletheia_cards(self):\n        return ()\nplugin = Plugin()\n"
    )
    install("toy", source=source, plugins={"toy": "toy:plugin"})
    assert report(load_plugins(), "toy").status == "active"


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import nowhere_at_all", "importing toy failed: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("raise SystemExit(3)", "importing toy failed: SystemExit: 3"),
        ("def broken(:", "importing toy failed: SyntaxError: invalid syntax (toy.py, line 1)"),
        ("raise ValueError", "importing toy failed: ValueError"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_reported_and_the_others_go_on(install, sound, source, cause):
    install("toy", "1.2", source)
    plugins = load_plugins()
    assert str(error(plugins, "toy")) == f"plugin 'toy' of toy 1.2: {cause}"
    assert error(plugins, "toy").__cause__ is not None
    assert "sound" in plugins.tasks


def test_an_entry_point_to_nothing_is_reported(install, sound):
    install("toy", plugins={"toy": "toy:missing"})
    plugins = load_plugins()
    assert error(plugins, "toy").cause == (
        "importing toy:missing failed: AttributeError: module 'toy' has no attribute 'missing'"
    )
    assert "sound" in plugins.tasks


def test_ctrl_c_during_an_import_is_not_a_broken_plugin(install):
    install("toy", source="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_plugins()


def test_an_unknown_hook_is_reported_with_the_known_ones(install, sound):
    install("toy", source=f"{HEAD}@hookimpl\ndef aletheia_task():\n    return []\n")
    plugins = load_plugins()
    cause = error(plugins, "toy").cause
    assert cause.startswith("toy does not fit the hooks aletheia_tasks, aletheia_backends, aletheia_cards: ")
    assert "unknown hook 'aletheia_task' in plugin <module 'toy'" in cause
    assert "sound" in plugins.tasks


def test_an_argument_that_a_hook_does_not_have_is_reported(install):
    install("toy", source=f"{HEAD}@hookimpl\ndef aletheia_tasks(config):\n    return []\n")
    assert "Argument(s) {'config'} are declared in the hookimpl" in error(load_plugins(), "toy").cause


def test_a_plugin_without_a_hook_is_told_to_mark_one(install):
    install("toy", source="def aletheia_tasks():\n    return []\n")
    assert error(load_plugins(), "toy").cause == (
        "toy implements no hook; mark one of aletheia_tasks, aletheia_backends, aletheia_cards with hookimpl"
    )


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("raise OSError('disk on fire')", "its hook aletheia_tasks failed: OSError: disk on fire"),
        ("raise SystemExit", "its hook aletheia_tasks failed: SystemExit"),
        ("pass", "its hook aletheia_tasks must return a list, not None"),
        ("return 'queens'", "its hook aletheia_tasks must return a list, not 'queens'"),
        ("return {'queens': 1}", "its hook aletheia_tasks must return a list, not {'queens': 1}"),
        ("return ['queens']", "'queens' is not a task class"),
    ],
)
def test_a_hook_that_raises_or_returns_rubbish_is_reported(install, sound, body, cause):
    install("toy", source=f"{HEAD}@hookimpl\ndef aletheia_tasks():\n    {body}\n")
    plugins = load_plugins()
    assert error(plugins, "toy").cause == cause
    assert "sound" in plugins.tasks


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("del Toy.name", "the name of class toy.Toy must be lower-case letters, digits and hyphens, not None"),
        ("Toy.name = 'N_Queens'", "the name of class toy.Toy must be lower-case letters, digits and hyphens, not 'N_Q"),
        ("Toy.name = '-q'", "the name of class toy.Toy must be lower-case letters, digits and hyphens, not '-q'"),
        ("Toy.version = 1", "the version of class toy.Toy must be a string such as '1', not 1"),
        ("Toy.version = ''", "the version of class toy.Toy must be a string such as '1', not ''"),
        ("Toy.levels = ()", "the levels of class toy.Toy must be a tuple of names such as ('tiny',), not ()"),
        ("Toy.levels = 'tiny'", "the levels of class toy.Toy must be a tuple of names such as ('tiny',), not 'tiny'"),
        ("Toy.levels = (1, 2)", "the levels of class toy.Toy must be a tuple of names such as ('tiny',), not (1, 2)"),
        ("Toy.render = None", "class toy.Toy is not a task: it lacks render"),
        ("Toy.__init__ = lambda self, size: None", "class toy.Toy cannot be made without arguments: TypeError: "),
        ("Toy.name = property(1 / 0)", "importing toy failed: ZeroDivisionError: division by zero"),
    ],
)
def test_a_task_class_that_breaks_the_contract_is_reported(install, line, cause):
    install("toy", source=f"{task('queens')}\n{line}\n")
    assert error(load_plugins(), "toy").cause.startswith(cause)


def test_a_class_whose_attributes_raise_is_reported(install):
    lines = "\nclass Meta(type):\n    @property\n    def name(cls):\n        raise OSError('no')\n"
    install("toy", source=f"{task('queens')}{lines}\nclass Toy(metaclass=Meta): ...\n")
    assert error(load_plugins(), "toy").cause == "a task it provides cannot be used: OSError: no"


def test_a_backend_that_cannot_open_is_reported(install):
    source = f"{HEAD}class Echo:\n    name = 'echo'\n@hookimpl\ndef aletheia_backends():\n    return [Echo]\n"
    install("toy", source=source)
    assert error(load_plugins(), "toy").cause == "class toy.Echo is not a back-end: it lacks open"


def test_a_card_must_be_a_toml_file_that_exists(install):
    folder = install("toy", source=CARD)
    assert error(load_plugins(), "toy").cause == (
        f"a card must be the Path of a .toml file that exists, not {folder / 'parrot.toml'!r}"
    )


def test_nothing_of_a_broken_plugin_remains(install):
    """Its first hook works; the card is the last thing to be looked at, and is not there."""
    install("toy", source=task("queens") + BACKEND + CARD)
    plugins = load_plugins()
    assert error(plugins, "toy")
    assert "queens" not in plugins.tasks
    assert "echo" not in plugins.backends


def test_a_name_that_a_broken_plugin_claimed_is_free_for_the_next(install):
    install("aa", source=task("queens") + CARD)
    install("bb", source=task("queens", "Other"))
    plugins = load_plugins()
    assert error(plugins, "aa")
    assert report(plugins, "bb").tasks == ("queens",)


def test_a_name_taken_twice_names_both_classes_and_the_first_in_the_alphabet_wins(install):
    install("bb", "2.0", task("queens", "Later"))
    install("aa", "1.0", task("queens", "Earlier"))
    plugins = load_plugins()
    assert type(plugins.task("queens")).__name__ == "Earlier"
    assert str(error(plugins, "bb")) == (
        "plugin 'bb' of bb 2.0: the task name 'queens' of class bb.Later (plugin 'bb' of bb 2.0) is taken by "
        "class aa.Earlier (plugin 'aa' of aa 1.0); rename one, or name the plugins to load in ALETHEIA_PLUGINS"
    )


@pytest.fixture
def house(install):
    """A built-in plugin that stands in for the real ones; it provides the task `queens`."""
    install("aletheia-bench", "9", task("queens", "BuiltIn"), module="house", plugins={"zz-house": "house"})


def test_a_builtin_wins_over_a_name_earlier_in_the_alphabet(install, house):
    install("aa", source=task("queens", "Stranger"))
    plugins = load_plugins()
    assert [report.name for report in plugins.reports] == ["zz-house", "aa"]
    assert type(plugins.task("queens")).__name__ == "BuiltIn"
    assert "is taken by class house.BuiltIn (plugin 'zz-house' of aletheia-bench 9)" in error(plugins, "aa").cause


def test_a_name_taken_twice_within_one_plugin_is_an_error_too(install):
    install("toy", source=task("queens") + TWICE)
    assert "of class toy.Two (plugin 'toy' of toy 1.0) is taken by class toy.Toy" in error(load_plugins(), "toy").cause


def test_a_task_and_a_backend_may_share_a_name(install):
    install("toy", source=task("echo") + BACKEND)
    plugins = load_plugins()
    assert plugins.task("echo").name == plugins.backend("echo").name == "echo"


def test_a_card_name_taken_twice_names_both_files(install):
    one, two = (install(name, source=CARD) / "parrot.toml" for name in ("aa", "bb"))
    one.touch()
    two.touch()
    plugins = load_plugins()
    assert plugins.card("parrot") == one
    assert error(plugins, "bb").cause == (
        f"the card name 'parrot' of file {two} (plugin 'bb' of bb 1.0) is taken by file {one} "
        "(plugin 'aa' of aa 1.0); rename one, or name the plugins to load in ALETHEIA_PLUGINS"
    )


def status(plugins: Plugins) -> dict[str, str]:
    return {report.name: report.status for report in plugins.reports}


@pytest.fixture
def two(install, house):
    install("aa", source=task("aa"))
    install("bb", source=task("bb"))


@pytest.mark.parametrize(
    ("value", "active"),
    [
        (None, "aa bb"),
        ("", ""),
        (" ", ""),
        ("bb", "bb"),
        (" bb , aa,", "aa bb"),
        ("zz-house", ""),
        ("zz-house,aa", "aa"),
    ],
)
def test_the_environment_names_what_is_loaded_beside_the_builtins(two, monkeypatch, value, active):
    if value is not None:
        monkeypatch.setenv("ALETHEIA_PLUGINS", value)
    plugins = load_plugins()
    assert status(plugins) == {"zz-house": "active"} | {
        name: "active" if name in active.split() else "off" for name in ("aa", "bb")
    }
    assert sorted(plugins.tasks) == sorted(["queens", *active.split()])


def test_without_autoload_only_the_builtins_are_loaded(two):
    assert status(load_plugins(autoload=False)) == {"zz-house": "active", "aa": "off", "bb": "off"}


def test_without_autoload_what_the_environment_names_is_loaded_too(two, monkeypatch):
    monkeypatch.setenv("ALETHEIA_PLUGINS", "aa")
    assert status(load_plugins(autoload=False)) == {"zz-house": "active", "aa": "active", "bb": "off"}


def test_an_argument_wins_over_the_environment(two, monkeypatch):
    monkeypatch.setenv("ALETHEIA_PLUGINS", "aa")
    assert status(load_plugins(["bb"])) == {"zz-house": "active", "aa": "off", "bb": "active"}
    assert status(load_plugins([])) == {"zz-house": "active", "aa": "off", "bb": "off"}


def test_a_plugin_that_is_off_is_not_imported(install):
    install("toy", source="raise KeyboardInterrupt")
    assert report(load_plugins([]), "toy") == PluginReport("toy", "toy", "1.0", "off")


def test_a_plugin_that_is_named_and_not_installed_is_an_error(two, monkeypatch):
    monkeypatch.setenv("ALETHEIA_PLUGINS", "aa,zz-hause")
    with pytest.raises(UnknownNameError) as caught:
        load_plugins()
    assert str(caught.value) == "There is no plugin 'zz-hause'. Did you mean zz-house? Known: aa, bb, zz-house."


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("task", "There is no task 'queenz'. Did you mean queens? Known: queens."),
        ("backend", "There is no back-end 'queenz'. Known: none."),
        ("card", "There is no card 'queenz'. Known: none."),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(house, method, message):
    plugins = load_plugins()
    with pytest.raises(UnknownNameError) as caught:
        getattr(plugins, method)("queenz")
    assert str(caught.value) == message


def test_two_distributions_may_call_their_plugins_the_same(install):
    install("aa", source=task("aa"), plugins={"toy": "aa"})
    install("bb", source=task("bb"), plugins={"toy": "bb"})
    assert [(r.distribution, r.tasks) for r in load_plugins().reports if r.name == "toy"] == [
        ("aa", ("aa",)),
        ("bb", ("bb",)),
    ]


RAISES = """
from aletheia_tasks import Sat
from aletheia_plugins import hookimpl

class Bad(Sat):
    name = "bad"

    def generate(self, level, *, split, seed, index):
        return 1 / 0

@hookimpl
def aletheia_tasks():
    return [Bad]
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_task_that_raises_is_named_with_its_distribution_and_line(install, tmp_path, workers, monkeypatch):
    folder = install("bad-plugin", "0.7", RAISES)
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{os.environ.get('PYTHONPATH', '')}")
    command = ["traces", "--task", "bad", "-n", "4", "--workers", workers, "-o", str(tmp_path / "t.jsonl")]
    told = CliRunner().invoke(main, command)
    assert told.exit_code == 1
    assert told.stderr.splitlines()[-1].startswith(
        f"Error: plugin 'bad-plugin' of bad-plugin 0.7: generate ({folder / 'bad_plugin.py'}:9) failed: "
        "ZeroDivisionError: division by zero."
    )
    assert "Traceback" not in told.stderr


def test_a_mistake_of_the_harness_is_nobody_elses(install):
    install("zz-sound", "2.0", task("sound"))
    load_plugins()
    with pytest.raises(KeyError) as caught:
        raise KeyError("ours")
    assert culprit(caught.value) is None
