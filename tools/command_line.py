"""Writes docs/command-line.md: what --help says of every command.

python tools/command_line.py > docs/command-line.md
"""

from collections.abc import Iterator

import click

from aletheia_bench.cli import main as program

WIDTH = 100
INTRODUCTION = """# Command line

Written by `tools/command_line.py` from the commands themselves.

Every option can also come from the environment (`--max-tokens` from `ALETHEIA_MAX_TOKENS`), or from a TOML file with a
table for each command (`--config`), such as a run's `config.toml`. The command line comes first, then the environment,
the file, the card, the default. Names can be given as a list with commas, or by repeating the option; `_` is as good
as `-`.

Exit codes: 0 done; 1 something is wrong, such as more errors in a run than `--fail-on-error`; 2 a mistake in the
command; 3 something is missing: weights, an extra, a GPU; 130 interrupted.
"""


def sections(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """The name and the help of a command, and of those below it."""
    context = click.Context(
        command, info_name=name, parent=parent, terminal_width=WIDTH, **({} if parent else command.context_settings)
    )
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found
            yield from sections(found, each, context)


def page() -> str:
    texts = [f"## {path}\n\n```text\n{told}\n```\n" for path, told in sections(program, "aletheia-bench")]
    return "\n".join([INTRODUCTION, *texts])


if __name__ == "__main__":
    print(page(), end="")
