"""The `gguf` back-end: opens and writes files of llama.cpp. The native code is in other modules, imported when used."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from aletheia_models.gguf.header import read_header
from aletheia_models.tables import check_tables
from aletheia_plugins import Card, MissingError, Model, ModelFileError

__all__ = ["GGUF"]

OPTIONS = {"batch_size": 4, "context": 0, "processes": 0, "threads": 0, "patience": 300}
"""The card's [generation]: requests that a process writes side by side, tokens of room for each; processes, and threads
of each; seconds of silence after which a process is given up. 0: what suits the file and the machine."""
MOST = {"batch_size": 255, "patience": 86_400, "processes": 256, "threads": 256}
"""llama.cpp has 256 sequences; a day is long enough, and 256 are more than a machine can use."""
SAID: Mapping[str, type] = {"context": str, "arm": str, "max_tokens": int, "instructed": bool, "chat": bool}
"""What `export` writes of a card."""
BATCH = 512
"""Tokens that are decoded at once, at most."""
CONTEXTS = (1024, 2048)
"""For small files, and for others."""
SMALL = 64 << 20
"""Bytes of a file below which threads have too little to do: then there is a process for each core."""


class GGUF:
    """Files in llama.cpp's format, on a CPU. A file is looked through before native code sees it."""

    name: ClassVar[str] = "gguf"
    quants: ClassVar[tuple[str, ...]] = (
        "f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q5_1", "q5_0", "q4_k_m", "q4_k_s", "q4_1", "q4_0",
        "iq4_nl", "iq4_xs", "q3_k_l", "q3_k_m", "q3_k_s", "q2_k",
    )  # fmt: skip
    """Those of llama.cpp that need no importance matrix; the first three it needs no quantizer for."""

    def describe(self, where: str) -> Mapping[str, Any]:
        weights = Path(where)
        metadata = read_header(_file(weights)).metadata if weights.exists() else {}
        said: dict[str, Any] = {name: metadata[f"aletheia.{name}"] for name in SAID if f"aletheia.{name}" in metadata}
        for name, value in said.items():
            if type(value) is not SAID[name] or (isinstance(value, int) and name == "max_tokens" and value < 1):
                raise ModelFileError(f"{weights}: aletheia.{name} is {value!r}, expected {SAID[name].__name__}.")
        return {**said, "weights": weights}

    def open(self, card: Card) -> Model:
        _require("llama_cpp")
        check_tables(card)
        options = _options(card)
        if not (card.weights and card.weights.exists()):
            raise MissingError(
                f"{card.name} has no GGUF file in {card.weights}: write one with 'aletheia-bench export "
                f"--model {card.base or card.name} -o FILE' and run gguf:FILE."
            )
        file = _file(card.weights)
        header = read_header(file)
        from aletheia_models.gguf.generation import GGUFModel

        small = file.stat().st_size < SMALL
        processes = options["processes"] or (_cores() if small else 1)
        longest: Any = header.metadata.get(f"{header.architecture}.context_length")
        limit = int(longest) if type(longest) is int and longest > 0 else CONTEXTS[1]
        worker = {
            "file": str(file),
            "slots": options["batch_size"],
            "context": min(options["context"] or CONTEXTS[not small], limit),
            "threads": options["threads"] or max(1, _cores() // processes),
            "batch": max(BATCH, options["batch_size"]),
            "chat": card.chat,
            "instructed": card.instructed,
            "exact": set(header.types) <= {"f32"},
        }
        tensors = ", ".join(f"{count} {name}" for name, count in header.types.most_common())
        about: dict[str, str | int] = {"file_bytes": file.stat().st_size, "tensors": tensors}
        return GGUFModel(worker, processes=processes, patience=options["patience"], about=about)

    def export(self, card: Card, out: Path, *, quant: str) -> Mapping[str, int]:
        """See `Exporter`; a GGUF file that is not quantized yet will do as well as a folder."""
        whole = quant in self.quants[:3]
        if card.weights is None or not (card.weights.is_file() or (card.weights / "config.json").exists()):
            raise MissingError(f"{card.name} has no weights in {card.weights}: train it first.")
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out.parent) as folder:  # beside `out`, so that it can be moved there
            path = Path(folder) / "model.gguf"
            if card.weights.is_file():
                path = _whole(card.weights, quant)
            else:
                _require("gguf", "safetensors", "torch")
                from aletheia_models.gguf.convert import convert

                convert(card, path, quant if whole else "f32")
            if not whole:
                _require("llama_cpp")
                from aletheia_models.gguf.quantize import quantize

                quantize(path, path := Path(folder) / "small.gguf", quant, threads=_cores())
            path.replace(out)
        return read_header(out).types


def _whole(file: Path, quant: str) -> Path:
    """The file, if it can be written as `quant`."""
    types = set(read_header(file).types) or {"nothing"}
    if small := types - set(GGUF.quants[:3]):
        raise ModelFileError(f"{file} is quantized already ({min(small)}): write {quant} from an f16 or f32 file.")
    if quant in GGUF.quants[:3]:
        raise ModelFileError(f"{file} is a GGUF file already: choose a --quant that is smaller than {min(types)}.")
    return file


def _file(where: Path) -> Path:
    """The file, or the one in that folder."""
    files = sorted(where.glob("*.gguf")) if where.is_dir() else [where]
    if not files:
        raise MissingError(f"{where} has no GGUF file: write one with 'aletheia-bench export' and run gguf:FILE.")
    if len(files) > 1:
        raise ModelFileError(f"{where} has {len(files)} GGUF files: run one of them, such as gguf:{files[0]}.")
    return files[0]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _options(card: Card) -> dict[str, int]:
    table: Mapping[str, Any] = card.settings.get("generation", {})
    for name, value in table.items():
        least = 0 if OPTIONS.get(name) == 0 else 1
        most = MOST.get(name, 1 << 24)
        if name not in OPTIONS:
            raise ModelFileError(f"{card.source}: [generation] has no option {name!r}; it takes {', '.join(OPTIONS)}.")
        if type(value) is not int or not least <= value <= most:
            raise ModelFileError(
                f"{card.source}: [generation] {name} is {value!r}, expected a whole number from {least} to {most:,}."
            )
    return {**OPTIONS, **table}


PACKAGES = {"llama_cpp": "llama-cpp-python", "gguf": "gguf", "safetensors": "safetensors", "torch": "torch"}


def _require(*modules: str) -> None:
    missing = [PACKAGES[name] for name in modules if find_spec(name) is None]
    if missing:
        slow = ", which compiles llama.cpp (about 7 minutes on 2 cores)" if "llama-cpp-python" in missing else ""
        extra = "gguf,hf" if {"torch", "safetensors"} & set(missing) else "gguf"
        raise MissingError(f"gguf needs {' and '.join(missing)}: pip install 'aletheia-bench[{extra}]'{slow}.")
