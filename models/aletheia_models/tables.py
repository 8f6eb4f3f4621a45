"""The tables of a card that built-in back-ends read. Knows their names, not their options."""

from aletheia_plugins import Card, ModelFileError

__all__ = ["check_tables"]

TABLES = ("architecture", "training", "generation")


def check_tables(card: Card) -> None:
    """Raises ModelFileError if the card has others."""
    if unknown := card.settings.keys() - TABLES:
        raise ModelFileError(f"{card.source}: unknown table [{min(unknown)}]; known: {', '.join(TABLES)}.")
