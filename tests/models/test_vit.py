from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch

from equiserve_models.shift.tie_pictures import circular_orbit, tie_pictures
from equiserve_models.shift.vit import CONFIGS, ViT

SAMPLES = np.load(Path(__file__).parent.parent / "data" / "fashion_mnist_100.npz")["images"]


@torch.no_grad()
def logits_of_orbit(network: ViT, picture: np.ndarray) -> torch.Tensor:
    return torch.cat([network(batch) for batch in torch.from_numpy(circular_orbit(picture)).split(112)])


def test_vit_apa_is_invariant_to_every_circular_shift_bit_for_bit() -> None:
    torch.manual_seed(0)
    network = ViT(CONFIGS["vit28_apa"]).eval()
    for picture in (SAMPLES[3][None], SAMPLES[57][None], tie_pictures(28)["binary noise"]):
        logits = logits_of_orbit(network, picture)
        assert torch.equal(logits, logits[:1].expand_as(logits))


def test_plain_twin_is_not_invariant() -> None:
    torch.manual_seed(0)
    logits = logits_of_orbit(ViT(CONFIGS["vit28"]).eval(), SAMPLES[3][None])
    assert float((logits - logits[0]).abs().max()) > 1e-2


def test_anchored_tokens_move_with_whole_patch_shifts_without_the_canonical_origin(tiny_network: ViT) -> None:
    # The layers alone, on shifts by whole patches: the origin must not be what hides a broken layer.
    picture = torch.rand(1, 1, 12, 12, dtype=torch.float64)
    layers = copy.deepcopy(tiny_network).double()

    def tokens(x: torch.Tensor) -> torch.Tensor:
        return layers.blocks(layers.embedding(x).flatten(2).transpose(1, 2)).transpose(1, 2).reshape(1, -1, 3, 3)

    with torch.no_grad():
        moved, expected = tokens(picture.roll((4, 8), (2, 3))), tokens(picture).roll((1, 2), (2, 3))
    torch.testing.assert_close(moved, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", [name for name, config in CONFIGS.items() if config.size <= 32])
def test_small_networks_stay_within_their_size(name: str) -> None:
    assert sum(parameter.numel() for parameter in ViT(CONFIGS[name]).parameters()) < 600_000
