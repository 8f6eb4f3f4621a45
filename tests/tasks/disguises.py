"""Each task's problems in disguise: other names, another order, the same problem."""

from aletheia_tasks.coloring.problem import Problem as Graph
from aletheia_tasks.sat.problem import Problem as Formula
from aletheia_tasks.sudoku.problem import BOXES, Problem as Grid


def disguised_formula(problem, rng):
    """Variables renamed, polarities flipped, clauses and literals reordered, a clause repeated."""
    names = rng.sample(range(1, problem.variables + 1), problem.variables)
    signs = [rng.choice((-1, 1)) for _ in names]
    clauses = [
        [names[abs(literal) - 1] * signs[abs(literal) - 1] * (1 if literal > 0 else -1) for literal in clause]
        for clause in problem.clauses
    ]
    clauses += rng.sample(clauses, min(1, len(clauses)))
    rng.shuffle(clauses)
    return Formula(problem.variables, tuple(tuple(rng.sample(clause, len(clause))) for clause in clauses))


def disguised_graph(problem, rng):
    names = rng.sample(range(1, problem.vertices + 1), problem.vertices)
    edges = sorted(tuple(sorted((names[left - 1], names[right - 1]))) for left, right in problem.edges)
    return Graph(problem.vertices, tuple(edges), problem.colours)


def permuted_lines(rng, size, thickness):
    bands = [rng.sample(range(first, first + thickness), thickness) for first in range(0, size, thickness)]
    return [line for band in rng.sample(bands, len(bands)) for line in band]


def disguised_grid(problem, rng):
    """Digits renamed, lines and bands permuted, and transposed where the boxes are square."""
    size = problem.size
    height, width = BOXES[size]
    digits = [0, *rng.sample(range(1, size + 1), size)]
    rows, columns = permuted_lines(rng, size, height), permuted_lines(rng, size, width)
    grid = [[digits[problem.cells[row * size + column]] for column in columns] for row in rows]
    if height == width and rng.random() < 0.5:
        grid = list(zip(*grid, strict=True))
    return Grid(tuple(value for row in grid for value in row))


DISGUISED = {"sat": disguised_formula, "coloring": disguised_graph, "sudoku": disguised_grid}
