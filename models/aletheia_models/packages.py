"""What back-ends on PyTorch need to be there. Imports it only when it is asked."""

from importlib import import_module

from aletheia_plugins import MissingError

__all__ = ["QUANTIZER", "device", "require"]

QUANTIZER = "bitsandbytes"
"""The package that holds weights in 4 bits."""


def require(extra: str, *packages: str) -> None:
    """Import transformers, which then is quiet, and the packages. Raises MissingError with the extra that has them."""
    for package in ("torch", "transformers", *packages):
        try:
            import_module(package)
        except ImportError as error:
            missing = error.name or package
            raise MissingError(f"{extra} needs {missing}: pip install 'aletheia-bench[{extra}]'") from error
    import transformers

    transformers.utils.logging.disable_progress_bar()


def device() -> str:
    """Where models are computed: cuda if there is a GPU, or cpu."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
