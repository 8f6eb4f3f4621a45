"""Where a model answers, and how it is asked: a card's [endpoint]. Knows options, not the protocol."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self
from urllib.parse import urlsplit

from aletheia_plugins import Card, ModelFileError, UsageError

__all__ = ["HOME", "Endpoint"]

VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
HOME = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A card's [endpoint] table."""

    model: str
    url: str = HOME
    key: str = "OPENAI_API_KEY"
    """The environment variable that holds the key."""
    concurrency: int = 16
    """Requests that are asked at the same time."""
    retries: int = 8
    """Further tries of a request, with pauses that double, from half a second to thirty, or as the endpoint asks."""
    timeout: float = 120.0
    """Seconds that one try may take."""

    @classmethod
    def of(cls, card: Card) -> Self:
        """Raises ModelFileError or UsageError."""
        table: Mapping[str, Any] = card.settings.get("endpoint", {})
        known: dict[str, Any] = {field.name: field.type for field in fields(cls)}
        if unknown := table.keys() - known:
            raise ModelFileError(
                f"{card.source}: [endpoint] has no option {min(unknown)!r}; it takes {', '.join(known)}."
            )
        for name, value in table.items():
            kind: Any = int | float if known[name] is float else known[name]
            if not isinstance(value, kind) or isinstance(value, bool):
                raise ModelFileError(f"{card.source}: [endpoint] {name} is {value!r}, expected {known[name].__name__}.")
            if not isinstance(value, str) and value < (0 if name == "retries" else 1):
                raise ModelFileError(f"{card.source}: [endpoint] {name} is {value}, expected a positive number.")
        if not table.get("model"):
            raise ModelFileError(f"{card.source}: [endpoint] needs model, what the endpoint calls it: openai:NAME@URL.")
        endpoint = cls(**table)
        if not VARIABLE.fullmatch(endpoint.key):
            raise UsageError(
                f"{card.source}: [endpoint] key must name an environment variable, such as OPENAI_API_KEY."
            )
        parts = urlsplit(endpoint.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{endpoint.url} is no address of an endpoint: expected such as http://localhost:8080/v1.")
        if parts.username or parts.password or parts.query:
            raise UsageError(
                f"The address of {parts.hostname} has a key in it, which a report would show: set ${endpoint.key}."
            )
        return endpoint
