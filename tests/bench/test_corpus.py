"""Corpora: the same bytes however they were made, every trace verified, and damage found."""

import json
import tracemalloc
from multiprocessing import active_children

import pytest

from aletheia_bench.arms import ARMS
from aletheia_bench.contexts import examples
from aletheia_bench.corpus import Plan, Records, Rejected, build, digest, make, read, verify
from aletheia_bench.text import parse, segments
from aletheia_plugins import CorpusError, UnknownNameError, Verdict, belongs
from aletheia_tasks import Coloring, Sat, Sudoku, aletheia_tasks

TASKS = [task() for task in aletheia_tasks()]
COUNT = 40  # more than a worker takes at a time, so that two workers share it
PLAN = Plan(Sat(), "tiny", COUNT)
DIGITS = str.maketrans("123456", "######")

every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)


def built(path, plan: Plan = PLAN, **options) -> bytes:
    assert list(build(plan, path, **options))[-1] == len(plan.indices())
    return path.read_bytes()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> bytes:
    """What one process makes in one go."""
    return built(tmp_path_factory.mktemp("corpus") / "corpus.jsonl")


# --- records ---


@every_task
def test_every_record_is_a_verified_trace_of_its_problem(task):
    for index in range(6):
        record = make(Plan(task, "small", 6, seed=1), index)
        assert verify(record, task) is None
        assert task.render(task.loads(record["problem"])[0]) == record["prompt"]
        assert belongs(record["canonical"], "train")
        assert record["id"] == f"{task.name}-small-train-1-{index}"
        assert "".join(record["segments"]) == "\n".join([*record["steps"], ""]) == record["completion"]
        assert record["segments"] == list(segments(record["completion"]))
        found = parse(record["completion"])
        assert found.verdict == record["difficulty"]["verdict"] != Verdict.UNKNOWN
        assert record["difficulty"]["steps"] == len(found.steps)


def blanks(record) -> int:
    """The longest row of blanks, as a Sudoku is written."""
    return max(map(len, record["problem"].replace("\n", "").translate(DIGITS).split("#")))


@pytest.mark.parametrize("level", ["tiny", "small"])
def test_every_other_sudoku_is_posed_in_the_disguise_that_has_most_blanks_in_a_row(level):
    task, gained = Sudoku(), 0
    for index in range(40):
        plain = make(Plan(task, level, 40), index)
        few, many = (make(Plan(task, level, 40, disguises=count), index) for count in (4, 32))
        assert verify(many, task) is None
        assert few["canonical"] == many["canonical"] == plain["canonical"]
        if index % 2:
            assert blanks(plain) <= blanks(few) <= blanks(many)
            gained += blanks(many) > blanks(few) > blanks(plain)
        else:
            assert few == many == plain
    assert gained >= 3


@pytest.mark.parametrize("task", [Sat(), Coloring()], ids=lambda task: task.name)
def test_problems_of_which_nothing_is_given_are_posed_as_they_are(task):
    for index in range(6):
        assert make(Plan(task, "tiny", 6, disguises=8), index) == make(Plan(task, "tiny", 6), index)


@pytest.mark.parametrize("name", [name for name in ARMS if name != "backtracking"])
@every_task
def test_records_of_other_arms_tell_of_the_same_problems_and_verify(task, name):
    for index in range(6):
        whole, shown = (make(Plan(task, "tiny", 6, arm=arm), index) for arm in ("backtracking", name))
        assert verify(shown, task) is None
        for column in ("id", "problem", "prompt", "difficulty", "canonical"):
            assert shown[column] == whole[column]
        assert shown["completion"].splitlines()[-1] == whole["completion"].splitlines()[-1]


def test_both_splits_have_records_and_share_none():
    train, test = (
        {make(Plan(Sat(), "small", 9, split), i)["canonical"] for i in range(9)} for split in ("train", "test")
    )
    assert not train & test


# --- the same bytes ---


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_do_not_matter(tmp_path, corpus, workers):
    assert built(tmp_path / "corpus.jsonl", workers=workers) == corpus


def test_a_worker_that_is_ended_ends_the_build_and_what_is_done_is_kept(tmp_path):
    plan, path = Plan(Sat(), "small", 300), tmp_path / "corpus.jsonl"
    with pytest.raises(CorpusError, match=r"corpus\.jsonl: a process that makes traces was ended, .* --workers 1\.$"):
        for done in build(plan, path, workers=2):
            for worker in active_children() if done else ():
                worker.kill()
    lines = path.read_bytes().splitlines(keepends=True)
    assert 0 < len(lines) < 300
    assert built(path, plan, workers=2).startswith(b"".join(lines))


