"""The command line, as tests call it."""

import pytest
from click.testing import CliRunner, Result

from aletheia_bench.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Calls the command line in an empty folder, without a stranger's plugins or options."""
    monkeypatch.chdir(tmp_path)
    for name in ("ALETHEIA_PLUGINS", "ALETHEIA_TASK", "ALETHEIA_TASKS", "ALETHEIA_LEVEL", "ALETHEIA_MODEL"):
        monkeypatch.delenv(name, raising=False)

    def call(*args: str, **env: str) -> Result:
        result = CliRunner().invoke(main, [*args], env=env)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call
