"""The built-in back-ends and cards, registered through the same door as a stranger's."""

from collections.abc import Sequence
from pathlib import Path

from aletheia_models.gguf import GGUF
from aletheia_models.hf import HF
from aletheia_models.lora import LoRA
from aletheia_models.openai import OpenAI
from aletheia_plugins import Backend, hookimpl


@hookimpl
def aletheia_backends() -> Sequence[type[Backend]]:
    return [GGUF, HF, LoRA, OpenAI]


@hookimpl
def aletheia_cards() -> Sequence[Path]:
    return sorted((Path(__file__).parent / "cards").glob("*.toml"))
