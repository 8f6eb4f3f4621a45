"""LoRA adapters on pretrained models."""

from aletheia_models.lora.backend import LoRA

__all__ = ["LoRA"]
