"""Ways to spoil a trace.

Each takes a random generator, the lines of a trace and its CSP, and returns other lines, or None where it does not
apply. What comes out may still be right: a checker has to know.
"""

import re

OPERATORS = {}


def operator(function):
    OPERATORS[function.__name__] = function
    return function


def mutant(rng, text, csp):
    """The name of an operator, and a text that differs from `text` by it."""
    while True:
        name = rng.choice(list(OPERATORS))
        lines = OPERATORS[name](rng, text.splitlines(), csp)
        changed = None if lines is None else "\n".join(lines) + "\n"
        if changed is not None and changed != text:
            return name, changed


def pick(rng, lines, *keywords):
    """The number of a random line that starts with one of the keywords, or None."""
    found = [number for number, line in enumerate(lines) if line.startswith(keywords)]
    return rng.choice(found) if found else None


def replaced(lines, number, *others):
    return [*lines[:number], *others, *lines[number + 1 :]]


def any_literal(rng, csp):
    variable = rng.choice(list(csp.domains))
    return f"{variable}={rng.choice(csp.domains[variable])}"


def revalued(rng, word, csp):
    """The literal with another value of its variable."""
    variable, _, value = word.partition("=")
    others = [other for other in csp.domains.get(variable.removesuffix("!"), ()) if other != value]
    return f"{variable}={rng.choice(others)}" if others else word


def reworded(rng, line, change):
    """The line with `change` applied to one of its literals."""
    words = line.split(" ")
    places = [place for place, word in enumerate(words) if "=" in word]
    if not places:
        return line
    place = rng.choice(places)
    return " ".join([*words[:place], *change(words[place]), *words[place + 1 :]])


def split_reason(line):
    """Keyword, name, cites and what follows: of an imply or a conflict line."""
    keyword, _, rest = line.partition(" ")
    name, _, rest = rest.partition(" :")
    cites, arrow, implied = rest.partition(" -> ")
    return keyword, name, cites.split(), arrow + implied


def join_reason(keyword, name, cites, tail):
    return " ".join([keyword, name, ":", *cites]) + tail


def with_reason(rng, lines, change):
    """Change the name or the cites of a random imply or conflict line."""
    number = pick(rng, lines, "imply", "conflict")
    if number is None:
        return None
    return replaced(lines, number, join_reason(*change(*split_reason(lines[number]))))


# --- lines ---


@operator
def drop_line(rng, lines, csp):
    return replaced(lines, rng.randrange(len(lines)))


@operator
def duplicate_line(rng, lines, csp):
    number = rng.randrange(len(lines))
    return replaced(lines, number, lines[number], lines[number])


@operator
def move_line(rng, lines, csp):
    lines = lines.copy()
    line = lines.pop(rng.randrange(len(lines)))
    lines.insert(rng.randrange(len(lines) + 1), line)
    return lines


@operator
def swap_lines(rng, lines, csp):
    one = rng.randrange(len(lines))
    other = min(one + 1, len(lines) - 1) if rng.random() < 0.5 else rng.randrange(len(lines))
    lines = lines.copy()
    lines[one], lines[other] = lines[other], lines[one]
    return lines


@operator
def truncate(rng, lines, csp):
    text = "\n".join(lines)
    return text[: rng.randrange(len(text))].split("\n")


# --- decisions and implications ---


@operator
def other_decision(rng, lines, csp):
    number = pick(rng, lines, "decide")
    if number is None:
        return None
    return replaced(lines, number, reworded(rng, lines[number], lambda word: [revalued(rng, word, csp)]))


@operator
def extra_decision(rng, lines, csp):
    number = rng.randrange(1, len(lines))
    return replaced(lines, number, f"decide {any_literal(rng, csp)}", lines[number])


@operator
def implication_decided(rng, lines, csp):
    """Right as far as it goes, but a level too many."""
    number = pick(rng, lines, "imply")
    if number is None:
        return None
    return replaced(lines, number, "decide " + lines[number].rpartition(" -> ")[2])


@operator
def decision_implied(rng, lines, csp):
    number = pick(rng, lines, "decide")
    if number is None:
        return None
    literal = lines[number].partition(" ")[2]
    name = rng.choice([literal.partition("=")[0], *(constraint.name for constraint in csp.constraints)])
    return replaced(lines, number, f"imply {name} : -> {literal}")


@operator
def other_implied_value(rng, lines, csp):
    number = pick(rng, lines, "imply")
    if number is None:
        return None
    because, _, implied = lines[number].rpartition(" -> ")
    return replaced(lines, number, f"{because} -> {revalued(rng, implied, csp)}")


# --- reasons ---


@operator
def other_name(rng, lines, csp):
    names = [constraint.name for constraint in csp.constraints]
    return with_reason(rng, lines, lambda keyword, _, *rest: (keyword, rng.choice(names), *rest))


@operator
def variable_as_name(rng, lines, csp):
    def change(keyword, name, cites, tail):
        own = tail[4:].partition("=")[0]
        return keyword, own if own and rng.random() < 0.5 else rng.choice(list(csp.domains)), cites, tail

    return with_reason(rng, lines, change)


@operator
def hallucinated_name(rng, lines, csp):
    """One word of a name is replaced by one of another name, so that no constraint has these words in any order."""
    known = {tuple(sorted(parts(constraint.name))) for constraint in csp.constraints}

    def change(keyword, name, *rest):
        words = parts(name)
        for _ in range(20):
            place, other = rng.randrange(len(words)), rng.choice(parts(rng.choice(csp.constraints).name))
            changed = [*words[:place], rng.choice([other, f"{other}0"]), *words[place + 1 :]]
            if tuple(sorted(changed)) not in known and changed[0] not in csp.domains:
                return keyword, name.replace(words[place], changed[place], 1), *rest
        return keyword, "nothing", *rest

    return with_reason(rng, lines, change)


