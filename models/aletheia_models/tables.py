"""What built-in back-ends ask of cards alike. Knows names of tables, not their options."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aletheia_plugins import Card, ModelFileError

__all__ = ["check_tables", "trained"]

TABLES = ("architecture", "training", "generation")


def check_tables(card: Card, *more: str) -> None:
    """Raises ModelFileError if the card has others."""
    known = (*TABLES, *more)
    if unknown := card.settings.keys() - known:
        raise ModelFileError(f"{card.source}: unknown table [{min(unknown)}]; known: {', '.join(known)}.")


def trained(weights: Path) -> Mapping[str, Any]:
    """What a training wrote of the card beside the weights; nothing, if they were not trained here."""
    path = weights / "training.json"
    if not path.exists():
        return {}
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return {"context": str(said["context"]), "arm": str(said["arm"]), "chat": said["chat"] is True}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path} is not what a training writes ({error!r}): mend or delete it.") from error
