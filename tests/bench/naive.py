"""A second opinion on traces, written from the design's words and the grammar alone, as plainly as possible.

It shares no code with the checker, the parser or the search, and where the checker asks the task what is falsified,
this one counts the bounds of the CSP, and tries whatever is open of its other constraints. It says yes or no to a whole
trace. Not known here: the names that a task knows beside those in its CSP (an edge from its other end, a clue, a
tautology).
"""

import itertools
import re
from collections import Counter

from aletheia_plugins import AllDifferent, Clause, Linear, NotEqual, Predicate, Table

NAME, LITERAL = r"(\S+(?: \S+)*?)", r"[^\W_]+!?=[^\W_]+"
GRAMMAR = {
    "state": rf"state: (-|(?:{LITERAL}|\|)(?: (?:{LITERAL}|\|))*)",
    "decide": rf"decide ({LITERAL})",
    "imply": rf"imply {NAME} :((?: {LITERAL})*) -> ({LITERAL})",
    "conflict": rf"conflict {NAME} :((?: {LITERAL})*)",
    "backtrack": r"backtrack ([^\W_]+)",
    "unsat": r"answer: UNSAT",
    "sat": rf"answer: SAT((?: {LITERAL})*)",
}


class Wrong(Exception):
    """The trace is no proof; says what is wrong first."""


def need(condition, what):
    if not condition:
        raise Wrong(what)


def accepts(csp, text):
    """Whether every line of the trace is right and the last one is an answer."""
    return objection(csp, text) is None


def objection(csp, text):
    """What is wrong with the trace first, or None."""
    replay = Replay(csp)
    try:
        for line in text.removesuffix("\n").split("\n"):
            replay.follow(line)
        need(replay.answered, "no answer")
    except Wrong as wrong:
        return str(wrong)
    return None


class Replay:
    """A state as a list of levels, each a list of (variable, "=" or "!=", value), and nothing else."""

    def __init__(self, csp):
        self.domains = csp.domains
        self.names = {constraint.name for constraint in csp.constraints}
        self.others = [c for c in csp.constraints if isinstance(c, Linear | Table | Predicate)]
        self.bounds = [(c.name, b) for c in csp.constraints if c not in self.others for b in c.bounds(csp.domains)]
        self.touching = {}
        for number, (_, bound) in enumerate(self.bounds):
            for pair in set(bound.pairs):
                self.touching.setdefault(pair, []).append(number)
        self.levels = []
        self.due = [[(v, "=", values[0]) for v, values in csp.domains.items() if len(values) == 1]]
        self.conflict = self.answered = False

    def follow(self, line):
        matches = {kind: match for kind, pattern in GRAMMAR.items() if (match := re.fullmatch(pattern, line))}
        need(matches, "not a line of the grammar")
        ((kind, match),) = matches.items()
        need(not self.answered, "nothing follows an answer")
        need((kind == "state") == (self.due is not None), "a state stands first and after each backtrack only")
        need(not self.conflict or kind in ("backtrack", "unsat"), "a conflict ends its branch")
        getattr(self, f"on_{kind}")(*match.groups())

    # --- the state ---

    def values(self):
        return {variable: value for level in self.levels for variable, sign, value in level if sign == "="}

    def excluded(self, variable, value):
        return any((variable, "!=", value) in level for level in self.levels)

    def literals(self, text):
        found = []
        for word in text.split():
            variable, sign, value = re.fullmatch(r"([^\W_]+)(!?=)([^\W_]+)", word).groups()
            need(value in self.domains.get(variable, ()), "no such variable or value")
            found.append((variable, sign, value))
        return found

    def assignment(self, text):
        found = self.literals(text)
        need(all(sign == "=" for _, sign, _ in found), "an exclusion where a value is expected")
        return found

    def cited(self, text):
        cites = self.literals(text)
        values = self.values()
        for variable, sign, value in cites:
            holds = values.get(variable) == value if sign == "=" else self.excluded(variable, value)
            need(holds, "cites what does not hold")
        return cites

    # --- the truth ---

    def broken(self, assignment):
        """The names of all constraints of which a bound is exceeded, or that nothing open can mend."""
        counts = Counter(number for pair in assignment.items() for number in self.touching.get(pair, ()))
        always = {name for name, bound in self.bounds if bound.limit < 0}
        always |= {other.name for other in self.others if not holds(other, assignment, self.domains)}
        return always | {self.bounds[n][0] for n, count in counts.items() if count > self.bounds[n][1].limit}

    def ruled_out(self, variable, value, cites, name):
        """Whether the variable cannot have the value: excluded, it has another, or it breaks `name` (or any)."""
        if (variable, "!=", value) in cites or any(v == variable and s == "=" and x != value for v, s, x in cites):
            return True
        tried = {v: x for v, sign, x in cites if sign == "="} | {variable: value}
        broken = self.broken(tried)
        return name in broken if name else bool(broken)

    # --- the lines ---

    def on_state(self, text):
        levels = [[]]
        for word in [] if text == "-" else text.split():
            if word == "|":
                levels.append([])
            else:
                levels[-1] += self.literals(word)
        need(levels == self.due, "not the state that the search is in")
        self.levels, self.due = levels, None

    def on_decide(self, text):
        ((variable, _, value),) = self.assignment(text)
        need(variable not in self.values(), "decides what is assigned")
        need(not self.excluded(variable, value), "decides what is excluded")
        self.levels.append([(variable, "=", value)])

    def on_imply(self, name, cites, text):
        ((variable, _, value),) = self.assignment(text)
        need(variable not in self.values(), "implies what is assigned")
        cites = self.cited(cites)
        readings = ([name] if name in self.names else []) + ([None] if name == variable else [])
        others = [other for other in self.domains[variable] if other != value]
        forced = (all(self.ruled_out(variable, other, cites, reading) for other in others) for reading in readings)
        need(any(forced), "the reason does not force the value")
        self.levels[-1].append((variable, "=", value))

    def on_conflict(self, name, cites):
        cites = self.cited(cites)
        held = {variable: value for variable, sign, value in cites if sign == "="}
        falsified = name in self.broken(held)
        empty = name in self.domains and all(self.ruled_out(name, v, cites, None) for v in self.domains[name])
        need(falsified or empty, "no conflict")
        self.conflict = True

    def on_backtrack(self, variable):
        need(self.conflict, "backtracks without a conflict")
        need(len(self.levels) > 1, "backtracks from no decision")
        *rest, (decision, *_) = self.levels
        need(variable == decision[0], "backtracks to another decision")
        _, _, value = decision
        exclusions = {x for level in rest for v, sign, x in level if v == variable and sign == "!="}
        left = [x for x in self.domains[variable] if x != value and x not in exclusions]
        lesson = (variable, "=", left[0]) if len(left) == 1 else (variable, "!=", value)
        self.due = [*rest[:-1], [*rest[-1], lesson]]
        self.conflict = False

    def on_unsat(self):
        need(self.conflict, "UNSAT without a conflict")
        need(len(self.levels) == 1, "UNSAT below a decision")
        self.answered = True

    def on_sat(self, text):
        answer = self.assignment(text)
        found = {variable: value for variable, _, value in answer}
        need(len(answer) == len(found) == len(self.domains), "not one value for each variable")
        need(not self.broken(found), "no solution")
        need(found == self.values(), "not the assignment that the search is at")
        self.answered = True


