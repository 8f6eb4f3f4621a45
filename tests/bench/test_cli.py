"""The command line: quick to start, forgiving in spelling, and without a traceback for a user's mistake."""

import json
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tomllib
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aletheia_bench.cli import main
from aletheia_bench.corpus import read

CODE = "from aletheia_bench.cli import main; main(prog_name='aletheia-bench')"
COMMANDS = (
    "compare", "doctor", "export", "list", "new", "plan", "probes", "run", "score", "study", "traces", "train",
    "verify",
)  # fmt: skip
HF_NOWHERE = ("--model", "hf:/nowhere")
"""A model that is looked for after everything else was understood."""


def needs(module: str) -> None:
    """Skip without it; importing it here would take a while."""
    if find_spec(module) is None:
        pytest.skip(f"without {module}")


def said(result: Result, code: int) -> str:
    """The error, which is one line, after checking the exit code."""
    assert result.exit_code == code, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, result.output
    assert "Traceback" not in result.output
    return lines[0].removeprefix("Error: ")


def traces(run, path: str = "t.jsonl", *more: str) -> Result:
    return run("traces", "--task", "coloring", "-n", "2", "--workers", "1", "-o", path, *more)


# --- starting ---


def test_help_is_quick_and_imports_nothing_heavy():
    """Processor time, not wall time: a test machine may be busy."""
    code = f"import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); {CODE}"
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert not {"torch", "transformers", "numpy", "scipy", "ortools", "pysat"} & set(done.stderr.split())
    assert statistics.median(spent) < 0.3


def test_help_lists_every_command_with_a_line_of_help(run):
    text = run("--help").output
    assert all(re.search(rf"^  {command} +[A-Z]", text, re.MULTILINE) for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run, command):
    assert run(command, "-h").output == run(command, "--help").output
    assert run(command, "--help").exit_code == 0


