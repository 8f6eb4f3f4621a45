"""How a pretrained model learns: low-rank adapters, loss on completions only. Knows peft and accelerate, no schedule.

Low-rank adaptation is of Hu et al. (arXiv 2106.09685); 4-bit NF4 bases under it, of Dettmers et al. (arXiv 2305.14314).
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from accelerate import Accelerator, DistributedType
from accelerate.utils import parse_flag_from_env
from peft import LoraConfig, TaskType, get_peft_model, prepare_model_for_kbit_training
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from aletheia_models.hf.batches import NONE, Batch
from aletheia_models.hf.checkpoint import whole
from aletheia_models.hf.loop import Schedule, options
from aletheia_models.hf.training import mean_loss
from aletheia_plugins import ModelFileError, UsageError

__all__ = ["Adapter", "Learner", "Losses", "Recipe", "adapted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(Schedule):
    """A card's [training] table."""

    tokens: int = 0
    epochs: float = 0.0
    """Passes over all examples, instead of `tokens`, if there are any."""
    learning_rate: float = 2e-4
    tokens_per_batch: int = 4096
    weight_decay: float = 0.0
    length: int = 2048
    """Tokens that an example may have; one that is longer is refused, never cut."""
    gradient_checkpointing: bool = False
    """Compute the inside of layers twice rather than keep it."""

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """Raises ModelFileError."""
        if not table.get("tokens") and not table.get("epochs"):
            raise ModelFileError("[training] needs tokens, the number of tokens to train on, or epochs.")
        return cls(**options(cls, table, "training"))

    def over(self, epoch: float) -> Self:
        """The recipe with its budget in tokens, where an epoch has so many."""
        return replace(self, tokens=max(1, round(self.epochs * epoch))) if self.epochs else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A card's [lora] table. `rank` 0: no adapter, all weights are trained."""

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    targets: str = "all-linear"
    """Names of the layers that get one, with commas between them; all-linear: all but the output layer."""
    bits: int = 16
    """4: the base is held in 4-bit NF4, where bitsandbytes is installed."""

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """Raises ModelFileError."""
        adapter = cls(**options(cls, table, "lora"))
        if adapter.bits not in (4, 16):
            raise ModelFileError(f"[lora] bits is {adapter.bits}, expected 4 or 16.")
        if adapter.bits == 4 and not adapter.rank:
            raise ModelFileError("[lora] rank = 0 trains all weights, which cannot be held in 4 bits: set bits = 16.")
        return adapter

    def config(self) -> LoraConfig:
        names = self.targets.split(",")
        return LoraConfig(
            task_type=TaskType.CAUSAL_LM,
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]  # a float will do
            lora_dropout=self.dropout,
            target_modules=names[0] if names == ["all-linear"] else names,
        )


def adapted(model: Any, adapter: Adapter, recipe: Recipe, *, seed: int) -> Any:
    """The model with a fresh adapter in it, ready to be trained; or as it is, with rank 0."""
    torch.manual_seed(seed)
    if adapter.bits == 4 and getattr(model, "is_quantized", False):
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    if recipe.gradient_checkpointing:
        model.activation_checkpointing_enable()
        model.enable_input_require_grads()
    if not adapter.rank:
        return model.requires_grad_(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers in an old way
            return get_peft_model(model, adapter.config())
    except ValueError as error:
        raise ModelFileError(f"[lora] does not fit this base: {' '.join(str(error).split())}") from error


class Losses(torch.nn.Module):
    """The mean loss per completion token of a batch. Only places with something to say reach the output layer."""

    def __init__(self, student: Any) -> None:
        super().__init__()
        self.model = student.get_base_model() if hasattr(student, "get_base_model") else student
        """The base, with its adapters in place."""

    def forward(self, tables: Sequence[torch.Tensor]) -> torch.Tensor:
        """`tables`: ids, parts and places of the batch, and its targets."""
        ids, parts, places, at, words = tables
        model = self.model
        earlier = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=ids.device).tril()
        seen = earlier & ((parts[:, None, :] == 0) | (parts[:, None, :] == parts[:, :, None]))
        dtype = model.get_input_embeddings().weight.dtype
        mask = torch.zeros(seen.shape, dtype=dtype, device=ids.device)
        mask = mask.masked_fill(~seen, torch.finfo(dtype).min)[:, None]
        states = model.get_decoder()(input_ids=ids, attention_mask=mask, position_ids=places, use_cache=False)[0]
        return mean_loss(model.get_output_embeddings(), states, at, words)

    def check(self) -> None:
        """Raises ModelFileError if the model's own loss is another one: some do more than its output layer."""
        words, kind = self.model.get_input_embeddings().weight, type(self.model).__name__
        places = torch.arange(8, device=words.device)
        ids = places[None] % len(words)
        self.eval()
        for module in self.modules():
            if type(module).__name__ == "Linear4bit":  # would turn, for good, into a form that gradients do not pass
                module.train()
        try:
            with torch.no_grad():
                ours = self([ids, torch.zeros_like(ids), places[None], places[:-1], ids[0, 1:, None]])
                theirs = self.model(input_ids=ids, labels=ids).loss
        except Exception as error:
            raise ModelFileError(f"{kind} cannot be trained by lora: {type(error).__name__}: {error}") from error
        if not torch.allclose(ours.float(), theirs.float(), rtol=1e-3 if words.dtype is torch.float32 else 1e-2):
            raise ModelFileError(
                f"{kind} does more to what it says than its output layer, which lora does not follow: "
                f"its loss is {theirs:.4f}, not {ours:.4f}. Choose another base."
            )


