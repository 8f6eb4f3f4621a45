"""Writes constraints.txt: the version of every package that `make run` and `make test` install, as found in this venv.

    .venv/bin/python tools/pins.py > constraints.txt

torch comes first and without a local label (`+cpu`), so that any build of that version will do.
"""

import tomllib
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from packaging.dependency_groups import resolve_dependency_groups
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
INSTALLERS = ["pip", "hatchling", "editables"]


def closure(wanted: list[Requirement]) -> dict[str, str]:
    """Name → version of all that the requirements need on this machine."""
    pins: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            try:
                pins[name] = version(name).partition("+")[0]
            except PackageNotFoundError as error:
                raise SystemExit(f"{requirement} is not installed: make setup") from error
            needed = [Requirement(line) for line in distribution(name).requires or ()]
            wanted += [r for r in needed if r.marker is None or r.marker.evaluate({"extra": extra})]
    return pins


def main() -> None:
    data = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    extras = data["project"]["optional-dependencies"]
    own = data["project"]["name"]  # an extra may be made of others
    lines = [line for lines in extras.values() for line in lines if not line.startswith(own)]
    lines += data["project"]["dependencies"]
    lines += resolve_dependency_groups(data["dependency-groups"], "dev")
    pins = closure([Requirement(line) for line in lines + INSTALLERS])
    print(
        "# Written by tools/pins.py: what `make run` and `make test` install. torch without +cpu, so any build will do."
    )
    for name in sorted(pins, key=lambda name: (name != "torch", name)):
        print(f"{name}=={pins[name]}")


if __name__ == "__main__":
    main()
