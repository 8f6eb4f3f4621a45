"""Generates problems in a process of its own, run as a script: says of each its texts, or that it raised an error.

Knows nothing of the harness. Reads {"path", "module", "class", "problems"} as JSON, writes a line of JSON a problem.
"""

import importlib
import json
import sys
from typing import Any


def task(asked: dict[str, Any]) -> Any:
    found: Any = importlib.import_module(asked["module"])
    for name in asked["class"].split("."):
        found = getattr(found, name)
    return found()


def orders(task: Any, problem: Any) -> list[str]:
    """Of variables and values, and of constraints."""
    domains = [(variable, list(values)) for variable, values in task.domains(problem).items()]
    return [repr(domains), repr([constraint.name for constraint in task.csp(problem).constraints])]


def main() -> None:
    out, sys.stdout = sys.stdout, sys.stderr  # what a task prints is not for whoever asked
    asked = json.load(sys.stdin)
    sys.path[:] = asked["path"]
    try:
        made = task(asked)
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises is told
        out.write(json.dumps(f"{type(error).__name__}: {error}") + "\n")
        return
    out.write(json.dumps(None) + "\n")
    out.flush()
    for level, split, seed, index in asked["problems"]:
        try:
            problem = made.generate(level, split=split, seed=seed, index=index)
            said = [made.render(problem), made.dumps(problem), made.canonical(problem), *orders(made, problem)]
        except Exception as error:  # noqa: BLE001 - as above
            said = [f"{type(error).__name__}: {error}"]
        out.write(json.dumps(said) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