@pytest.mark.parametrize("parts", [1, 3, 7])
def test_shards_partition_the_corpus(tmp_path, corpus, parts):
    lines: list[bytes] = [b""] * COUNT
    for part in range(parts):
        plan = Plan(Sat(), "tiny", COUNT, shard=(part, parts))
        shard = built(tmp_path / f"{part}.jsonl", plan).splitlines(keepends=True)
        assert len(shard) == len(plan.indices())
        lines[part::parts] = shard
    assert b"".join(lines) == corpus


def test_a_shard_of_nothing_is_an_empty_file(tmp_path):
    assert built(tmp_path / "empty.jsonl", Plan(Sat(), "tiny", 2, shard=(3, 4))) == b""


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.5, 0.77, 0.999, 1])
def test_a_build_that_was_cut_off_at_any_byte_goes_on_to_the_same_bytes(tmp_path, corpus, share):
    path = tmp_path / "corpus.jsonl"
    cut = round(share * len(corpus))
    path.write_bytes(corpus[:cut])
    assert next(build(PLAN, path)) == corpus[:cut].count(b"\n")
    assert built(path) == corpus


@pytest.mark.parametrize("beside", [-1, 0, 1])
def test_a_build_that_was_cut_off_beside_a_line_end_goes_on_to_the_same_bytes(tmp_path, corpus, beside):
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(corpus[: corpus.index(b"\n", len(corpus) // 2) + 1 + beside])
    assert built(path, workers=2) == corpus


def test_a_larger_count_goes_on_with_a_smaller_one(tmp_path, corpus):
    path = tmp_path / "corpus.jsonl"
    built(path, Plan(Sat(), "tiny", 5))
    assert built(path) == corpus


def test_progress_counts_every_problem(tmp_path):
    assert list(build(Plan(Sat(), "tiny", 3), tmp_path / "corpus.jsonl")) == [0, 1, 2, 3]


# --- what is refused ---


class Newer(Sat):
    version = "1000"


@pytest.mark.parametrize(
    ("plan", "line"),
    [
        (
            Plan(Coloring(), "tiny", 3),
            "1 has 'sat-tiny-train-0-0' (arm 'backtracking'), this build would put 'coloring",
        ),
        (Plan(Sat(), "small", 3), "1 has 'sat-tiny-train-0-0'"),
        (Plan(Sat(), "tiny", 3, "test"), "1 has 'sat-tiny-train-0-0'"),
        (Plan(Sat(), "tiny", 3, seed=1), "1 has 'sat-tiny-train-0-0'"),
        (Plan(Sat(), "tiny", 3, arm="answer"), "1 has 'sat-tiny-train-0-0' (arm 'backtracking')"),
        (Plan(Newer(), "tiny", 3), "1 has 'sat-tiny-train-0-0'"),
        (Plan(Sat(), "tiny", 6, shard=(0, 2)), "2 has 'sat-tiny-train-0-1'"),
        (Plan(Sat(), "tiny", 2), "3 has 'sat-tiny-train-0-2' (arm 'backtracking'), this build is shorter"),
    ],
)
def test_another_plan_for_the_same_file_is_refused_and_the_file_is_kept(tmp_path, plan, line):
    path = tmp_path / "corpus.jsonl"
    before = built(path, Plan(Sat(), "tiny", 3))
    with pytest.raises(CorpusError) as caught:
        list(build(plan, path))
    assert str(caught.value).startswith(f"{path}:{line}")
    assert str(caught.value).endswith("write to another file, or delete this one.")
    assert path.read_bytes() == before


def test_an_arm_that_does_not_exist_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UnknownNameError):
        list(build(Plan(Sat(), "tiny", 3, arm="sideways"), tmp_path / "corpus.jsonl"))
    assert list(tmp_path.iterdir()) == []


class Lying(Sat):
    """From the third variable on, its clauses are never falsified."""

    def falsified(self, problem, assignment, named=None):
        few = {variable: value for variable, value in assignment.items() if variable in ("x1", "x2")}
        return super().falsified(problem, few, named)


def test_a_rejected_trace_ends_the_build_and_is_kept(tmp_path):
    path = tmp_path / "corpus.jsonl"
    with pytest.raises(Rejected) as caught:
        list(build(Plan(Lying(), "tiny", COUNT), path))
    kept = json.loads((tmp_path / "corpus.jsonl.rejected").read_text())
    assert kept == caught.value.record
    assert str(caught.value).startswith(f"{kept['id']}: the checker rejects the trace: line ")
    assert verify(kept | {"sha256": digest(kept)}, Sat()) is None  # it is the task that lies
    assert len(list(read(path))) < COUNT
    assert kept["id"] not in {record["id"] for record in read(path)}


def test_a_search_that_does_not_end_leaves_its_problem_out(tmp_path):
    path = tmp_path / "corpus.jsonl"
    plan = Plan(Sat(), "tiny", COUNT, max_steps=8)
    whole = built(path, plan)
    assert 0 < len(list(read(path))) == whole.count(b"\n") < COUNT
    path.write_bytes(whole[: len(whole) // 2])
    assert built(path, plan) == whole


# --- reading ---


def a_record():
    return make(Plan(Sudoku(), "tiny", 1), 0)


@pytest.mark.parametrize("column", ["completion", "problem", "prompt", "id", "version", "arm"])
def test_a_changed_byte_anywhere_is_found(column):
    record = a_record()
    text = record[column]
    for place in range(len(text)):
        changed = record | {column: text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]}
        assert verify(changed, Sudoku()) == "the record was changed after it was written (its hash differs)"


def resealed(**columns):
    """A record that someone changed and gave a new hash."""
    record = a_record() | columns
    record |= {"steps": record["completion"].splitlines(), "segments": list(segments(record["completion"]))}
    return record | {"sha256": digest(record)}


def test_a_new_hash_does_not_hide_a_wrong_trace():
    right = a_record()["completion"]
    wrong = right.replace("answer: SAT r1c1=", "answer: SAT r1c1=0")
    assert verify(resealed(completion=wrong), Sudoku()).startswith(f"line {right.count(chr(10))}: ")
    assert verify(resealed(completion=""), Sudoku()) == "line 1: ends without an answer: "
    assert (
        verify(resealed(prompt="sudoku 4\n"), Sudoku()) == "the prompt or the canonical form is not that of the problem"
    )
    wrong = resealed(arm="answer", completion="answer: UNSAT\n")
    assert verify(wrong, Sudoku()) == "the completion is not what the arm 'answer' makes of the verified trace"
    assert verify(resealed(arm="sideways"), Sudoku()).startswith("There is no arm 'sideways'.")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[]\n", "expected a JSON object, got list."),
        (b"{\n", "expected a JSON object, got b'{\\n'."),
        (b"\xff\n", "expected a JSON object, got b'\\xff\\n'."),
        (b"{}\n", "no 'arm': this is no trace file, or a damaged one."),
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path, corpus, content, message):
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(corpus[: corpus.index(b"\n") + 1] + content)
    with pytest.raises(CorpusError) as caught:
        list(read(path))
    assert str(caught.value) == f"{path}:2: {message}"


def test_a_file_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(CorpusError) as caught:
        list(read(tmp_path / "none.jsonl"))
    assert str(caught.value) == f"{tmp_path / 'none.jsonl'}: No such file or directory."


def test_reading_takes_no_more_memory_for_a_longer_file(tmp_path):
    line = json.dumps(make(Plan(Coloring(), "tiny", 1, arm="answer"), 0)) + "\n"
    path = tmp_path / "corpus.jsonl"
    path.write_text(line * 20_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read(path)) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 300_000 < path.stat().st_size / 20
    finally:
        tracemalloc.stop()


def test_records_are_what_trl_and_datasets_read(tmp_path, corpus):
    """TRL's prompt-completion format: two columns of text; all other columns load too."""
    datasets = pytest.importorskip("datasets")
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(corpus)
    loaded = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.num_rows == COUNT
    assert loaded.features["prompt"].dtype == loaded.features["completion"].dtype == "string"
    assert list(loaded) == list(read(path))


@pytest.mark.parametrize("kind", ["folded", "cumulative"])
def test_a_record_is_a_conversation_that_a_student_can_be_trained_on(kind):
    record = a_record()
    turns = list(examples(kind, record["prompt"], record["completion"]))
    assert "".join(turn.completion for turn in turns) == record["completion"]
    assert all(turn.completion.endswith("\n") and turn.prompt for turn in turns)


def test_two_builders_cannot_write_one_corpus(tmp_path):
    path = tmp_path / "sat.jsonl"
    plan = Plan(Sat(), "tiny", 3)
    first = build(plan, path)
    next(first)
    with pytest.raises(
        CorpusError, match=r"sat\.jsonl is being written by another process: wait for it, or write else"
    ):
        next(build(plan, path))
    assert [*first][-1] == 3
    assert [*build(plan, path)] == [3]


def test_records_are_read_in_any_order_and_a_damaged_one_is_named(tmp_path):
    path = tmp_path / "sat.jsonl"
    *_, done = build(Plan(Sat(), "tiny", 5), path)
    records = Records(path)
    assert [records[n] for n in (4, 0, 2)] == [list(read(path))[n] for n in (4, 0, 2)]
    assert len(records) == done == 5
    assert [*records] == [*read(path)]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b"x" * (len(lines[3]) - 1) + b"\n", lines[4]]))
    assert records[4]["index"] == 4
    with pytest.raises(CorpusError) as caught:
        records[3]
    assert str(caught.value).startswith(f"{path}:4: expected a JSON object")
    path.write_bytes(b"".join([*lines[:3], lines[3].replace(b"=1", b"=0", 1), lines[4]]))
    with pytest.raises(CorpusError) as caught:
        records[3]
    assert str(caught.value) == f"{path}:4 was changed after it was written (its hash differs): delete the file."
