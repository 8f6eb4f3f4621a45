"""Prints how long functions and files are, and fails where one is too long.

    python tools/figures.py

A function may have 80 lines, a file 400. Tests are not looked at.
"""

import ast
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ["aletheia_bench", "plugins", "tasks", "models", "tools", "benchmarks"]
LONGEST_FUNCTION = 80
LONGEST_FILE = 400


class Length(NamedTuple):
    lines: int
    place: str

    def __str__(self) -> str:
        return f"{self.lines} lines, {self.place}"


def functions(path: Path) -> list[Length]:
    """From `def` to the last line, without decorators; a nested function counts for itself and in the outer one."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return [
        Length(
            (node.end_lineno or node.lineno) - node.lineno + 1, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def main() -> int:
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    found = sorted(length for path in paths for length in functions(path))
    files = sorted(Length(len(path.read_bytes().splitlines()), str(path.relative_to(ROOT))) for path in paths)
    lines = [length.lines for length in found]
    p90 = statistics.quantiles(lines, n=10, method="inclusive")[-1]
    print(f"{len(found)} functions: median {statistics.median(lines):g}, p90 {p90:g}, longest: {found[-1]}")
    print(f"{len(files)} files: median {statistics.median(f.lines for f in files):g}, longest: {files[-1]}")
    too_long = [f for f in found if f.lines > LONGEST_FUNCTION] + [f for f in files if f.lines > LONGEST_FILE]
    for length in too_long:
        print(f"too long: {length}")
    return bool(too_long)


if __name__ == "__main__":
    sys.exit(main())
