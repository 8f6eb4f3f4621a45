"""What `new` writes, and the commands that come next."""

import shlex
from pathlib import Path

import click

from aletheia_bench.scaffold import Kind, chosen, write
from aletheia_plugins import Plugins

__all__ = ["new"]

FIRST = {
    "task": "aletheia-bench traces --task {} -n 100 -o traces.jsonl",
    "model": "aletheia-bench run --task sat --model {} --limit 20",
}


def new(plugins: Plugins, *, kind: Kind, name: str, out: Path | None) -> None:
    names = chosen(name, plugins)
    folder = out or Path(names.distribution)
    files = write(kind, names, folder)
    click.echo(f"{folder}: {len(files)} files, the {kind} {names.plugin!r}. It works as it is:\n")
    click.echo(f"    cd {shlex.quote(str(folder))} && pip install -e .")
    click.echo(f"    {FIRST[kind].format(names.plugin)}")
    click.echo("    pip install --group dev && pytest\n")
    click.echo(f"What to change is marked '# change:' in {names.package}/{kind}.py.")