class Processes:
    """What `accelerate launch` or `torchrun` has started: who this process is, and where it computes."""

    def __init__(self) -> None:
        self.accelerator = Accelerator(cpu=not torch.cuda.is_available())
        kind = self.accelerator.distributed_type
        if kind not in (
            DistributedType.NO,
            DistributedType.MULTI_CPU,
            DistributedType.MULTI_GPU,
            DistributedType.FSDP,
        ):
            raise UsageError(f"lora learns on one or several GPUs, or CPUs, not with {kind}.")
        self.rank, self.world = self.accelerator.process_index, self.accelerator.num_processes
        self.sharded = self.world > 1 and parse_flag_from_env("ACCELERATE_USE_FSDP")
        """Whether they share the weights (FSDP), rather than each have all."""

    @property
    def device(self) -> torch.device:
        found: torch.device = self.accelerator.device
        return found

    def share(self, losses: Losses) -> torch.nn.Module:
        """The module as these processes compute it together: gradients are the mean of all."""
        if self.world == 1:
            return losses.to(self.device)
        if not self.sharded:
            prepared: torch.nn.Module = self.accelerator.prepare(losses)
            return prepared
        mesh = init_device_mesh(self.device.type, (self.world,))
        layers = set(losses.model._no_split_modules or ())
        for module in list(losses.modules()):
            if type(module).__name__ in layers:
                fully_shard(module, mesh=mesh)
        fully_shard(losses, mesh=mesh)  # what is outside of layers
        return losses

    def close(self) -> None:
        """Wait for the others, and part with them."""
        self.accelerator.wait_for_everyone()
        self.accelerator.end_training()


class Learner:
    """An adapted model, in one of the processes that learn together."""

    def __init__(self, student: Any, recipe: Recipe, processes: Processes) -> None:
        self.student, self.device = student, processes.device
        self.rank, self.world = processes.rank, processes.world
        losses = Losses(student)
        losses.check()
        self.losses = processes.share(losses)
        self.inner = {id(p) for p in losses.model.get_decoder().parameters() if p.requires_grad}
        """What is trained of the layers: a base may have more, such as eyes, which a text does not reach."""
        self.optimizer = torch.optim.AdamW(
            [parameter for _, parameter in self.named_parameters()],
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
        )

    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """What is trained."""
        return ((name, p) for name, p in self.student.named_parameters() if p.requires_grad)

    def state(self) -> dict[str, torch.Tensor]:
        """What is trained and what is constant beside it, as a file has it, for the first process; see `whole`."""
        kept = self.student.state_dict().keys()
        constant = {name: buffer for name, buffer in self.student.named_buffers() if name in kept}
        return whole(constant | dict(self.named_parameters()), self.rank)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [self.optimizer]

    def gradients(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        if not (batch.targets.words != NONE).any():
            raise ModelFileError("A batch has nothing to learn: no token of it is a completion's.")
        asked = (batch.ids, batch.parts, batch.places, batch.targets.at, batch.targets.words)
        tables = [torch.from_numpy(table).long().to(self.device) for table in asked]
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            loss = self.losses(tables)
        loss.backward()
        unmoved = [name for name, p in self.named_parameters() if p.grad is None and id(p) in self.inner]
        if 2 * len(unmoved) > len(self.inner):  # some may have no part in this batch
            raise ModelFileError(
                f"{len(unmoved)} of the {len(self.inner)} tensors to train get no gradient, such as {unmoved[0]}: "
                "the base does not pass it on. Choose another base, or bits = 16 in [lora]."
            )
        return loss.detach(), loss.detach()
