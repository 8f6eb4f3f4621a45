"""Models behind endpoints that speak OpenAI's protocol."""

from aletheia_models.openai.backend import OpenAI

__all__ = ["OpenAI"]
