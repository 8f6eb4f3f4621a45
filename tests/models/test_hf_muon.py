"""Muon for all matrices of a shape at once is Muon."""

import torch

from aletheia_models.hf.muon import Muon, orthogonal

SHAPES = [(8, 8), (16, 8), (8, 8), (8, 24), (16, 8)]


def parameters():
    draw = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=draw)) for shape in SHAPES]


def test_it_makes_the_same_updates_as_the_one_of_torch():
    ours, theirs = parameters(), parameters()
    optimizers = [Muon(ours, 0.1, 0.01), torch.optim.Muon(theirs, 0.1, 0.01, adjust_lr_fn="match_rms_adamw")]
    draw = torch.Generator().manual_seed(1)
    for _ in range(5):
        for left, right in zip(ours, theirs, strict=True):
            left.grad = torch.randn(left.shape, generator=draw)
            right.grad = left.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for left, right in zip(ours, theirs, strict=True):
        assert torch.equal(left, right)
    assert not torch.allclose(ours[0], parameters()[0], rtol=0, atol=0.05)


def test_singular_values_become_about_one():
    wide = torch.randn(3, 16, 64, generator=torch.Generator().manual_seed(0))
    for found in (orthogonal(wide), orthogonal(wide.mT).mT):
        values = torch.linalg.svdvals(found.float())
        assert values.min() > 0.6
        assert values.max() < 1.3


def test_a_matrix_without_a_gradient_stays():
    first, second = (torch.nn.Parameter(torch.ones(4, 4)) for _ in range(2))
    first.grad = torch.ones(4, 4)
    Muon([first, second], 0.1, 0.1).step()
    assert torch.equal(second, torch.ones(4, 4))
    assert not torch.equal(first, second)
