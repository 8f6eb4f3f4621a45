"""The page about hooks has each of them, as it is specified, and no other."""

import ast
import inspect
import re
from pathlib import Path

import pluggy

from aletheia_plugins import hookspecs
from aletheia_plugins.loading import KINDS

PAGE = (Path(__file__).parents[2] / "docs/hooks.md").read_text(encoding="utf-8")


def signature(source: str) -> str:
    """Name, arguments and returned type of the function in this source."""
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert function.returns is not None
    return f"{function.name}({ast.unparse(function.args)}) -> {ast.unparse(function.returns)}"


def test_every_hook_has_its_section_with_its_signature_and_there_is_no_other():
    manager = pluggy.PluginManager("aletheia_bench")
    manager.add_hookspecs(hookspecs)
    specified = {caller.name: caller.spec.function for caller in vars(manager.hook).values()}
    assert specified.keys() == KINDS.keys()
    shown = dict(re.findall(r"^## (\w+)\n\n```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
    assert {name: signature(source) for name, source in shown.items()} == {
        name: signature(inspect.getsource(function)) for name, function in specified.items()
    }
