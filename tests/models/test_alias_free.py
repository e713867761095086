from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from equiserve_models.shift.alias_free import AliasFreeActivation, resampling_matrix
from equiserve_models.shift.tie_pictures import circular_orbit, tie_pictures
from equiserve_models.shift.vit import CONFIGS, PatchEmbedding, ViT


def shifted(planes: Tensor, distance: float) -> Tensor:
    """Shift along both axes by any fraction of a sample, by the Fourier shift theorem; Nyquist removed."""
    frequency = torch.fft.fftfreq(planes.shape[-1], dtype=torch.float64)
    delay = torch.exp(-2j * torch.pi * frequency * distance) * (frequency.abs() < 0.5)
    return torch.fft.ifft2(torch.fft.fft2(planes) * delay[:, None] * delay).real


def error_of_a_shift(embedding: nn.Module, distance: float) -> float:
    """Part of the moved tokens that is not the tokens, moved; 0 for a covariant embedding, about 1 for none."""
    picture = shifted(torch.randn(1, 1, 28, 28, dtype=torch.float64), 0)
    moved, expected = embedding(shifted(picture, distance)), shifted(embedding(picture), distance / 4)
    return float((moved - expected).norm() / (moved - moved.mean((2, 3), keepdim=True)).norm())


def embedding_of(name: str) -> nn.Module:
    torch.manual_seed(0)
    embedding = PatchEmbedding(CONFIGS[name]).eval().requires_grad_(False)
    for module in embedding.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.mul_(4)  # fresh weights leave GELU nearly linear, and then nothing can alias
    return embedding.double()


@pytest.mark.parametrize(("size", "samples"), [(7, 14), (28, 56), (56, 14), (14, 7), (28, 28)])
def test_resampling_samples_the_band_limited_signal_that_it_was_given(size: int, samples: int) -> None:
    highest = (min(size, samples) - 1) // 2

    def signal(count: int) -> np.ndarray:
        at = 2 * np.pi * np.arange(count) / count
        return 0.3 + np.cos(at + 0.4) - 2 * np.sin(highest * at + 0.1)

    np.testing.assert_allclose(resampling_matrix(size, samples).numpy() @ signal(size), signal(samples), atol=1e-5)


def test_resampling_removes_what_the_coarser_grid_cannot_hold() -> None:
    at = 2 * np.pi * np.arange(28) / 28
    assert np.abs(resampling_matrix(28, 14).numpy() @ np.cos(7 * at)).max() < 1e-6
    assert np.abs(resampling_matrix(28, 14).numpy() @ np.cos(9 * at)).max() < 1e-6


def test_alias_free_activation_is_gelu_where_the_signal_is_constant() -> None:
    x = torch.full((1, 2, 14, 14), -0.7)
    torch.testing.assert_close(AliasFreeActivation(14, 7)(x), gelu(x)[:, :, :7, :7])


@pytest.mark.parametrize("distance", [0.3, 0.5, 1, 1.5])
def test_alias_free_embedding_moves_with_shifts_by_fractions_of_a_patch(distance: float) -> None:
    assert error_of_a_shift(embedding_of("vit28_alias_free"), distance) < 0.1
    assert error_of_a_shift(embedding_of("vit28_apa"), distance) > 0.7


def test_alias_free_vit_is_invariant_to_every_circular_shift_bit_for_bit() -> None:
    torch.manual_seed(0)
    network = ViT(CONFIGS["vit28_alias_free"]).eval()
    with torch.no_grad():
        for picture in ("binary noise", "two pixels"):
            orbit = torch.from_numpy(circular_orbit(tie_pictures(28)[picture]))
            logits = torch.cat([network(batch) for batch in orbit.split(112)])
            assert torch.equal(logits, logits[:1].expand_as(logits))


def test_fixed_matrices_are_not_part_of_a_checkpoint() -> None:
    plain, alias_free = (ViT(CONFIGS[name]).state_dict() for name in ("vit28_apa", "vit28_alias_free"))
    assert plain.keys() == alias_free.keys()
