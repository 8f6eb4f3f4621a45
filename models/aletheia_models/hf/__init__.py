"""Hugging Face models, and small students trained from scratch."""

from aletheia_models.hf.backend import HF

__all__ = ["HF"]
