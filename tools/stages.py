"""Trains a student that ships anew, in the stages in which it was trained: those of its training.json.

    python tools/stages.py NAME FOLDER

Each stage goes into FOLDER/1, FOLDER/2 ... and starts from the one before. It can be interrupted; the same command goes
on, since `train` does not repeat what is finished. Weights come out like those that ship, but not equal: the first
stages were trained on traces of before.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
STUDENTS = ROOT / "models" / "aletheia_models" / "students"
SPEED = 6_000
"""Tokens a second on one core with AMX, about as in docs/training.md, 51 to 53."""


def commands(record: Mapping[str, Any], out: Path) -> Iterator[list[str]]:
    """The arguments of `aletheia-bench` for each stage."""
    start = ""
    for number, stage in enumerate(record["stages"], 1):
        folder = out / str(number)
        names = ", ".join(f"{letter} = {count}" for letter, count in stage.get("names", {}).items())
        shares = ", ".join(f"{level} = {share}" for level, share in stage["shares"].items())
        options = {
            "data.shares": f"{{ {shares} }}",
            "data.names": f"{{ {names} }}",
            **{f"data.{name}": stage.get(name, 0) for name in ("detours", "disguises", "turns")},
            **{f"training.{name}": stage[name] for name in ("tokens", "tokens_per_batch", "learning_rate")},
            "training.start": start,
        }
        yield [
            *("train", "--model", record["card"], "-o", str(folder), "--seed", str(stage["seed"])),
            *("--task", ",".join(stage.get("tasks", record["tasks"])), "-n", str(stage["count"])),
            *("--level", ",".join(stage.get("levels", record["levels"]))),
            *(f"-M{name}={value}" for name, value in options.items()),
        ]
        start = str(folder.resolve())


def main() -> int:
    if len(sys.argv) != 3 or not (STUDENTS / sys.argv[1]).is_dir():
        sys.exit(f"usage: python tools/stages.py NAME FOLDER; NAME is {', '.join(p.name for p in STUDENTS.iterdir())}")
    out = Path(sys.argv[2])
    record = json.loads((STUDENTS / sys.argv[1] / "training.json").read_text(encoding="utf-8"))
    print(
        f"{sys.argv[1]}: {len(record['stages'])} stages, {record['tokens']:,} tokens: "
        f"{record['tokens'] / SPEED / 3600:.0f} hours at {SPEED:,} a second, as on a core with AMX; "
        "without it about twice as long."
    )
    for number, command in enumerate(commands(record, out), 1):
        print(f"stage {number}: aletheia-bench {shlex.join(command)}", flush=True)
        if code := subprocess.run([sys.executable, "-m", "aletheia_bench", *command], check=False).returncode:
            return code
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
