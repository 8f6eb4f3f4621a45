"""Makes a GGUF file smaller with llama.cpp's own quantizer. Knows the names of its kinds, not what is in the file."""

import ctypes
from pathlib import Path

import llama_cpp

from aletheia_models.gguf import log
from aletheia_plugins import AletheiaError

__all__ = ["quantize"]


def quantize(source: Path, out: Path, kind: str, *, threads: int) -> None:
    """Write `source`, an f32 or f16 file, to `out`; `kind` is one of llama.cpp's names, such as q4_k_m."""
    log.listen()
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind.upper()}")
    params.nthread = threads
    status = llama_cpp.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(params))
    if status:
        raise AletheiaError(f"llama.cpp could not write {out} as {kind} (status {status}): is there room on the disk?")
