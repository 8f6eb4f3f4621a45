"""Makes a GGUF file smaller with llama.cpp's own quantizer, in a process of its own.

    python -m aletheia_models.gguf.quantize SOURCE OUT KIND THREADS

Knows the names of its kinds, not what is in the file.
"""

import ctypes
import subprocess
import sys
from pathlib import Path

from aletheia_plugins import AletheiaError

__all__ = ["quantize"]


def quantize(source: Path, out: Path, kind: str, *, threads: int) -> None:
    """Write `source`, an f32, f16 or bf16 file, to `out`; `kind` is one of llama.cpp's names, such as q4_k_m."""
    command = [sys.executable, "-m", __name__, str(source), str(out), kind, str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it does not say why"]
        raise AletheiaError(f"llama.cpp could not write {out} as {kind} (exit code {done.returncode}): {said[-1]}.")


def main(source: str, out: str, kind: str, threads: str) -> None:
    import llama_cpp

    from aletheia_models.gguf import log

    log.listen()
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind.upper()}")
    params.nthread = int(threads)
    if llama_cpp.llama_model_quantize(source.encode(), out.encode(), ctypes.byref(params)):
        sys.exit("; ".join(log.ERRORS))


if __name__ == "__main__":
    main(*sys.argv[1:])
