"""The commands. Each turns options into values and calls one station of the harness."""

import functools
import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from aletheia_bench.cli.options import Names, Shard, cores, file, folder, option, spelling
from aletheia_plugins.errors import AletheiaError, UnknownNameError
from aletheia_plugins.values import ContextKind

if TYPE_CHECKING:
    from aletheia_plugins.loading import Plugins

__all__ = ["main"]

TASKS = option("--task", "--tasks", "tasks", type=Names(), multiple=True, required=True, help="Task or tasks.")
LEVELS = option("--level", "--levels", "levels", type=Names(), multiple=True, default=["tiny"], help="Level or levels.")
SEED = option("--seed", type=click.IntRange(0, (1 << 32) - 1), default=0, help="Seed of the problems and of sampling.")
WORKERS = option("--workers", type=click.IntRange(1), default=cores, show_default="all cores", help="Processes.")
OVERRIDES = option("-M", "--set", "overrides", multiple=True, metavar="TABLE.OPTION=VALUE",
                   help="Another value in the card, such as generation.batch_size=8, or base=PATH.")  # fmt: skip
CONTEXTS = click.Choice(get_args(ContextKind))


def course(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a card, and of what it is trained on."""
    for add in (
        OVERRIDES,
        option("-n", "--count", type=click.IntRange(1), default=None, help="Problems of each.  [default: the card's]"),
        option("--arm", default=None, help="What the student sees of each trace.  [default: the card's]"),
        option("--level", "--levels", "levels", type=Names(), multiple=True, help="Levels.  [default: the card's]"),
        option("--task", "--tasks", "tasks", type=Names(), multiple=True, help="Tasks.  [default: the card's]"),
        option("--model", required=True, help="A card's name or a card file."),
    ):
        command = add(command)
    return command


class Commands(click.Group):
    """Says an AletheiaError in one sentence, with its exit code, and lets no traceback reach the user for it."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AletheiaError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("Interrupted; what is finished is kept, the same command goes on from here.", err=True)
            ctx.exit(130)
        except BaseException as error:
            from aletheia_bench.cli.blaming import sentence
            from aletheia_plugins.loading import Plugins

            if told := sentence(error, ctx.obj() if ctx.obj else Plugins()):
                click.echo(f"Error: {told}.", err=True)
                ctx.exit(1)
            raise

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = spelling(args[0])
        if self.get_command(ctx, name) is None:
            raise UnknownNameError("command", name, self.list_commands(ctx))
        return super().resolve_command(ctx, [name, *args[1:]])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": spelling})
@click.version_option(package_name="aletheia-bench")
@option("--config", type=file(exists=True), help="A TOML file with options, such as a run's config.toml.")
@option("--no-plugin-autoload", is_flag=True, help="Load the built-in plugins and those in ALETHEIA_PLUGINS only.")
@option("--offline", is_flag=True, help="Fetch nothing: a base that is not on this machine is missing.")
@click.pass_context
def main(ctx: click.Context, config: Path | None, no_plugin_autoload: bool, offline: bool) -> None:
    """Benchmark constraint reasoning: verified backtracking traces, students trained on them, every claim replayed."""
    ctx.obj = functools.cache(functools.partial(_plugins, autoload=not no_plugin_autoload))
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    if config:
        ctx.default_map = _defaults(config)


def _plugins(*, autoload: bool) -> "Plugins":
    from aletheia_plugins.loading import load_plugins

    plugins = load_plugins(autoload=autoload)
    for report in plugins.reports:
        if report.error:
            click.echo(f"Warning: {report.error}", err=True)
    return plugins


def _defaults(config: Path) -> dict[str, Any]:
    """The options of each command in a config file; a run's own names for them are understood."""
    try:
        content = tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AletheiaError(f"{config} is not a readable config file: {error}") from error
    aliases = {"task": "tasks", "level": "levels"}
    lists = ("tasks", "levels")
    found: dict[str, Any] = {}
    for command in main.commands.keys() & content.keys():
        options = {aliases.get(key, key): value for key, value in content[command].items()}
        known = [param.name for param in main.commands[command].params if param.name]
        for key in options.keys() - set(known):
            raise UnknownNameError(f"option of {command}", key, known)
        found[command] = {k: [v] if k in lists and isinstance(v, str) else v for k, v in options.items()}
    return found


@main.command()
@TASKS
@LEVELS
@option("--model", default="aletheia-tiny", help="A card's name, a card file, hf:FOLDER or gguf:FILE.")
@option("--backend", default=None, help="The back-end that runs the model.  [default: the card's]")
@option("--quant", "--quants", "quants", type=Names(), multiple=True, metavar="NAME[,NAME]",
        help="Write the model at these precisions, f16, q8_0, q4_k_m ..., and compare them.")  # fmt: skip
@OVERRIDES
@option("--limit", type=click.IntRange(1), default=100, help="Problems of each task and level.")
@option("--arm", default=None, help="Evaluate the student of this arm: the card itself or its control.")
@option("--context", type=CONTEXTS, default=None, help="What the model reads at each turn.  [default: the card's]")
@SEED
@option("--epochs", type=click.IntRange(1), default=1, help="Times that each problem is tried.")
@option("--max-tokens", type=click.IntRange(1), default=None, help="Tokens for one problem.  [default: the card's]")
@option(
    "--max-seconds", type=click.FloatRange(0, min_open=True), help="The machine's time for one problem.  [default: any]"
)
@option("--temperature", type=click.FloatRange(0), default=0.0, help="0 is greedy.")
@option("--items", type=click.Path(exists=True, path_type=Path), help="A file or folder of problems to solve instead.")
@option("--forced", type=click.IntRange(0), default=0, help="Also put errors into the completions of so many items.")
@option("--control/--no-control", default=True, help="Also run the card's control student.")
@option("--fail-on-error", type=click.FloatRange(0, 1), default=0.0, help="Share of items that may end in an error.")
@option("-o", "--out", type=folder(), default=Path("reports"), help="Where runs land.")
@option("--fresh", is_flag=True, help="Forget what an earlier run of the same options did.")
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> None:
    """Evaluate a model, and its control student, and print the measures."""
    from aletheia_bench.cli import running

    bad = running.run(ctx.obj(), **options)
    ctx.exit(1 if bad else 0)


@main.command()
@TASKS
@LEVELS
@option("--model", default="aletheia-tiny", help="A card's name, a card file, hf:FOLDER or gguf:FILE.")
@option("--backend", default=None, help="The back-end that runs the model.  [default: the card's]")
@OVERRIDES
@option("-n", "--count", type=click.IntRange(2), default=200, help="States of each task and level, half of them dead.")
@option("--context", type=CONTEXTS, default=None, help="What the model reads before each step.  [default: the card's]")
@SEED
@option("--control/--no-control", default=True, help="Also ask the card's control student.")
@option("-o", "--out", type=folder(), default=Path("reports"), help="Where answers land.")
@option("--fresh", is_flag=True, help="Forget the answers to an earlier command of the same options.")
@click.pass_obj
def probes(plugins: Callable[[], "Plugins"], /, **options: Any) -> None:
    """Ask a model in which states it would claim a conflict, and whether that depends on the way there."""
    from aletheia_bench.cli import probing

    probing.probes(plugins(), **options)


@main.command()
@TASKS
@LEVELS
@option("-n", "--count", type=click.IntRange(1), required=True, help="Problems of each task and level.")
@option("-o", "--out", type=file(), required=True, help="The JSONL file; with several tasks or levels, a pattern "
        "with {task} and {level}.")  # fmt: skip
@option(
    "--arm",
    default="backtracking",
    help="What is shown of each trace: backtracking, linearized, answer, swapped, filler or masked.",
)
@option("--split", type=click.Choice(["train", "test"]), default="train", help="Which problems.")
@SEED
@WORKERS
@option("--shard", type=Shard(), default="0/1", help="Only every n-th problem, from the i-th.")
@option("--proof", type=folder(), help="Also write unsatisfiable problems as CNF with DRUP proofs into this folder.")
@click.pass_obj
def traces(plugins: Callable[[], "Plugins"], /, **options: Any) -> None:
    """Write verified traces, one a line; goes on where it was interrupted."""
    from aletheia_bench.cli import building

    building.traces(plugins(), **options)


@main.command()
@click.argument("files", nargs=-1, required=True, type=file(exists=True))
@option("--against", type=click.Path(exists=True, path_type=Path), multiple=True,
        help="A file or folder of problems that must not be among them, in any disguise.")  # fmt: skip
@click.pass_context
def verify(ctx: click.Context, /, files: tuple[Path, ...], against: tuple[Path, ...]) -> None:
    """Check trace files again: one line for each bad trace, or for one of a problem that may not be there."""
    from aletheia_bench.cli import building

    ctx.exit(1 if building.verify(ctx.obj(), files, against) else 0)


@main.command()
@course
@option("-o", "--out", type=folder(), required=True, help="Where the weights land.")
@SEED
@WORKERS
@click.pass_obj
def train(plugins: Callable[[], "Plugins"], /, **options: Any) -> None:
    """Train a card's student on verified traces; goes on where it was interrupted."""
    from aletheia_bench.cli import building

    building.train(plugins(), **options)


@main.command()
@course
@SEED
@click.pass_obj
def plan(plugins: Callable[[], "Plugins"], /, **options: Any) -> None:
    """Say what a training would take: parameters, memory, hours, and whether it fits this machine. Needs no weights."""
    from aletheia_bench.cli import planning

    planning.plan(plugins(), **options)


@main.command()
@option("--model", default=None, help="Also look at this model.")
@option("--backend", default=None, help="The back-end that runs it.  [default: the card's]")
@option("--against", default=None, help="A model that should read and write the same.")
@OVERRIDES
@option("--level", default="tiny", help="Where its prompts come from.")
@option("--limit", type=click.IntRange(1), default=60, help="Prompts.")
@click.pass_context
def doctor(ctx: click.Context, /, **options: Any) -> None:
    """Say what is installed; with --model, whether it writes the same in any order, in a batch, and as another one."""
    from aletheia_bench.cli import doctor

    ctx.exit(1 if doctor.doctor(ctx.obj(), **options) else 0)


@main.command()
@option("--model", required=True, help="A card's name, a card file, hf:FOLDER or lora:FOLDER.")
@option("--format", "form", default="gguf", show_default=True, help="The back-end whose files are written.")
@option("--quant", default="q8_0", show_default=True, help="Their precision: f32, f16, q8_0, q4_k_m ...")
@OVERRIDES
@option("-o", "--out", type=file(), required=True, help="The file.")
@click.pass_obj
def export(plugins: Callable[[], "Plugins"], /, **options: Any) -> None:
    """Write a trained model for another back-end."""
    from aletheia_bench.cli import building

    building.export(plugins(), **options)


@main.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.pass_obj
def score(plugins: Callable[[], "Plugins"], /, runs: tuple[Path, ...]) -> None:
    """Compute all measures of finished runs anew from their samples, without a model."""
    from aletheia_bench.cli import running

    running.score(plugins(), runs)


@main.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.pass_obj
def compare(plugins: Callable[[], "Plugins"], /, runs: tuple[Path, ...]) -> None:
    """Compare finished runs of the same items, item by item: differences, McNemar's and Fisher's tests, power."""
    from aletheia_bench.cli import running

    running.compare(plugins(), runs)


@main.command()
@click.argument("file", type=file(exists=True))
@option("-o", "--out", type=folder(), default=Path("reports"), help="Where the study lands, in a folder of its name.")
@option("--workers", type=click.IntRange(1), default=cores, show_default="all cores", help="Students at a time.")
@option("--scale", type=click.FloatRange(0, min_open=True), default=1.0,
        help="Train on so many times the problems and tokens.")  # fmt: skip
@click.pass_context
def study(ctx: click.Context, /, **options: Any) -> None:
    """Conduct a whole experiment, tasks x levels x arms x seeds x models, and report on it; resumable."""
    from aletheia_bench.cli import studying

    autoload = not ctx.find_root().params["no_plugin_autoload"]
    studying.study(ctx.obj(), autoload=autoload, **options)


@main.command("list")
@click.argument("what", type=click.Choice(["tasks", "models", "plugins"]))
@click.pass_obj
def list_(plugins: Callable[[], "Plugins"], /, what: str) -> None:
    """Show what is installed: tasks, models or plugins (broken ones too)."""
    from aletheia_bench.cli import listing

    click.echo(getattr(listing, what)(plugins()))


@main.command()
@click.argument("kind", type=click.Choice(["task", "model"]))
@click.argument("name")
@option("-o", "--out", type=folder(), default=None, help="Where it lands, a new or empty folder.  [default: "
        "aletheia-NAME]")  # fmt: skip
@click.pass_obj
def new(plugins: Callable[[], "Plugins"], /, **options: Any) -> None:
    """Write a plugin of your own, a task or a model: a distribution that works as it is, to change step by step.

    NAME is what it is called: lower-case letters, digits and underscores, such as job_shop.
    """
    from aletheia_bench.cli import creating

    creating.new(plugins(), **options)


if __name__ == "__main__":
    sys.exit(main())
