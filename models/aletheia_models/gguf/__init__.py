"""The `gguf` back-end: files of llama.cpp, on a CPU."""

from aletheia_models.gguf.backend import GGUF

__all__ = ["GGUF"]
