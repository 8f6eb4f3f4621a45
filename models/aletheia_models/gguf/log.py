"""Keeps what llama.cpp reports as errors, and drops what else it says, which is a lot."""

import ctypes

import llama_cpp

__all__ = ["ERRORS", "listen"]

ERRORS: list[str] = []
LEVEL = 4
"""ggml's GGML_LOG_LEVEL_ERROR."""


def listen() -> None:
    """From now on."""
    llama_cpp.llama_log_set(_CALLBACK, ctypes.c_void_p(0))


def _hear(level: int, text: bytes, _: object) -> None:
    if level == LEVEL:
        ERRORS.append(text.decode(errors="replace").strip().rstrip("."))


_CALLBACK = llama_cpp.llama_log_callback(_hear)
"""Native code holds it, so it has to stay."""