def test_python_can_run_the_package(run):
    done = subprocess.run(
        [sys.executable, "-m", "aletheia_bench", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == run("--version").stdout.split()[-1]


def test_version_is_that_of_the_distribution(run):
    from importlib.metadata import version

    assert version("aletheia-bench") in run("--version").output


# --- names ---


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["rum"],
            "There is no command 'rum'. Did you mean run? Known: compare, doctor, export, list, new, plan, ",
        ),
        (["run", "--task", "sta"], "There is no task 'sta'. Did you mean sat? Known: coloring, sat, sudoku."),
        (
            ["run", "--task", "sat", "--level", "tinny"],
            "There is no level of sat 'tinny'. Did you mean tiny? Known: hard, medium, small, tiny.",
        ),
        (["run", "--task", "sat", "--model", "aletheia-tny"], "There is no model 'aletheia-tny'. Did you mean "),
        (["run", "--task", "sat", "--model", "hff:x"], "There is no back-end 'hff'. Did you mean hf? Known: "),
        (
            ["run", "--task", "sat", "--arm", "linear"],
            "There is no arm of aletheia-tiny 'linear'. Did you mean linearized? Known: backtracking, linearized.",
        ),
        (
            ["traces", "--task", "sat", "-n", "1", "-o", "x", "--arm", "answr"],
            "There is no arm 'answr'. Did you mean answer? Known: answer, backtracking, filler, linearized, masked, ",
        ),
        (["train", "--model", "aletheia-tiny", "-o", "x", "--level", "huge"], "There is no level 'huge'. "),
        (["export", "--model", "aletheia-tiny", "--quant", "q8", "-o", "x"], "There is no precision of gguf 'q8'. Did"),
        (["list", "modles"], "Invalid value for '{tasks|models|plugins}': 'modles' is not one of "),
        (["run", "--tsak", "sat"], "No such option"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest_and_the_known_ones(run, args, message):
    assert said(run(*args), 2).startswith(message)


def test_tasks_may_be_listed_repeated_and_spelt_in_several_ways(run):
    for args in (
        ["--tasks", "sat,coloring"],
        ["--task", "sat", "--task", "coloring"],
        ["--task=sat", "--tasks", " coloring , sat"],
    ):
        result = run("traces", *args, "-n", "1", "--workers", "1", "-o", "{task}.jsonl")
        assert [line.split(":")[0] for line in result.output.splitlines()] == ["sat.jsonl", "coloring.jsonl"]


def test_an_underscore_is_a_hyphen(run):
    assert "out of range" not in said(run("run", "--task", "sat", "--max_tokens", "0"), 2)
    assert "--max-tokens" in said(run("run", "--task", "sat", "--max_tokens", "0"), 2)
    assert said(run("run", "--task", "sat", "--max_tokens", "9", *HF_NOWHERE), 3).startswith("hf:/nowhere: ")


# --- where options come from ---


@pytest.mark.parametrize("variable", ["ALETHEIA_TASK", "ALETHEIA_TASKS"])
def test_an_option_comes_from_the_environment_too(run, variable):
    assert said(run("run", *HF_NOWHERE, **{variable: "sat,nope"}), 2).startswith("There is no task 'nope'.")


def test_the_command_line_wins_over_the_environment_and_that_over_the_config_file(run, tmp_path):
    (tmp_path / "c.toml").write_text('[run]\ntask = "file"\n')
    config = ("--config", "c.toml", "run", *HF_NOWHERE)
    assert "'line'" in said(run(*config, "--task", "line", ALETHEIA_TASK="environment"), 2)
    assert "'environment'" in said(run(*config, ALETHEIA_TASK="environment"), 2)
    assert "'file'" in said(run(*config), 2)


def test_a_config_file_has_a_table_for_each_command(run, tmp_path):
    (tmp_path / "c.toml").write_text('[traces]\ntask = ["coloring"]\nlevel = "small"\ncount = 2\nworkers = 1\n')
    assert run("--config", "c.toml", "traces", "-o", "t.jsonl").exit_code == 0
    assert '"coloring-small-train-0-0"' in (tmp_path / "t.jsonl").read_text()


# --- traces and verify ---


def test_traces_that_were_written_verify(run):
    written = traces(run)
    assert (written.exit_code, written.stdout) == (0, "t.jsonl: 2 problems, every trace accepted by the checker.\n")
    checked = run("verify", "t.jsonl")
    assert (checked.exit_code, checked.stdout, checked.stderr) == (0, "", "2 traces, 0 bad.\n")


def test_a_bad_trace_is_a_line_and_exit_code_1(run, tmp_path):
    traces(run)
    path = tmp_path / "t.jsonl"
    path.write_text(path.read_text().replace("decide", "decode", 1))
    checked = run("verify", "t.jsonl", "t.jsonl")
    assert checked.exit_code == 1
    line = "t.jsonl:1: coloring-tiny-train-0-0: the record was changed after it was written (its hash differs)\n"
    assert checked.stdout == line * 2
    assert checked.stderr == "4 traces, 2 bad.\n"


def test_traces_go_on_where_they_were_cut_off(run, tmp_path):
    traces(run)
    path = tmp_path / "t.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    traces(run)
    assert path.read_bytes() == whole


def test_several_corpora_do_not_go_into_one_file(run, tmp_path):
    message = said(run("traces", "--task", "sat,coloring", "-n", "1", "-o", "t.jsonl"), 2)
    assert message == "2 corpora do not fit into one file: give -o a name with {task} and {level}."
    assert list(tmp_path.iterdir()) == []


def test_a_pattern_names_a_file_for_each_corpus_and_other_braces_are_letters(run, tmp_path):
    traces(run, "{level}/{task}-{x}{.jsonl", "--level", "tiny,small")
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.jsonl")} == {
        "tiny/coloring-{x}{.jsonl",
        "small/coloring-{x}{.jsonl",
    }


# --- list ---


def test_list_shows_what_is_installed(run):
    tasks = run("list", "tasks").output
    assert all(name in tasks for name in ("sat", "coloring", "sudoku", "tiny, small, medium, hard"))
    assert "aletheia-tiny-linearized" in run("list", "models").output
    plugins = run("list", "plugins").output
    assert "active" in plugins
    assert "aletheia-tasks" in plugins


# --- mistakes ---


def test_weights_that_are_missing_are_exit_code_3(run, tmp_path):
    assert said(run("run", "--task", "sat", *HF_NOWHERE), 3) == (
        "hf:/nowhere: there is no /nowhere; expected a folder or file of weights."
    )


def test_a_malformed_file_of_items_is_named_with_its_line(run, tmp_path):
    from aletheia_bench.items import from_file
    from aletheia_plugins import ProblemFileError
    from aletheia_tasks import Sat

    path = tmp_path / "bad.cnf"
    path.write_text("p cnf 2 1\n1 x 0\n")
    with pytest.raises(ProblemFileError) as caught:
        list(from_file(Sat(), Path("bad.cnf")))
    assert str(caught.value).startswith("bad.cnf:2: ")


FILES = {
    "text": "hello\n",
    "number.jsonl": "3\n",
    "record.jsonl": '{"id": 3, "task": "sat"}\n',
    "bad.toml": "x = [",
    "weights.toml": 'name = "a"\nbackend = "hf"\nweights = 3\n',
    "names.toml": 'name = "a"\nbackend = "hf"\n[data]\ntasks = [1]\n',
    "config/config.toml": "[x]\na = 1\n",
    "config/samples.jsonl": "",
    "unknown/config.toml": '[run]\ntask = "sta"\nlevel = "tiny"\n[card]\nname = "m"\n[versions]\ntask = "1"\n'
    '[hashes]\nitems = ""\n',
    "unknown/samples.jsonl": "",
    "empty/config.toml": '[run]\ntask = "sat"\nlevel = "tiny"\n[card]\nname = "m"\n[versions]\ntask = "1"\n'
    '[hashes]\nitems = ""\n',
    "empty/samples.jsonl": "",
    "nothing.toml": 'name = "toy"\nbackend = "hf"\n[data]\nshares = { "sat-tiny" = 0 }\n',
    "shares.toml": 'name = "toy"\nbackend = "hf"\n[data]\nshares = { "sat-tinny" = 2 }\n',
    "task.toml": "[run]\ntask = 5\n",
    "limit.toml": '[run]\ntask = "sat"\nlimit = "many"\n',
}


@pytest.mark.parametrize(
    ("line", "code", "part"),
    [
        ("run", 2, "Missing option '--task'"),
        ("run --task ,", 2, "',' has no name in it."),
        ("run --task sat --level ,", 2, "',' has no name in it."),
        ("run --task sat --limit 0", 2, "0 is not in the range"),
        ("run --task sat --limit many", 2, "'many' is not a valid integer"),
        ("run --task sat --context flat", 2, "'flat' is not one of 'folded', 'cumulative'."),
        ("run --task sat --temperature -1", 2, "not in the range"),
        ("run --task sat --items none.cnf", 2, "'none.cnf' does not exist."),
        ("run --task sat --model none.toml", 2, "none.toml is not a readable card"),
        ("run --task sat --model bad.toml", 2, "bad.toml is not a readable card"),
        ("run --task sat --model weights.toml", 2, "weights.toml: weights is 3, expected a table [weights]."),
        ("run --task sat --model names.toml", 2, "names.toml: data.tasks is [1], expected a list of names."),
        (f"run --task sat --model hf:{'x' * 300}", 1, "File name too long."),
        ("traces --task sat -n 1 --workers 1 -o text/t.jsonl", 1, "text"),
        ("traces --task sat -n 1 --workers 1 -o text", 1, "text:1: expected a JSON object, got b'hello"),
        ("traces --task sat -n 1 -o t.jsonl --shard 2/2", 2, "'2/2' is not i/n with 0 <= i < n"),
        ("traces --task sat -n 1 -o t.jsonl --shard x", 2, "'x' is not i/n with 0 <= i < n"),
        ("verify", 2, "Missing argument"),
        ("verify none.jsonl", 2, "does not exist"),
        ("verify .", 2, "is a directory"),
        ("verify text", 1, "text:1: expected a JSON object, got b'hello"),
        ("verify number.jsonl", 1, "number.jsonl:1: expected a JSON object, got int."),
        ("verify record.jsonl", 1, "record.jsonl:1: no 'arm': this is no trace file, or a damaged one."),
        ("compare .", 1, ". is not a run: config.toml cannot be read"),
        ("compare empty", 2, "m on sat-tiny has no samples yet: finish that run first."),
        ("score .", 1, ". is not a run: config.toml cannot be read"),
        ("score config", 1, "config is not a run: config.toml has no task in a table [run]."),
        ("score unknown", 2, "There is no task 'sta'. Did you mean sat?"),
        ("train --model hf:. -o out", 2, "does not say what to train on: give --task, --level and -n."),
        (
            "train --model shares.toml -o out --task sat --level tiny -n 1",
            2,
            "no task and level 'sat-tinny'",
        ),
        (
            "train --model nothing.toml -o out --task sat --level tiny -n 1",
            2,
            "toy: the shares of sat-tiny are 0: nothing is left to train on.",
        ),
        ("train --model aletheia-tiny -o text/out --task sat --level tiny -n 1 --workers 1", 1, "text"),
        ("--config none.toml list tasks", 2, "'none.toml' does not exist."),
        ("--config bad.toml list tasks", 1, "bad.toml is not a readable config file"),
        ("--config task.toml run", 2, "must be an iterable"),
        ("--config limit.toml run", 2, "'many' is not a valid integer"),
    ],
)
def test_a_mistake_is_one_sentence_without_a_traceback(run, tmp_path, line, code, part):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert part in said(run(*line.split(" ")), code)


def test_the_plugins_that_are_named_must_exist(run):
    assert said(run("list", "tasks", ALETHEIA_PLUGINS="nope"), 2).startswith("There is no plugin 'nope'. Known: ")


def test_a_mistake_in_a_real_process_leaves_one_line_on_standard_error(tmp_path):
    command = [sys.executable, "-c", CODE, "run", "--task", "sat", *HF_NOWHERE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "Error: hf:/nowhere: there is no /nowhere; expected a folder or file of weights.\n"


def test_a_reader_of_a_pipe_that_goes_away_is_no_error(tmp_path):
    command = f"'{sys.executable}' -c \"{CODE}\" list tasks | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "Traceback" not in done.stderr


# --- a run, with a student that is trained on the way ---

CARD = """
name = "toy"
backend = "hf"
max_tokens = 400

[data]
tasks = ["coloring"]
levels = ["tiny"]
count = 30

[architecture]
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 2
num_attention_heads = 2
num_key_value_heads = 2
max_position_embeddings = 512

[training]
tokens = 30_000
tokens_per_batch = 4000
learning_rate = 0.01
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> tuple[Path, Result]:
    """A folder with a card and the run of its student, and what the run printed."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy.toml").write_text(CARD)
    return folder, evaluated(folder)


def evaluated(folder: Path, *more: str) -> Result:
    args = ["run", "--task", "coloring", "--model", str(folder / "toy.toml"), "--limit", "3", "-o", str(folder / "out")]
    result = CliRunner().invoke(main, [*args, *more])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def runs(folder: Path) -> list[Path]:
    return sorted((folder / "out" / "toy").iterdir())


def everything(path: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


def trained(folder: Path) -> Path:
    (student,) = (folder / "out" / "students").iterdir()
    return student


def test_a_run_trains_the_student_and_prints_a_table(toy):
    folder, result = toy
    assert result.exit_code == 0
    assert "toy has no weights yet: training it into" in result.stderr
    task, model, _, n, *_ = result.stdout.splitlines()
    assert [task.split(), model.split(), n.split()] == [["coloring-tiny"], ["toy"], ["n", "3"]]
    facts = json.loads((trained(folder) / "training.json").read_text())
    assert 30_000 <= facts["tokens"] < 34_000
    (path,) = runs(folder)
    assert {"config.toml", "samples.jsonl", "results.json", "results.csv", "report.md", "report.html"} <= {
        file.name for file in path.iterdir()
    }


def test_the_same_command_again_does_nothing_and_prints_the_same(toy):
    folder, result = toy
    before = everything(folder)
    again = evaluated(folder)
    assert again.stdout == result.stdout
    assert everything(folder) == before


def test_a_runs_own_configuration_repeats_it_into_the_same_directory(toy):
    folder, result = toy
    (path,) = runs(folder)
    before = everything(path)
    again = CliRunner().invoke(main, ["--config", str(path / "config.toml"), "run", "-o", str(folder / "out")])
    assert again.stdout == result.stdout
    assert runs(folder) == [path]
    assert everything(path) == before


def test_score_prints_the_same_without_a_model(toy, tmp_path):
    folder, result = toy
    (path,) = runs(folder)
    before = (path / "results.json").read_bytes()
    (path / "results.json").unlink()
    scored = CliRunner().invoke(main, ["score", str(path)])
    assert scored.stdout == result.stdout
    assert (path / "results.json").read_bytes() == before


def test_the_configuration_says_what_made_the_run(toy):
    folder, _ = toy
    config = tomllib.loads((runs(folder)[0] / "config.toml").read_text())
    assert config["run"]["task"] == "coloring"
    read = {"arm": "backtracking", "context": "folded", "instructed": False, "chat": False}
    assert config["card"] == {"name": "toy", "backend": "hf", **read}
    assert re.fullmatch("[0-9a-f]{64}", config["hashes"]["weights"])
    assert {"task", "aletheia-bench", "python"} <= config["versions"].keys()
    assert config["model"]["parameters"] > 10_000
    count = len((runs(folder)[0] / "samples.jsonl").read_text().splitlines())
    assert config["model"]["flipped"] == f"0 of {count}"
    assert f"than one by one (batch size 64): 0 of {count}." in (runs(folder)[0] / "report.md").read_text()


def test_a_fresh_run_gives_the_same_samples_but_for_the_time_they_took(toy):
    folder, _ = toy
    (path,) = runs(folder)

    def timeless():
        lines = map(json.loads, (path / "samples.jsonl").read_text().splitlines())
        return sorted([{**line, "seconds": 0, "sha256": ""} for line in lines], key=lambda line: line["id"])

    before = timeless()
    assert evaluated(folder, "--fresh").exit_code == 0
    assert timeless() == before


def test_a_trained_student_is_a_model_by_its_folder(toy, run):
    folder, _ = toy
    result = run("run", "--task", "coloring", "--limit", "1", "--model", f"hf:{trained(folder)}")
    assert result.exit_code == 0
    assert "hf-" in result.stdout


def test_a_malformed_item_stops_a_run_before_it_begins_with_file_and_line(toy, run, tmp_path):
    folder, _ = toy
    (tmp_path / "bad.col").write_text("p edge 2 1\ne 1 x\n")
    model = f"hf:{trained(folder)}"
    message = said(run("run", "--task", "coloring", "--items", "bad.col", "--model", model), 2)
    assert message.startswith("bad.col:2: ")


def test_a_card_that_says_other_data_has_another_student(toy, tmp_path):
    little = CARD.replace("count = 30", "count = 2").replace("30_000", "300")
    shared = little.replace("count = 2", 'count = 2\nshares = { "coloring-tiny" = 2 }')
    for text in (little, shared):
        (tmp_path / "toy.toml").write_text(text)
        assert evaluated(tmp_path, "--fresh").exit_code == 0
    students = sorted((tmp_path / "out" / "students").iterdir())
    found = [json.loads((path / "training.json").read_text())["shares"] for path in students]
    assert sorted(found, key=len) == [{}, {"coloring-tiny": 2}]
    assert sorted(len(list(read(path / "corpus" / "coloring-tiny-backtracking.jsonl"))) for path in students) == [2, 4]


def test_a_back_end_that_writes_no_files_is_said(run):
    done = run("export", "--model", "aletheia-tiny", "--format", "hf", "-o", "x")
    assert said(done, 2) == "The back-end 'hf' writes no files; choose gguf, or another that does."


def test_a_student_goes_from_its_folder_to_a_file_to_a_run(run, tmp_path):
    needs("llama_cpp")
    file = tmp_path / "tiny.gguf"
    assert run("export", "--model", "aletheia-tiny", "--quant", "q8-0", "-o", str(file)).exit_code == 0
    done = run("run", "--task", "sat", "--model", f"gguf:{file}", "--limit", "3", "-o", str(tmp_path / "runs"))
    assert done.exit_code == 0
    (config,) = (tmp_path / "runs").glob("*/*/config.toml")
    content = tomllib.loads(config.read_text())
    read = {"arm": "backtracking", "context": "folded", "instructed": False, "chat": False}
    assert content["card"] | {"name": ""} == {"name": "", "backend": "gguf", **read}
    assert content["model"]["llama-cpp-python"]
    assert content["hashes"]["weights"] == sha256(file.read_bytes()).hexdigest()


def test_two_runs_of_one_model_are_told_apart_by_their_folders(run, tmp_path):
    needs("torch")
    for most in ("1024", "512"):
        assert (
            run(
                "run", "--task", "sat", "--no-control", "--limit", "2", "--max-tokens", most, "-o", str(tmp_path)
            ).exit_code
            == 0
        )
    both = sorted(str(path.parent) for path in tmp_path.glob("aletheia-tiny/*/config.toml"))
    shown = run("compare", *both)
    assert shown.exit_code == 0
    assert [f"aletheia-tiny in {Path(path).name}" in shown.stdout for path in both] == [True, True]
    shutil.copytree(tmp_path, tmp_path / "copy")
    other = tmp_path / "copy" / Path(both[0]).relative_to(tmp_path)
    shown = run("compare", both[0], str(other))
    assert "aletheia-tiny in copy/aletheia-tiny/sat-tiny-" in shown.stdout
    assert said(run("compare", both[0], both[0]), 2) == ("A run cannot be compared with itself: name each folder once.")


def test_precisions_are_written_evaluated_and_compared(run, tmp_path):
    needs("llama_cpp")
    command = ["run", "--task", "sat", "--no-control", "--quant", "q8_0,Q4-0", "--limit", "3", "-o", str(tmp_path)]
    done = run(*command)
    assert done.exit_code == 0
    rows = [line.split()[:2] for line in done.stdout.splitlines() if line.startswith("sat-tiny")]
    assert rows == [["sat-tiny", "aletheia-tiny-q8_0"], ["sat-tiny", "aletheia-tiny-q4_0"]]
    assert (tmp_path / "aletheia-tiny-precisions.svg").exists()
    for config in tmp_path.glob("aletheia-tiny-*/*/config.toml"):
        content = tomllib.loads(config.read_text())
        assert content["run"]["model"].startswith("gguf:")  # it can be repeated
        assert content["model"]["memory_bytes"] > content["model"]["file_bytes"]
    again = run(*command)
    assert again.stdout == done.stdout  # from the files and samples that are there
    assert "Writing" not in again.stderr


def test_a_back_end_that_does_not_exist_is_said_before_anything_is_done(run):
    assert said(run("run", "--task", "sat", "--backend", "ggf"), 2).startswith("There is no back-end 'ggf'. Did you me")


def test_the_doctor_says_what_is_installed_and_how_to_get_the_rest(run):
    done = run("doctor")
    assert done.exit_code == 0
    found = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert found["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert found["ortools"]
    for package, extra in (("torch", "hf"), ("llama-cpp-python", "gguf")):
        assert found[package][0].isdigit() or found[package].endswith(f"pip install 'aletheia-bench[{extra}]'")


def test_the_doctor_finds_nothing_wrong_with_the_student_as_a_file(run, tmp_path):
    needs("llama_cpp")
    file = tmp_path / "tiny.gguf"
    run("export", "--model", "aletheia-tiny", "--quant", "f32", "-o", str(file))
    done = run("doctor", "--model", f"gguf:{file}", "--against", "aletheia-tiny", "--limit", "6")
    assert done.exit_code == 0, done.output
    told = done.stdout.splitlines()[-4:]
    assert "in another order: 0 of 6" in told[0]
    assert "side by side: 0 of 6" in told[1]
    assert told[2].endswith("token ids of 12 prompts and traces, against aletheia-tiny: 0 differ")
    assert "completions, against aletheia-tiny: 0 of 6" in told[3]
    assert said(run("doctor", "--model", f"gguf:{file}", "--level", "tinny"), 2).startswith(
        "There is no level 'tinny'. "
    )


def test_a_configuration_repeats_a_run_with_its_back_end_and_other_options(run, tmp_path):
    needs("llama_cpp")
    file = tmp_path / "tiny.gguf"
    run("export", "--model", "aletheia-tiny", "--quant", "q8_0", "-o", str(file))
    command = ["run", "--task", "sat", "--limit", "2", "-o", str(tmp_path / "runs")]
    odd = ["--backend", "gguf", "-M", "generation.batch_size=2", "-M", "generation.processes=1"]
    first = run(*command, "--model", f"gguf:{file}", *odd)
    (config,) = (tmp_path / "runs").glob("*/*/config.toml")
    again = run("--config", str(config), "run", "-o", str(tmp_path / "runs"))
    assert again.exit_code == 0, again.output
    assert again.stdout == first.stdout
    assert list((tmp_path / "runs").glob("*/*/config.toml")) == [config]
    assert tomllib.loads(config.read_text())["model"]["batch_size"] == 2


# --- probes ---


def test_probes_of_a_student_and_its_control_are_told_and_not_asked_again(run):
    needs("torch")
    args = ["probes", "--task", "sat", "-n", "4", "-o", "out"]
    first = run(*args)
    assert first.exit_code == 0, first.output
    rows = [line.split()[:3] for line in first.stdout.splitlines()[2:]]
    assert rows == [["sat-tiny", "aletheia-tiny", "4"], ["sat-tiny", "aletheia-tiny-linearized", "4"]]
    (folder,) = Path("out/aletheia-tiny").iterdir()
    assert re.fullmatch("probes-sat-tiny-[0-9a-f]{8}", folder.name)
    written = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}
    assert written.keys() == {"config.toml", "probes.jsonl", "results.json"}
    assert run(*args).stdout == first.stdout
    again = run("--config", str(folder / "config.toml"), "probes", "--no-control", "-o", "again")
    assert again.exit_code == 0, again.output
    (copy,) = Path("again/aletheia-tiny").iterdir()
    assert copy.name == folder.name
    assert (copy / "probes.jsonl").read_bytes() == written["probes.jsonl"]
    assert said(run("score", str(folder)), 1).startswith(f"{folder} is not a run: config.toml has no task in a table")
