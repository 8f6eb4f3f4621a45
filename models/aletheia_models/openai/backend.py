"""The `openai` back-end: opens cards that name an endpoint."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, ClassVar

from aletheia_models.openai.endpoint import HOME, Endpoint
from aletheia_plugins import Card, MissingError, Model, ModelFileError, UsageError

__all__ = ["OpenAI"]


class OpenAI:
    """vLLM, SGLang, llama-server and hosted models: whatever answers at /chat/completions, or /completions."""

    name: ClassVar[str] = "openai"

    def describe(self, where: str) -> Mapping[str, Any]:
        """WHERE is NAME@URL, or NAME alone for OpenAI's own; a stranger to traces."""
        name, at, url = where.rpartition("@")
        return {"settings": {"endpoint": {"model": name if at else where, "url": url if at else HOME}}}

    def open(self, card: Card) -> Model:
        if find_spec("openai") is None:
            raise MissingError("openai needs openai: pip install 'aletheia-bench[openai]'")
        if unknown := card.settings.keys() - {"endpoint"}:
            raise ModelFileError(f"{card.source}: unknown table [{min(unknown)}]; known: endpoint.")
        endpoint = Endpoint.of(card)
        from aletheia_models.openai.client import EndpointModel

        key = os.environ.get(endpoint.key, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise UsageError(f"${endpoint.key} has characters that no key has: set it anew.")
        return EndpointModel(endpoint, key, chat=card.chat)
