"""A graph, its vertices on a circle."""

from math import cos, pi, sin

from aletheia_plugins import Assignment
from aletheia_tasks._common import svg
from aletheia_tasks.coloring.problem import Problem

__all__ = ["draw"]

RADIUS = 12
"""Of a vertex."""


def draw(problem: Problem, assignment: Assignment) -> str:
    """Coloured vertices are filled; an edge between two of the same colour is thick."""
    count = problem.vertices
    radius = 2 * RADIUS + 5 * count
    middle = radius + 2 * RADIUS
    turns = [2 * pi * number / max(1, count) for number in range(count)]
    places = [(middle + radius * sin(turn), middle - radius * cos(turn)) for turn in turns]
    colours = [assignment.get(f"v{number}") for number in range(1, count + 1)]
    shapes = []
    for left, right in problem.edges:
        (x1, y1), (x2, y2) = places[left - 1], places[right - 1]
        width = 4 if colours[left - 1] is not None and colours[left - 1] == colours[right - 1] else 1
        ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        shapes.append(f'<line {ends} stroke="black" stroke-width="{width}"/>')
    for number, ((x, y), colour) in enumerate(zip(places, colours, strict=True), 1):
        fill = _fill(colour, problem.colours)
        shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}" fill="{fill}" stroke="black"/>')
        shapes.append(f'<text x="{x:.1f}" y="{y:.1f}">{number}</text>')
    return svg(2 * middle, 2 * middle, shapes)


def _fill(colour: str | None, colours: int) -> str:
    """Hues as far apart as they can be."""
    return "white" if colour is None else f"hsl({360 * (int(colour) - 1) // max(1, colours)} 70% 70%)"