# --- problems without a task ---


class Toy:
    """A task whose problems are CSPs of any kind; only what a checker asks for."""

    name = "toy"

    def domains(self, problem):
        return problem.domains

    def csp(self, problem):
        return problem

    def falsified(self, problem, assignment, named=None):
        constraints = {constraint.name: constraint for constraint in problem.constraints}
        for name in constraints if named is None else [named]:
            if not holds(constraints[name], assignment, problem.domains):
                return name
        return None


def holds(constraint, assignment, domains):
    """Whether a partial assignment leaves the constraint a chance, read off its meaning."""
    match constraint:
        case Clause(falsifiers=pairs):
            return not all(assignment.get(variable) == value for variable, value in pairs)
        case AllDifferent(variables=variables):
            values = [assignment[v] for v in variables if v in assignment]
            return len(values) == len(set(values))
        case NotEqual(left=left, right=right):
            return left not in assignment or assignment[left] != assignment.get(right)
        case Linear(terms=terms) | Table(variables=terms) | Predicate(variables=terms):
            return any(satisfied(constraint, found) for found in completions(terms, assignment, domains))
    raise TypeError(constraint)


def completions(terms, assignment, domains):
    """All ways to give the variables of a constraint values, of a sum with their factors, that keep the assignment."""
    names = [term[1] if isinstance(term, tuple) else term for term in terms]
    return itertools.product(*([assignment[v]] if v in assignment else domains[v] for v in names))


def satisfied(constraint, values):
    match constraint:
        case Linear(terms=terms, relation=relation, total=total):
            found = sum(factor * int(value) for (factor, _), value in zip(terms, values, strict=True))
            return {"<=": found <= total, "=": found == total, ">=": found >= total}[relation]
        case Table(allowed=allowed):
            return values in allowed
        case Predicate(test=test):
            return test(*values)


def solutions(csp):
    """All of them, by trying every assignment."""
    for values in itertools.product(*csp.domains.values()):
        assignment = dict(zip(csp.domains, values, strict=True))
        if all(holds(constraint, assignment, csp.domains) for constraint in csp.constraints):
            yield assignment