def parts(name):
    return re.findall(r"\w+", name)


@operator
def dropped_cite(rng, lines, csp):
    def change(keyword, name, cites, tail):
        place = rng.randrange(len(cites)) if cites else 0
        return keyword, name, cites[:place] + cites[place + 1 :], tail

    return with_reason(rng, lines, change)


@operator
def foreign_cite(rng, lines, csp):
    def change(keyword, name, cites, tail):
        foreign, cites = any_literal(rng, csp), cites.copy()
        if rng.random() < 0.3:
            foreign = foreign.replace("=", "!=")
        if cites and rng.random() < 0.5:
            cites[rng.randrange(len(cites))] = foreign
        else:
            cites.insert(rng.randrange(len(cites) + 1), foreign)
        return keyword, name, cites, tail

    return with_reason(rng, lines, change)


@operator
def other_cited_value(rng, lines, csp):
    def change(keyword, name, cites, tail):
        if not cites:
            return keyword, name, cites, tail
        place = rng.randrange(len(cites))
        return keyword, name, [*cites[:place], revalued(rng, cites[place], csp), *cites[place + 1 :]], tail

    return with_reason(rng, lines, change)


# --- conflicts and backtracks ---


@operator
def imagined_conflict(rng, lines, csp):
    """A conflict is claimed where none is, in the words of another one or of the constraint itself."""
    number = rng.randrange(1, len(lines))
    real = pick(rng, lines, "conflict")
    if real is not None and rng.random() < 0.5:
        claim = lines[real]
    else:
        constraint = rng.choice(csp.constraints)
        bound = rng.choice(list(constraint.bounds(csp.domains)))
        claim = join_reason("conflict", constraint.name, [f"{v}={x}" for v, x in bound.pairs[: bound.limit + 1]], "")
    return replaced(lines, number, claim) if rng.random() < 0.5 else replaced(lines, number, claim, lines[number])


@operator
def other_target(rng, lines, csp):
    number = pick(rng, lines, "backtrack")
    if number is None:
        return None
    decided = [line[7:].partition("=")[0] for line in lines[:number] if line.startswith("decide")]
    return replaced(lines, number, f"backtrack {rng.choice([*decided, *csp.domains])}")


@operator
def backtrack_omitted(rng, lines, csp):
    """With its state, and sometimes with its conflict."""
    number = pick(rng, lines, "backtrack")
    if number is None:
        return None
    return lines[: number - rng.randrange(2)] + lines[number + 2 :]


# --- states ---


@operator
def stale_state(rng, lines, csp):
    """An earlier state in place of this one, or where none is due."""
    number, earlier = pick(rng, lines, "state:"), pick(rng, lines, "state:")
    if number is None:
        return None
    if rng.random() < 0.5:
        return replaced(lines, number, lines[earlier])
    number = rng.randrange(1, len(lines))
    return replaced(lines, number, lines[earlier], lines[number])


def with_state(rng, lines, change):
    number = pick(rng, lines, "state:")
    return None if number is None else replaced(lines, number, change(lines[number]))


@operator
def flipped_in_state(rng, lines, csp):
    def change(word):
        if rng.random() < 0.3:
            return [word.replace("!=", "=") if "!=" in word else word.replace("=", "!=")]
        return [revalued(rng, word, csp)]

    return with_state(rng, lines, lambda line: reworded(rng, line, change))


@operator
def dropped_from_state(rng, lines, csp):
    return with_state(rng, lines, lambda line: reworded(rng, line, lambda word: []))


@operator
def added_to_state(rng, lines, csp):
    return with_state(rng, lines, lambda line: f"{line.removesuffix(' -')} {any_literal(rng, csp)}")


@operator
def bar_removed(rng, lines, csp):
    return with_state(
        rng,
        lines,
        lambda line: line.replace(" |", "", 1) if rng.random() < 0.5 else line[::-1].replace("| ", "", 1)[::-1],
    )


@operator
def shuffled_state(rng, lines, csp):
    def change(line):
        keyword, *words = line.split(" ")
        if not words:
            return line
        one, other = rng.randrange(len(words)), rng.randrange(len(words))
        words[one], words[other] = words[other], words[one]
        return " ".join([keyword, *words])

    return with_state(rng, lines, change)


# --- answers ---


@operator
def early_unsat(rng, lines, csp):
    """After a conflict, or anywhere."""
    number = pick(rng, lines, "conflict") if rng.random() < 0.7 else rng.randrange(len(lines))
    return None if number is None else [*lines[: number + 1], "answer: UNSAT"]


@operator
def early_sat(rng, lines, csp):
    """Before the last steps, with the right assignment or any."""
    number = rng.randrange(1, len(lines))
    words = [f"{variable}={rng.choice(values)}" for variable, values in csp.domains.items()]
    answer = lines[-1] if lines[-1].startswith("answer: SAT") else " ".join(["answer: SAT", *words])
    return [*lines[:number], answer]


@operator
def other_answer(rng, lines, csp):
    if not lines[-1].startswith("answer: SAT"):
        return None
    return [
        *lines[:-1],
        reworded(rng, lines[-1], lambda word: rng.choice([[], [revalued(rng, word, csp)], [word, word]])),
    ]


@operator
def flipped_verdict(rng, lines, csp):
    if lines[-1].startswith("answer: SAT"):
        return [*lines[:-1], "answer: UNSAT"]
    words = [f"{variable}={rng.choice(values)}" for variable, values in csp.domains.items()]
    return [*lines[:-1], " ".join(["answer: SAT", *words])]
