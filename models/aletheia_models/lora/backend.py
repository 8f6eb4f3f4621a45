"""The `lora` back-end: adapters on causal language models, trained, evaluated and merged. Imports torch when used."""

import json
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from aletheia_models.lora.bases import HUB_ID, fingerprint, here, locate
from aletheia_models.packages import QUANTIZER, device, require
from aletheia_models.tables import check_tables, trained
from aletheia_plugins import Card, Example, MissingError, Model, ModelFileError, Progress, UsageError

__all__ = ["LoRA"]

LOG = logging.getLogger(__name__)
PACKAGES = ("peft", "accelerate")
LOST = 0.01
"""A training that would leave out a larger share of its examples, for their length, does not begin."""
FULL = ("can't allocate memory", "out of memory")
"""What PyTorch says on a CPU, and on a GPU, where it has no more."""
BASE = "base.json"
"""Beside an adapter: which base it belongs to."""


@contextmanager
def _in_memory() -> Iterator[None]:
    """Raises ModelFileError, which says what to change, where PyTorch has no more memory."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        if not any(words in str(error) for words in FULL):
            raise
        raise ModelFileError(
            "This training does not fit into memory: lower tokens_per_batch, or set gradient_checkpointing = true, in "
            "the card's [training]; or, for an adapter, bits = 4 in its [lora]. "
            "'aletheia-bench plan' says what it takes."
        ) from error


class LoRA:
    """Low-rank adapters in peft's format, safetensors only, each on the base that it was trained on."""

    name: ClassVar[str] = "lora"

    def describe(self, where: str) -> Mapping[str, Any]:
        """WHERE is BASE+ADAPTER, or ADAPTER alone, which names its base."""
        base, plus, adapter = where.rpartition("+") if not Path(where).exists() else ("", "", where)
        weights = Path(adapter)
        if not weights.exists():
            return {"weights": weights}
        return {**trained(weights), "weights": weights, "base": base if plus else _told(weights)["base"]}

    def open(self, card: Card) -> Model:
        require("lora", *PACKAGES)
        from aletheia_models.hf.generation import HFModel
        from aletheia_models.hf.loading import load_tokenizer
        from aletheia_models.lora.training import Adapter

        check_tables(card, "lora")
        options, adapter = _generation(card), Adapter.of(card.settings.get("lora", {}))
        precision = _precision(16 if options["merged"] else adapter.bits)
        model = _student(card, merged=options["merged"], **_held(precision))
        assert card.weights
        return HFModel(model, load_tokenizer(card.weights), batch_size=options["batch_size"], chat=card.chat)

    def check(self, card: Card) -> None:
        require("lora", *PACKAGES)
        from aletheia_models.lora.training import Adapter, Recipe

        check_tables(card, "lora")
        Recipe.of(card.settings.get("training", {}))
        Adapter.of(card.settings.get("lora", {}))
        _generation(card)
        _base(card)

    @_in_memory()
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
        require("lora", *PACKAGES)
        from aletheia_models.hf.batches import batches, stream
        from aletheia_models.hf.loading import load_model, load_tokenizer
        from aletheia_models.hf.loop import return_memory, train
        from aletheia_models.lora.training import Adapter, Learner, Processes, Recipe, adapted

        recipe = Recipe.of(card.settings.get("training", {}))
        adapter = Adapter.of(card.settings.get("lora", {}))
        base = _base(card)
        if base.is_file() and adapter.bits == 4:
            raise ModelFileError(f"{base} comes in f32, so that bits = 4 in [lora] means nothing: set it to 16.")
        tokenizer = load_tokenizer(base)
        framed = _Framed(pages, _frame(card, tokenizer), tokenizer, recipe.length)
        size: dict[str, Any] = {"tokens_per_batch": recipe.tokens_per_batch, "max_length": recipe.length, "seed": seed}
        left_out = _left_out(card, framed)
        return_memory()
        processes = Processes()  # from here on, each has a GPU of its own
        precision = _precision(adapter.bits) if adapter.rank else "f32"  # small steps are lost in bfloat16
        if precision == "nf4" and processes.sharded:
            raise UsageError("[lora] bits = 4 cannot be shared by processes: set it to 16, or leave FSDP out.")
        student = adapted(load_model(base, **_held(precision)), adapter, recipe, seed=seed)
        learner = Learner(student, recipe, processes)
        if learner.rank == 0:
            LOG.info("%s is held in %s on %s, by %d processes", base, precision, learner.device, learner.world)
            _begin(card, base, out)
        if recipe.epochs:
            recipe = recipe.over(sum(batch.tokens for page in framed for batch in batches(page, tokenizer, **size)))
        read = partial(stream, framed, tokenizer, workers=workers, **size)
        figures = train(learner, read, recipe, checkpoint=out / "checkpoint", progress=progress)
        shared = {"state_dict": learner.state()} if processes.sharded else {}
        if learner.rank == 0:
            student.save_pretrained(out, **shared)
            if adapter.rank:  # only now: peft would ask the hub for what is called so
                student.active_peft_config.base_model_name_or_path = card.base
                student.active_peft_config.save_pretrained(out)
            (out / "README.md").unlink(missing_ok=True)  # an empty form that peft writes
            tokenizer.save_pretrained(out)
        processes.close()
        sizes = {"parameters": student.num_parameters(), "trainable": student.num_parameters(only_trainable=True)}
        return {**sizes, "left_out": left_out, "precision": precision, "processes": learner.world, **figures}

    def merge(self, card: Card, folder: Path) -> None:
        """Write the base with the adapter in it, in full precision."""
        require("lora", *PACKAGES)
        from aletheia_models.hf.loading import load_tokenizer

        _student(card, merged=True, **_held("f32")).save_pretrained(folder)
        assert card.weights
        load_tokenizer(card.weights).save_pretrained(folder)

    def plan(self, card: Card, sample: Sequence[tuple[float, Example]]) -> Mapping[str, str]:
        """See `Planning`. The card's [architecture] will do where the base is not on this machine."""
        require("lora", *PACKAGES)
        from aletheia_models.hf.loading import load_config, load_tokenizer
        from aletheia_models.lora import planning
        from aletheia_models.lora.training import Adapter, Recipe

        check_tables(card, "lora")
        recipe = Recipe.of(card.settings.get("training", {}))
        adapter = Adapter.of(card.settings.get("lora", {}))
        architecture, count, frame = card.settings.get("architecture"), planning.estimate, ("", "")
        base = here(card)
        if card.base and not base and not HUB_ID.fullmatch(card.base):
            _base(card)  # says what is missing
        if base:
            architecture = load_config(base)
            tokenizer = load_tokenizer(base)
            frame = _frame(card, tokenizer)

            def count(text: str) -> int:
                return len(tokenizer(text, add_special_tokens=False)["input_ids"])

        if not architecture:
            raise MissingError(f"{card.name} has no [architecture], and its base {card.base} is not on this machine.")
        lengths = []
        for share, example in sample:
            said = count(example.completion) + 1
            lengths.append((share, count(example.prompt.join(frame)) + said, said))
        size = _generation(card)["batch_size"]
        return {
            "base": f"{card.base}, {base or 'not on this machine: tokens are estimates'}",
            **planning.plan(architecture, adapter, recipe, lengths, batch_size=size),
        }


