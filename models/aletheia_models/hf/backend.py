"""The `hf` back-end: opens and trains cards with torch and transformers, which it imports only when it is used."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from aletheia_models.hf.helpers import each
from aletheia_models.packages import device, require
from aletheia_models.tables import check_tables, trained
from aletheia_plugins import Card, Example, MissingError, Model, ModelFileError, Progress

__all__ = ["HF"]

SAMPLE = 30_000
"""About as many examples make up a new student's vocabulary."""


class HF:
    """Causal language models in Hugging Face's format. Weights are safetensors; nothing else is read."""

    name: ClassVar[str] = "hf"

    def open(self, card: Card) -> Model:
        require("hf")
        if card.weights is None or not (card.weights / "config.json").exists():
            raise MissingError(
                f"{card.name} has no weights in {card.weights}: "
                f"train it with 'aletheia-bench train --model {card.name} -o FOLDER' and run hf:FOLDER."
            )
        from aletheia_models.hf.generation import HFModel
        from aletheia_models.hf.loading import load_model, load_tokenizer

        check_tables(card)
        batch_size = _batch_size(card)
        model, tokenizer = load_model(card.weights), load_tokenizer(card.weights)
        if device() == "cpu":  # where half precision is slow
            model.float()
        return HFModel(model.to(device()), tokenizer, batch_size=batch_size, chat=card.chat)

    def describe(self, where: str) -> Mapping[str, Any]:
        """What a training wrote beside the weights."""
        return {**trained(Path(where)), "weights": Path(where)}

    def check(self, card: Card) -> None:
        require("hf")
        from aletheia_models.hf.student import configuration
        from aletheia_models.hf.training import Recipe

        check_tables(card)
        recipe = Recipe.of(card.settings.get("training", {}))
        recipe.fits(configuration(card.settings.get("architecture", {})).num_hidden_layers)
        if recipe.start and not (folder := card.source.parent / recipe.start).joinpath("config.json").exists():
            raise ModelFileError(
                f"[training] start is {recipe.start!r}, and there is no student in {folder}: "
                "give a folder as the card's file sees it, or from the root."
            )
        _batch_size(card)

    def fit(
        self,
        card: Card,
        pages: Sequence[Iterable[Example]],
        out: Path,
        *,
        seed: int,
        workers: int,
        progress: Progress,
    ) -> Mapping[str, Any]:
        require("hf")
        from aletheia_models.hf.batches import stream
        from aletheia_models.hf.student import build_student, take_over
        from aletheia_models.hf.tokenizer import build_tokenizer
        from aletheia_models.hf.training import Recipe, train

        recipe = Recipe.of(card.settings.get("training", {}))
        words = _vocabulary(pages, workers)
        if not words:
            raise ModelFileError(f"{card.name} has nothing to learn from: its corpora are empty.")
        tokenizer = build_tokenizer(words)
        model: Any = build_student(card.settings.get("architecture", {}), tokenizer, seed=seed)
        if recipe.start:
            take_over(model, tokenizer, card.source.parent / recipe.start)
        model.to(device())
        read = partial(
            stream, pages, tokenizer, tokens_per_batch=recipe.tokens_per_batch,
            max_length=model.config.max_position_embeddings, seed=seed, workers=workers,
        )  # fmt: skip
        figures = train(model, read, recipe, checkpoint=out / "checkpoint", seed=seed, progress=progress)
        model.half().save_pretrained(out)
        tokenizer.save_pretrained(out)
        return {"parameters": model.num_parameters(), "vocabulary": len(tokenizer), "device": _machine(), **figures}


def _vocabulary(pages: Sequence[Iterable[Example]], workers: int) -> Counter[str]:
    """The words of the first pages, as often as each is there; the same for any number of processes."""
    words: Counter[str] = Counter()
    seen = 0
    with closing(each(partial(_words, pages), len(pages), workers=workers)) as counted:
        for found, examples in counted:
            words += found
            seen += examples
            if seen >= SAMPLE:
                break
    return words


def _words(pages: Sequence[Iterable[Example]], number: int) -> tuple[Counter[str], int]:
    """The words that a student reads in a page, and of how many examples they are."""
    from aletheia_models.hf.tokenizer import count_words

    page = list(pages[number])
    texts = (text for e in page for text in (e.prompt + e.completion, *(lines for _, lines in e.exercises)))
    return count_words(texts), len(page)


def _batch_size(card: Card) -> int:
    """The card's [generation] table has this one option."""
    table = card.settings.get("generation", {})
    size = table.get("batch_size", 64)
    if table.keys() - {"batch_size"} or type(size) is not int or size < 1:
        raise ModelFileError(f"{card.source}: [generation] takes batch_size, a positive number, not {table}.")
    return size


def _machine() -> str:
    """What the device is called."""
    import torch

    return torch.cuda.get_device_name() if device() == "cuda" else "cpu"
