"""The `hf` back-end: opens and trains cards with torch and transformers, which it imports only when it is used."""

import json
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from aletheia_plugins import Card, Example, MissingError, Model, ModelFileError, Progress

__all__ = ["HF"]

SAMPLE = 50_000
"""Examples whose words make up a new student's vocabulary."""


class HF:
    """Causal language models in Hugging Face's format. Weights are safetensors; nothing else is read."""

    name: ClassVar[str] = "hf"

    def open(self, card: Card) -> Model:
        _require()
        if card.weights is None or not (card.weights / "config.json").exists():
            raise MissingError(
                f"{card.name} has no weights in {card.weights}: train it with 'aletheia-bench train --model {card.name}'."
            )
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from aletheia_models.hf.generation import HFModel

        try:
            model = AutoModelForCausalLM.from_pretrained(
                card.weights, local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
            tokenizer = AutoTokenizer.from_pretrained(card.weights, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError, KeyError, json.JSONDecodeError) as error:
            raise ModelFileError(f"{card.weights} cannot be loaded: {error}") from error
        return HFModel(model.to(_device()), tokenizer, **card.settings.get("generation", {}))

    def fit(
        self, card: Card, examples: Callable[[], Iterable[Example]], out: Path, *, seed: int, progress: Progress
    ) -> Mapping[str, Any]:
        _require()
        from aletheia_models.hf.student import build_student, parameters
        from aletheia_models.hf.tokenizer import build_tokenizer
        from aletheia_models.hf.training import Recipe, train

        recipe = Recipe.of(card.settings.get("training", {}))
        tokenizer = build_tokenizer(e.prompt + e.completion for e in islice(examples(), SAMPLE))
        model = build_student(card.settings.get("architecture", {}), tokenizer, seed=seed).to(_device())
        figures = train(model, tokenizer, examples, recipe, checkpoint=out / "checkpoint", seed=seed, progress=progress)
        model.save_pretrained(out)
        tokenizer.save_pretrained(out)
        return {"parameters": parameters(model), "vocabulary": len(tokenizer), **figures}


def _require() -> None:
    for package in ("torch", "transformers"):
        try:
            import_module(package)
        except ImportError as error:
            raise MissingError(f"hf needs {package}: pip install 'aletheia-bench[hf]'") from error


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
