"""Finds the pretrained model that a card is trained from. Knows paths, hashes and the hub's cache, no tensors."""

import json
import re
from hashlib import file_digest, sha256
from pathlib import Path

from aletheia_plugins import Card, MissingError, ModelFileError

__all__ = ["HUB_ID", "fingerprint", "here", "locate"]

HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
PATTERNS = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]
"""What a model of safetensors consists of; weights in other formats are not fetched."""


def here(card: Card) -> Path | None:
    """The base's folder or GGUF file, if it is on this machine: a path, from here or from the card; or in the cache."""
    for place in _places(card):
        if place.exists():
            return place
    if not HUB_ID.fullmatch(card.base):
        return None
    try:
        found = _snapshot(card.base, local=True)
        return found if _whole(found) else None
    except (OSError, ValueError, LookupError, TypeError):  # an index may be damaged, too
        return None


def locate(card: Card, *, size: str = "") -> Path:
    """The same, or what the hub has of it. `size` is told to whom it is missing. Raises MissingError."""
    if not card.base:
        raise ModelFileError(f"{card.source}: {card.name} names no base: give base = 'PATH-OR-ID', or -M base=PATH.")
    if found := here(card):
        return found
    if not HUB_ID.fullmatch(card.base):
        places = " and no ".join(map(str, _places(card)))
        raise MissingError(f"{card.name} needs its base {card.base}{size}, and there is no {places}.")
    from huggingface_hub import constants

    try:
        return _snapshot(card.base, local=False)
    except (OSError, ValueError) as error:
        raise MissingError(
            f"{card.name} needs its base {card.base}{size}: there is no such folder here, it is not in the cache "
            f"{constants.HF_HUB_CACHE}, and it cannot be fetched ({type(error).__name__}). "
            f"Get it with 'hf download {card.base}', or name a copy with -M base=PATH."
        ) from error


def _places(card: Card) -> list[Path]:
    return list(dict.fromkeys([Path(card.base), card.source.parent / card.base])) if card.base else []


def _whole(folder: Path) -> bool:
    """Whether all weights are there: a download may have been interrupted."""
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return (folder / "model.safetensors").exists()
    return all(
        (folder / name).exists() for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
    )


def _snapshot(name: str, *, local: bool) -> Path:
    """Raises OSError or ValueError, which all errors of the hub are."""
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(name, allow_patterns=PATTERNS, local_files_only=local))


def fingerprint(base: Path) -> str:
    """SHA-256 of a GGUF file; of a folder, that of its weights' names and digests in alphabetical order."""
    if base.is_file():
        return _digest(base)
    total = sha256()
    for path in sorted(base.glob("*.safetensors")):
        total.update(f"{path.name}\0{_digest(path)}\n".encode())
    return total.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
