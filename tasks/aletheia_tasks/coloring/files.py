"""DIMACS .col, as found in the wild. Such files do not say how many colours there are."""

from aletheia_plugins import ProblemFileError
from aletheia_tasks._common import whole_number
from aletheia_tasks.coloring.problem import Edge, Problem

__all__ = ["dumps", "loads"]

COLOURS = 3
"""Where no comment says otherwise."""

IGNORED = {"n", "d", "v", "x"}
"""Node weights, dimensions, coordinates and parameters: they occur in such files and do not matter here."""


def loads(text: str) -> Problem:
    """Reads edges that are listed twice; the number of colours is that of a comment `c colours 3`, else `COLOURS`."""
    vertices, colours = None, COLOURS
    edges: set[Edge] = set()
    for line, content in enumerate(text.splitlines(), start=1):
        match content.split():
            case ["c", "colours" | "colors", count]:
                colours = _count(count, line, "a number of colours")
            case [] | ["c", *_]:
                pass
            case ["p", "edge" | "edges" | "col", count, _] if vertices is None:
                vertices = _count(count, line, "a number of vertices")
            case ["e", left, right] if vertices is not None:
                edges.add(_edge(left, right, vertices, line))
            case [word, *_] if word in IGNORED and vertices is not None:
                pass
            case _:
                expected = "'p edge VERTICES EDGES'" if vertices is None else "'e VERTEX VERTEX' or a comment"
                raise ProblemFileError(f"expected {expected}, found {content.strip()!r}", line)
    if vertices is None:
        raise ProblemFileError("expected 'p edge VERTICES EDGES', found the end of the file")
    return Problem(vertices, tuple(sorted(edges)), colours)


def dumps(problem: Problem) -> str:
    lines = [f"c colours {problem.colours}", f"p edge {problem.vertices} {len(problem.edges)}"]
    return "\n".join(lines + [f"e {left} {right}" for left, right in problem.edges]) + "\n"


def _count(word: str, line: int, what: str) -> int:
    count = whole_number(word, line, what)
    if count < 0:
        raise ProblemFileError(f"expected {what}, found {word!r}", line)
    return count


def _edge(left: str, right: str, vertices: int, line: int) -> Edge:
    u, v = (whole_number(word, line, "a vertex") for word in (left, right))
    if not (1 <= u <= vertices and 1 <= v <= vertices):
        raise ProblemFileError(f"expected vertices 1 to {vertices} as declared, found 'e {u} {v}'", line)
    if u == v:
        raise ProblemFileError(f"expected an edge between two vertices, found a loop at vertex {u}", line)
    return (u, v) if u < v else (v, u)
