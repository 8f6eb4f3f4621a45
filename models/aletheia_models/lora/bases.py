"""Finds the pretrained model that a card is trained from. Knows paths, hashes and the hub's cache, no tensors."""

import re
from hashlib import file_digest, sha256
from pathlib import Path

from aletheia_plugins import Card, MissingError, ModelFileError

__all__ = ["fingerprint", "locate"]

HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
PATTERNS = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]
"""What a model of safetensors consists of; weights in other formats are not fetched."""


def locate(card: Card, *, size: str = "") -> Path:
    """The base's folder or GGUF file: a path, seen from here or from the card; else in the cache; else from the hub.

    `size` is told to whom it is missing. Raises MissingError.
    """
    if not card.base:
        raise ModelFileError(f"{card.source}: {card.name} names no base: give base = 'PATH-OR-ID', or -M base=PATH.")
    places = [Path(card.base), card.source.parent / card.base]
    for place in places:
        if place.exists():
            return place
    if not HUB_ID.fullmatch(card.base):
        raise MissingError(
            f"{card.name} needs its base {card.base}, and there is no {' and no '.join(map(str, places))}."
        )
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    for local in (True, False):
        try:
            return Path(snapshot_download(card.base, allow_patterns=PATTERNS, local_files_only=local))
        except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
            cause = error
    raise MissingError(
        f"{card.name} needs its base {card.base}{size}: it is not in {places[0]}, nor in {places[1]}, nor in the cache "
        f"{constants.HF_HUB_CACHE}, and cannot be fetched ({type(cause).__name__}). "
        f"Get it with 'hf download {card.base}', or name a copy with -M base=PATH."
    )


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