class _Framed(Sequence[list[Example]]):
    """The same pages, with each prompt as it is read: between what stands before and behind what a user says.

    Without the examples of more than `length` tokens: nothing is cut.
    """

    def __init__(self, pages: Sequence[Iterable[Example]], frame: tuple[str, str], tokenizer: Any, length: int) -> None:
        self.pages, self.frame, self.tokenizer, self.length = pages, frame, tokenizer, length

    def __len__(self) -> int:
        return len(self.pages)

    def __getitem__(self, number: Any) -> Any:
        return [example for example in self.all(number) if self.tokens(example) <= self.length]

    def all(self, number: int) -> Iterator[Example]:
        """Those of a page, the long ones among them."""
        before, after = self.frame
        for example in self.pages[number]:
            yield replace(example, prompt=f"{before}{example.prompt}{after}", hints=(), previews=(), exercises=())

    def tokens(self, example: Example) -> int:
        """Those of an example with its end; at most so many, where a glance tells that it is short enough."""
        completions = (example.completion, *example.alternatives)
        glance = len(example.prompt.encode()) + max(len(text.encode()) for text in completions) + 1
        if glance <= self.length:
            return glance
        prompt, *written = (
            len(self.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in (example.prompt, *completions)
        )
        return prompt + max(written) + 1


def _left_out(card: Card, framed: _Framed) -> int:
    """How many examples are too long, which is said. Raises ModelFileError if these are many, or all there is."""
    found = [framed.tokens(example) for number in range(len(framed)) for example in framed.all(number)]
    if not found:
        raise ModelFileError(f"{card.name} has nothing to learn from: its corpora are empty.")
    long = [tokens for tokens in found if tokens > framed.length]
    told = f"{len(long):,} of {len(found):,} examples have more than {framed.length} tokens, up to {max(found)}"
    if len(long) > LOST * len(found):
        raise ModelFileError(f"{told}: raise length in the card's [training], or train on an easier level.")
    if long:
        LOG.warning("%s, and are left out: nothing is cut. To have them, raise length in the card's [training].", told)
    return len(long)


def _frame(card: Card, tokenizer: Any) -> tuple[str, str]:
    """What stands before and behind each prompt."""
    from aletheia_models.hf.loading import chat_frame

    if card.chat and not tokenizer.chat_template:
        raise ModelFileError(f"{card.base} has no chat template: set chat = false in {card.source}.")
    return chat_frame(tokenizer) if card.chat else ("", "")


def _base(card: Card) -> Path:
    """See `locate`; how large it is, is told from the card's [architecture]."""
    size, architecture = "", card.settings.get("architecture")
    if architecture and not here(card):
        from aletheia_models.lora.planning import blank

        size = f" ({2 * sum(p.numel() for p in blank(architecture).parameters()) / 1e9:.1f} GB)"
    return locate(card, size=size)


def _student(card: Card, *, merged: bool, **options: Any) -> Any:
    """The base with the card's adapter, merged with it or in place; or what all weights of were trained."""
    from aletheia_models.hf.loading import load_model

    if card.weights is None or not (card.weights / BASE).exists():
        raise MissingError(
            f"{card.name} has no adapter{f' in {card.weights}' if card.weights else ''}: "
            f"train it with 'aletheia-bench train --model {card.name} -o FOLDER' and run lora:FOLDER."
        )
    if (card.weights / "config.json").exists():
        return load_model(card.weights, **options).to(device())
    from peft import PeftModel

    told, base = _told(card.weights), _base(card)
    if (other := fingerprint(base)) != told["sha256"]:
        raise ModelFileError(
            f"{card.weights} is an adapter of {told['base']} (SHA-256 {told['sha256']}), and {base} is another model "
            f"({other}): name its base with -M base=PATH, or lora:BASE+ADAPTER."
        )
    if not (card.weights / "adapter_model.safetensors").exists():
        raise ModelFileError(
            f"{card.weights} has no adapter_model.safetensors: let its training end; other formats are not read."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers in an old way
            warnings.filterwarnings("error", message=".*missing adapter keys")
            found = PeftModel.from_pretrained(load_model(base, **options), card.weights).to(device())
            return found.merge_and_unload() if merged else found.get_base_model()
    except ModelFileError:
        raise
    except Exception as error:
        raise ModelFileError(f"{card.weights} cannot be loaded: {type(error).__name__}: {error}") from error


def _begin(card: Card, base: Path, out: Path) -> None:
    """Write down what the adapter's base is; what was begun on another one does not go on."""
    found = fingerprint(base)
    if (out / BASE).exists() and _told(out)["sha256"] != found:
        raise ModelFileError(
            f"{out} was begun on a base of SHA-256 {_told(out)['sha256']}, and {base} is another one now ({found}): "
            "train into another folder, or delete it."
        )
    (out / BASE).write_text(json.dumps({"base": card.base, "sha256": found}) + "\n", encoding="utf-8")


def _told(adapter: Path) -> dict[str, str]:
    path = adapter / BASE
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return {"base": str(told["base"]), "sha256": str(told["sha256"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{adapter} does not say what its base is: {path} cannot be read ({error!r}).") from error


def _generation(card: Card) -> dict[str, Any]:
    table: Mapping[str, Any] = card.settings.get("generation", {})
    found = {"batch_size": 64, "merged": True, **table}
    size, merged = found["batch_size"], found["merged"]
    if found.keys() - {"batch_size", "merged"} or type(size) is not int or size < 1 or type(merged) is not bool:
        raise ModelFileError(
            f"{card.source}: [generation] takes batch_size, a positive number, and merged, true or false: {table}."
        )
    return found


def _precision(bits: int) -> str:
    """What the base is held in here: nf4 if 4 bits are asked for and can be had, else bf16 on a GPU, f32 on a CPU."""
    plain = "bf16" if device() == "cuda" else "f32"
    if bits == 4 and find_spec(QUANTIZER) is None:
        LOG.warning(
            "[lora] bits = 4 needs %s, which is not installed: the base is held in %s. Get it with "
            "pip install 'aletheia-bench[nf4]', or set bits = 16.",
            QUANTIZER, plain,
        )  # fmt: skip
    return "nf4" if bits == 4 and find_spec(QUANTIZER) else plain


def _held(precision: str) -> dict[str, Any]:
    """What loads a base so. What is not in four bits is computed in bfloat16 on a GPU, in float32 on a CPU."""
    import torch
    from transformers import BitsAndBytesConfig

    dtype = torch.bfloat16 if precision != "f32" and device() == "cuda" else torch.float32
    if precision != "nf4":
        return {"dtype": dtype}
    four = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype, bnb_4bit_use_double_quant=True
    )
    return {"dtype": dtype, "quantization_config": four}
