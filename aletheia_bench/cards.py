"""Reads model cards, and finds what `--model` names. Knows TOML and hashes, not what a back-end makes of a card.

name = "aletheia-tiny"          backend = "hf"         context = "folded"       arm = "backtracking"
control = "..."                 max_tokens = 4096      base = "..."             chat = false
[weights]                       path, relative to the card, and sha256
[data]                          tasks, levels, count, shares: what it is trained on; all else there: how
[...]                           all other tables are the back-end's own
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, get_args

from aletheia_bench.arms import arm
from aletheia_bench.shapes import described
from aletheia_plugins import Card, ContextKind, Describing, MissingError, ModelFileError, UnknownNameError, UsageError
from aletheia_plugins.loading import Plugins

__all__ = ["digest", "find", "override", "read", "verify"]

PLAIN: Mapping[str, type] = {
    "name": str, "backend": str, "context": str, "arm": str, "control": str, "max_tokens": int, "instructed": bool,
    "chat": bool, "base": str,
}  # fmt: skip
WEIGHTS: Mapping[str, type] = {"path": str, "sha256": str}
DATA: Mapping[str, type] = {
    "tasks": list,
    "levels": list,
    "count": int,
    "shares": dict,
    "names": dict,
    "exercises": int,
    "detours": int,
    "disguises": int,
    "turns": int,
}
MAY_BE_ZERO = ("shares", "exercises", "detours", "disguises", "turns")
STUDENT = {"context": "folded"}
STRANGER = {"context": "cumulative", "instructed": True, "chat": True}
"""How those are read that say nothing of it."""


def find(plugins: Plugins, spec: str) -> Card:
    """The card that `--model` names: a card's name, a TOML file, or BACKEND:WHERE, such as hf:PATH."""
    if spec in plugins.cards:
        return read(plugins.cards[spec])
    if spec.endswith(".toml"):
        return read(Path(spec))
    backend, colon, where = spec.partition(":")
    if not colon:
        raise UnknownNameError("model", spec, plugins.cards)
    opener = plugins.backend(backend)
    safe = re.sub(r"[^A-Za-z0-9.-]+", "-", where).strip("-.")
    said: dict[str, Any] = (
        described(opener, where) if isinstance(opener, Describing) else {"weights": Path(where), **STUDENT}
    )
    if "context" not in said:
        said |= STRANGER
    source = Path(where)
    if said.get("weights") and not said["weights"].exists():
        raise MissingError(f"{spec}: there is no {said['weights']}; expected a folder or file of weights.")
    return Card(f"{backend}-{safe}", backend, source, **_sound(source, said))


def read(path: Path) -> Card:
    """The card in a TOML file. Raises ModelFileError naming the file and what was expected."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelFileError(f"{path} is not a readable card: {error}") from error
    weights, data = table.pop("weights", {}), table.pop("data", {})
    settings = {key: value for key, value in table.items() if isinstance(value, dict)}
    plain = {key: value for key, value in table.items() if key not in settings}
    for part, known, where in ((plain, PLAIN, ""), (weights, WEIGHTS, "weights"), (data, DATA, "data")):
        _check(path, part, known, where)
    if missing := [key for key in ("name", "backend") if key not in plain]:
        raise ModelFileError(f"{path}: a card needs {missing[0]}.")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", plain["name"]):
        raise ModelFileError(
            f"{path}: name is {plain['name']!r}, expected lower-case letters, digits, dots and hyphens."
        )
    return Card(
        **_sound(path, plain),
        source=path,
        weights=path.parent / weights["path"] if "path" in weights else None,
        sha256=weights.get("sha256"),
        **_learnt(data),
        settings=settings,
    )


def _learnt(data: Mapping[str, Any]) -> dict[str, Any]:
    """A card's fields, of its table [data]."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}


def override(card: Card, options: Iterable[str]) -> Card:
    """The card with other options, each written TABLE.OPTION=VALUE, the value as in TOML or a word.

    Which tables and options there are beside [data], the back-end knows. base=PATH is another base.
    """
    data: dict[str, Any] = {}
    settings = {name: dict(table) for name, table in card.settings.items()}
    for option in options:
        place, equals, value = option.partition("=")
        if place == "base" and value:
            if not card.base:
                raise UsageError(f"{card.name} is trained from no other model: base={value} says nothing of it.")
            card = replace(card, base=str(_value(value)))
            continue
        table, dot, name = place.partition(".")
        if not (equals and dot and name):
            raise UsageError(
                f"{option!r} is no option of a card; expected base=PATH or TABLE.OPTION=VALUE: training.tokens=1000000."
            )
        (data if table == "data" else settings.setdefault(table, {}))[name] = _value(value)
    try:
        _check("-M", data, DATA, "data")
    except ModelFileError as error:
        raise UsageError(str(error)) from None
    return replace(card, **_learnt(data), settings=settings)


def _value(text: str) -> Any:
    """As in TOML, or the word itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _sound(path: Path, plain: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same, if context and arm are known ones."""
    if plain.get("context", "folded") not in get_args(ContextKind):
        raise ModelFileError(f"{path}: context is {plain['context']!r}, expected {' or '.join(get_args(ContextKind))}.")
    arm(plain.get("arm", "backtracking"))
    return plain


def _check(path: Path | str, part: Any, known: Mapping[str, type], where: str) -> None:
    if not isinstance(part, dict):
        raise ModelFileError(f"{path}: {where} is {part!r}, expected a table [{where}].")
    dot = where and where + "."
    for key, value in part.items():
        if key not in known:
            raise ModelFileError(f"{path}: unknown key {dot}{key}; known: {', '.join(dot + k for k in known)}.")
        if type(value) is not known[key]:
            raise ModelFileError(f"{path}: {dot}{key} is {value!r}, expected {known[key].__name__}.")
        least = 0 if key in MAY_BE_ZERO else 1
        if type(value) is int and value < least:
            raise ModelFileError(f"{path}: {dot}{key} is {value}, expected {least} or more.")
        if isinstance(value, list) and not all(isinstance(name, str) for name in value):
            raise ModelFileError(f"{path}: {dot}{key} is {value!r}, expected a list of names.")
        if isinstance(value, dict) and not all(type(number) is int and number >= least for number in value.values()):
            raise ModelFileError(f"{path}: {dot}{key} is {value!r}, expected whole numbers of {least} or more.")


def verify(card: Card) -> str | None:
    """The digest of the card's weights, None if it has none yet. Raises ModelFileError if it is not the card's."""
    if card.weights is None or not card.weights.exists():
        return None
    found = digest(card.weights)
    if card.sha256 and found != card.sha256:
        raise ModelFileError(
            f"{card.weights} has SHA-256 {found}, the card {card.source} says {card.sha256}: the weights were "
            f"changed or damaged; install the package again, or write the new hash into the card."
        )
    return found


def digest(weights: Path) -> str:
    """SHA-256 of a file, or of a folder's names and files in alphabetical order, but for what tells about them."""
    if weights.is_file():
        with weights.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    total = sha256()
    for path in sorted(weights.iterdir()):
        if path.is_file() and path.name not in ("README.md", "training.json"):
            total.update(f"{path.name}\0{sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()
