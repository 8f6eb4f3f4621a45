"""Muon, for all matrices of a shape at once. Knows parameters, not students."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Muon"]

COEFFICIENTS = 3.4445, -4.775, 2.0315
ROUNDS = 5
MOMENTUM = 0.95


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are made orthogonal before they are added (Jordan et al., 2024).

    As torch.optim.Muon with Nesterov's momentum and "match_rms_adamw" (Liu et al., arXiv 2502.16982): updates have the
    size of AdamW's, so that both can take the same rate. That one goes from matrix to matrix, twenty-five small kernels
    for each: a GPU waits for their launches longer than for all the rest of a step of a small student.
    """

    def __init__(self, matrices: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # none is ever given
        """One update of every matrix that has a gradient."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    alike[matrix.shape].append(matrix)
            for shape, matrices in alike.items():
                updates = orthogonal(torch.stack(self._momenta(matrices))).to(matrices[0].dtype)
                torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(matrices, updates.unbind(), alpha=-0.2 * math.sqrt(max(shape)) * group["lr"])

    def _momenta(self, matrices: list[Tensor]) -> tuple[Tensor, ...]:
        for matrix in matrices:
            if not self.state[matrix]:
                self.state[matrix]["momentum_buffer"] = torch.zeros_like(matrix)
        held = [self.state[matrix]["momentum_buffer"] for matrix in matrices]
        gradients = [matrix.grad for matrix in matrices if matrix.grad is not None]
        torch._foreach_lerp_(held, gradients, 1 - MOMENTUM)
        return torch._foreach_lerp(gradients, held, MOMENTUM)


def orthogonal(matrices: Tensor) -> Tensor:
    """About U Vᵀ of each matrix U S Vᵀ (count × rows × columns), by Newton and Schulz's iteration in bfloat16."""
    tall = matrices.shape[1] > matrices.shape[2]
    found = matrices.bfloat16()
    found = found.mT if tall else found
    found = found / found.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ROUNDS):
        gram = found @ found.mT
        found = torch.baddbmm(found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found.mT if tall else found
