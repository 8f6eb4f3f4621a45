"""Runs: whatever happens to one, what is finished is kept, counted once, and not mistaken for another."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from aletheia_bench.contexts import examples
from aletheia_bench.evaluation import Options, prepare, run
from aletheia_bench.items import generated
from aletheia_bench.report import write
from aletheia_bench.results import Results
from aletheia_bench.runs import Run, identity
from aletheia_bench.search import search
from aletheia_bench.testing import Playback
from aletheia_bench.text import render
from aletheia_plugins import AletheiaError, Card, CorpusError, Example, UsageError, load_plugins
from aletheia_tasks import Coloring

PLUGINS = load_plugins([])
CARD = Card("toy", "hf", Path("toy.toml"))
LIMIT = 8
OPTIONS = Options("coloring", "tiny", "toy", LIMIT, 0, 1, "folded", 10**6, 0.0)


def turns():
    """The turns of the reference traces of every other item, so that some are solved and some are not."""
    for item in list(generated(Coloring(), "tiny", seed=0, limit=LIMIT))[::2]:
        yield from examples("folded", item.prompt, render(search(Coloring().csp(item.problem))))


KNOWN = list(turns())


class Interrupted(Playback):
    """Is interrupted, as by Ctrl-C, when it should end its `left`-th request."""

    def __init__(self, known, left):
        super().__init__(known)
        self.left = left

    def poll(self):
        done = super().poll()
        self.left -= len(done)
        if self.left < 0:
            raise KeyboardInterrupt
        return done


def evaluated(out: Path, options: Options = OPTIONS, model=None, *, fresh: bool = False, card=CARD) -> Results:
    given = {"seed": options.seed, "limit": options.limit, "path": Path(options.items) if options.items else None}
    items = prepare(PLUGINS.task(options.task), options.level, **given)
    return run(options, items, card, model or Playback(KNOWN), PLUGINS, out=out, fresh=fresh)


def only_run(out: Path) -> Path:
    (path,) = (out / "toy").iterdir()
    return path


def samples(path: Path) -> dict[tuple[str, int], object]:
    """By item and epoch; each occurs once."""
    found = list(Run(path).samples())
    by_key = {(sample["id"], sample["epoch"]): sample for sample in found}
    assert len(by_key) == len(found)
    return by_key


def a_sample(name: str = "a", size: int = 1):
    return {"id": name, "epoch": 0, "completion": "x" * size, "seconds": 0.125, "error": "ö \ud800 \u2028"}


def written(path: Path, count: int = 3) -> Path:
    """A run of toy samples; the path of its samples.jsonl."""
    with Run(path) as directory:
        for number in range(count):
            directory.append(a_sample(str(number)))
    return path / "samples.jsonl"


# --- going on ---


@pytest.mark.parametrize("share", [0, 0.2, 0.6, 0.99])
def test_an_interrupted_run_goes_on_to_the_samples_of_one_that_was_not(tmp_path, share):
    left = int(share * len(KNOWN))
    evaluated(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        evaluated(tmp_path / "cut", model=Interrupted(KNOWN, left))
    before = samples(only_run(tmp_path / "cut"))
    evaluated(tmp_path / "cut")
    after = samples(only_run(tmp_path / "cut"))
    assert after == samples(only_run(tmp_path / "whole"))
    assert list(after)[: len(before)] == list(before)


def test_an_interrupted_run_has_finished_something(tmp_path):
    """Else the test above shows nothing."""
    assert len(KNOWN) > 20
    with pytest.raises(KeyboardInterrupt):
        evaluated(tmp_path, model=Interrupted(KNOWN, len(KNOWN) * 2 // 3))
    assert 0 < len(samples(only_run(tmp_path))) < LIMIT


def test_a_run_that_goes_on_elsewhere_says_what_was_otherwise(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        evaluated(tmp_path, model=Interrupted(KNOWN, len(KNOWN) * 2 // 3))
    first = Run(only_run(tmp_path)).config()
    evaluated(tmp_path, model=Playback([*KNOWN, Example("one", "more")]))
    config = Run(only_run(tmp_path)).config()
    assert config["model"]["examples"] == first["model"]["examples"] + 1
    assert config["earlier"] == {"examples": first["model"]["examples"]}
    assert "earlier" not in first


def test_a_finished_run_asks_the_model_nothing(tmp_path):
    first = evaluated(tmp_path)
    files = {path: path.read_bytes() for path in only_run(tmp_path).iterdir()}
    assert evaluated(tmp_path, model=Interrupted(KNOWN, 0)) == first
    assert {path: path.read_bytes() for path in only_run(tmp_path).iterdir()} == files


def test_some_items_are_solved_and_some_are_not(tmp_path):
    assert evaluated(tmp_path).estimates["solve_accuracy"].value == 0.5


def test_a_half_written_last_line_is_cut_off_and_written_again(tmp_path):
    evaluated(tmp_path)
    path = only_run(tmp_path) / "samples.jsonl"
    whole = path.read_bytes()
    for cut in (1, 2, 40, len(whole) - whole.rindex(b"\n", 0, -1) - 1):
        path.write_bytes(whole[:-cut])
        assert len(samples(path.parent)) == LIMIT - 1
        evaluated(tmp_path)
        assert path.read_bytes() == whole


def test_epochs_are_samples_of_their_own(tmp_path):
    evaluated(tmp_path, replace(OPTIONS, epochs=2, limit=3))
    assert len(samples(only_run(tmp_path))) == 6


@pytest.mark.parametrize(
    "change",
    [{"limit": 2}, {"seed": 1}, {"epochs": 2}, {"context": "cumulative"}, {"max_tokens": 9}, {"level": "small"}],
)
def test_other_options_are_another_directory(tmp_path, change):
    evaluated(tmp_path)
    evaluated(tmp_path, replace(OPTIONS, **change))
    assert len(list((tmp_path / "toy").iterdir())) == 2


def test_other_weights_and_other_item_files_are_another_directory(tmp_path):
    items = tmp_path / "g.col"
    for edge in ("e 1 2", "e 1 3"):
        items.write_text(f"c colours 3\np edge 3 1\n{edge}\n")
        evaluated(tmp_path, replace(OPTIONS, items=str(items), level="g"))
    weights = tmp_path / "weights"
    weights.write_text("1")
    items = prepare(PLUGINS.task("coloring"), "tiny", seed=0, limit=LIMIT, path=None)
    run(OPTIONS, items, replace(CARD, weights=weights), Playback([]), PLUGINS, out=tmp_path, fresh=False)
    weights.write_text("2")
    run(OPTIONS, items, replace(CARD, weights=weights), Playback([]), PLUGINS, out=tmp_path, fresh=False)
    assert len(list((tmp_path / "toy").iterdir())) == 4


def test_how_hard_an_endpoint_is_asked_makes_no_other_run(tmp_path):
    for number, concurrency in [(1, 16), (1, 2), (2, 2)]:
        settings = {"endpoint": {"url": f"http://localhost:{number}", "concurrency": concurrency}}
        given = f"endpoint.concurrency={concurrency}", f"endpoint.url=http://localhost:{number}"
        evaluated(tmp_path, replace(OPTIONS, overrides=given), card=replace(CARD, settings=settings))
    assert len(list((tmp_path / "toy").iterdir())) == 2


def test_an_identity_depends_on_the_options_and_not_on_their_order():
    assert identity({"a": 1, "b": 2}) == identity({"b": 2, "a": 1}) != identity({"a": 1, "b": 3})
    assert re.fullmatch("[0-9a-f]{8}", identity({}))


def test_fresh_forgets_the_samples(tmp_path):
    evaluated(tmp_path, model=Playback([]))
    assert evaluated(tmp_path).estimates["solve_accuracy"].value == 0
    assert evaluated(tmp_path, fresh=True).estimates["solve_accuracy"].value == 0.5
    assert len(samples(only_run(tmp_path))) == LIMIT


def test_an_empty_folder_of_items_is_refused(tmp_path):
    items = tmp_path / "none"
    items.mkdir()
    with pytest.raises(UsageError) as caught:
        evaluated(tmp_path, replace(OPTIONS, task="sudoku", items=str(items), level="none"))
    assert str(caught.value) == f"{items}: no problems in it."


def test_score_needs_no_model_and_gives_the_same_files(tmp_path):
    evaluated(tmp_path)
    path = only_run(tmp_path)
    names = ("results.json", "results.csv", "report.md", "report.html")
    before = [(path / name).read_bytes() for name in names]
    for name in names:
        (path / name).unlink()
    moved = shutil.copytree(path, tmp_path / "elsewhere")
    write(Results.of(Run(moved), Coloring()), moved, Coloring())
    assert [(moved / name).read_bytes() for name in names] == before


# --- damage ---


def test_samples_come_back_as_they_were_written(tmp_path):
    written(tmp_path)
    assert list(Run(tmp_path).samples()) == [a_sample(str(number)) for number in range(3)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"completion":"x"', b'"completion":"y"', "the line was changed after it was written"),
        (b'"seconds":0.125', b'"seconds":0.25', "the line was changed after it was written"),
        (b'"sha256":"', b'"sha256":"0', "the line was changed after it was written"),
        (b"sha256", b"sha257", "expected a sample, got"),
        (b'{"id"', b'"id"', "expected a sample, got"),
        (b'"completion":"x"', b'"completion":"\xff"', "expected a sample, got"),
    ],
)
def test_a_changed_line_is_refused_with_file_and_line(tmp_path, old, new, message):
    path = written(tmp_path)
    first, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(first + b"\n" + rest.replace(old, new, 1))
    with pytest.raises(CorpusError) as caught:
        list(Run(tmp_path).samples())
    assert str(caught.value).startswith(f"{path}:2: {message}")


@pytest.mark.parametrize("content", [b"[1, 2]\n", b"null\n", b"\n", b"7\n", b"\x00\n"])
def test_a_line_that_is_no_sample_is_refused(tmp_path, content):
    path = written(tmp_path, 0)
    path.write_bytes(content)
    with pytest.raises(CorpusError) as caught:
        list(Run(tmp_path).samples())
    assert str(caught.value).startswith(f"{path}:1: expected a sample, got ")


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(CorpusError) as caught:
        list(Run(tmp_path).samples())
    assert str(caught.value) == f"{tmp_path} is not a run: it has no samples.jsonl."
    with pytest.raises(CorpusError) as caught:
        Run(tmp_path).config()
    assert str(caught.value).startswith(f"{tmp_path} is not a run: config.toml cannot be read (")


@pytest.mark.parametrize("content", [b"run = [", b"\xff\xfe"])
def test_a_damaged_configuration_is_refused(tmp_path, content):
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(CorpusError) as caught:
        Run(tmp_path).config()
    assert str(caught.value).startswith(f"{tmp_path} is not a run: config.toml cannot be read (")


# --- two writers, and no room ---

OPEN = "from pathlib import Path; from aletheia_bench.runs import Run\n"


def test_a_second_writer_is_told_so(tmp_path):
    with Run(tmp_path):
        with pytest.raises(AletheiaError) as caught, Run(tmp_path):
            pass
        assert str(caught.value) == (
            f"{tmp_path} is being written by another process: wait for it, or choose another -o."
        )
    with Run(tmp_path):
        pass


def test_a_second_process_is_told_so_and_cannot_start_afresh_either(tmp_path):
    evaluated(tmp_path)
    path = only_run(tmp_path)
    before = (path / "samples.jsonl").read_bytes()
    code = f"{OPEN}with Run(Path({str(path)!r})): print(flush=True); input()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "\n"
        for fresh in (False, True):
            with pytest.raises(AletheiaError) as caught:
                evaluated(tmp_path, fresh=fresh)
            assert "is being written by another process" in str(caught.value)
        other.stdin.write("\n")
    assert (path / "samples.jsonl").read_bytes() == before


def test_a_writer_that_died_does_not_lock_its_run(tmp_path):
    code = f"{OPEN}import os; Run(Path({str(tmp_path)!r})).__enter__(); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    with Run(tmp_path):
        pass


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file can grow beyond so many bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files as POSIX does")
def test_a_full_disk_is_a_sentence_and_loses_no_finished_item(tmp_path):
    evaluated(tmp_path / "whole")
    whole = (only_run(tmp_path / "whole") / "samples.jsonl").read_bytes()
    out = tmp_path / "full"
    with room(len(whole) * 5 // 8), pytest.raises(AletheiaError) as caught:
        evaluated(out)
    path = only_run(out) / "samples.jsonl"
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).endswith("Finished items are kept: make room and repeat the command.")
    kept = samples(path.parent)
    assert 0 < len(kept) < LIMIT
    evaluated(out)
    assert path.read_bytes() == whole


def test_a_sample_is_on_disk_before_the_next_one_is_made(tmp_path):
    with Run(tmp_path) as directory:
        for number in range(3):
            directory.append(a_sample(str(number)))
            assert len(list(Run(tmp_path).samples())) == number + 1


def test_results_are_valid_json_with_the_configuration_in_them(tmp_path):
    evaluated(tmp_path)
    content = json.loads((only_run(tmp_path) / "results.json").read_text())
    assert content["config"] == Run(only_run(tmp_path)).config()
    assert content["config"]["run"]["task"] == "coloring"
    assert content["n-samples"] == {"coloring-tiny": {"original": LIMIT, "effective": LIMIT}}
