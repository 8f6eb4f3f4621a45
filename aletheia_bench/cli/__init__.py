"""The command line. Heavy imports happen inside the commands, so that --help is quick."""

from aletheia_bench.cli.main import main

__all__ = ["main"]
