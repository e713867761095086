"""The published rule fails on pictures with ties, in both families; the same weights at the canonical origin do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch import nn

from equiserve_models.shift import twins, vit
from equiserve_models.shift.tie_pictures import circular_orbit, tie_pictures
from equiserve_models.shift.twins import Twins
from equiserve_models.shift.vit import ViT

GARMENTS = np.load(Path(__file__).parent.parent / "data" / "fashion_mnist_100.npz")["images"][:, None]
BINARISED = np.where(GARMENTS > 127, 255, 0).astype(np.uint8)
# A binarised garment whose largest phases tie at the family's first stride: 4 pixels for ViT, 2 for Twins.
TIES = [
    pytest.param("vit28", BINARISED[3], id="vit-garment"),
    pytest.param("vit28", tie_pictures(28)["two pixels"], id="vit-two-pixels"),
    pytest.param("twins28", BINARISED[95], id="twins-garment"),
    pytest.param("twins28", tie_pictures(28)["two pixels"], id="twins-two-pixels"),
]


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return Twins(twins.CONFIGS[name]).eval() if name in twins.CONFIGS else ViT(vit.CONFIGS[name]).eval()


@pytest.mark.parametrize(("family", "picture"), TIES)
def test_published_rule_fails_on_a_tie_and_the_canonical_origin_cures_it(family: str, picture: np.ndarray) -> None:
    published, cured = network(f"{family}_published"), network(f"{family}_apa")
    cured.load_state_dict(published.state_dict())
    orbit = torch.from_numpy(circular_orbit(picture))
    with torch.no_grad():
        before, after = (torch.cat([net(batch) for batch in orbit.split(28)]) for net in (published, cured))
    assert float((before - before[0]).abs().max()) > 1e-3  # rounding is below 1e-5
    assert torch.equal(after, after[:1].expand_as(after))
