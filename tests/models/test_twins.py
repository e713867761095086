from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from equiserve_models.shift import twins, vit
from equiserve_models.shift.tie_pictures import circular_orbit, tie_pictures
from equiserve_models.shift.twins import Stage, Twins
from equiserve_models.shift.vit import ViT

SAMPLES = np.load(Path(__file__).parent.parent / "data" / "fashion_mnist_100.npz")["images"]
GARMENT = SAMPLES[57][None]
TIES = tie_pictures(28)
TINY = dataclasses.replace(
    twins.CONFIGS["twins28_apa"],
    size=16,
    stem=4,
    stages=(Stage(8, 1, heads=2, window=4, reduction=2), Stage(12, 1, heads=3, window=2, reduction=2)),
)


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return Twins(twins.CONFIGS[name]).eval() if name in twins.CONFIGS else ViT(vit.CONFIGS[name]).eval()


@torch.no_grad()
def logits_of_orbit(net: nn.Module, picture: np.ndarray) -> torch.Tensor:
    return torch.cat([net(batch) for batch in torch.from_numpy(circular_orbit(picture)).split(112)])


def spread(logits: torch.Tensor) -> float:
    return float((logits - logits[0]).abs().max())


@pytest.fixture(scope="module")
def tiny() -> Twins:
    torch.manual_seed(1)
    return Twins(TINY).eval()


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("twins28_apa", "garment"),
        ("twins28_apa", "two pixels"),
        ("twins28_origin", "binary noise"),
        ("vit28_origin", "two pixels"),
    ],
)
def test_canonical_origin_makes_any_layers_invariant_to_every_circular_shift_bit_for_bit(
    name: str, picture: str
) -> None:
    logits = logits_of_orbit(network(name), GARMENT if picture == "garment" else TIES[picture])
    assert torch.equal(logits, logits[:1].expand_as(logits))


def test_colour_twins_is_invariant_to_every_circular_shift_bit_for_bit() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    orbit = torch.from_numpy(circular_orbit(picture)[::3])
    with torch.no_grad():
        logits = torch.cat([network("twins32_apa")(batch) for batch in orbit[:336].split(112)])
    assert torch.equal(logits, logits[:1].expand_as(logits))


@pytest.mark.parametrize("name", ["twins28_published", "vit28_published"])
def test_published_anchors_are_invariant_up_to_rounding_where_the_maximum_is_unique(name: str) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (1, 28, 28), dtype=np.uint8)
    assert 0 < spread(logits_of_orbit(network(name), picture)) < 1e-5


@pytest.mark.parametrize(
    ("name", "picture"),
    # The four phases of stride 2 do not tie on binary noise, the sixteen of stride 4 do.
    [("twins28_published", "two pixels"), ("vit28_published", "two pixels"), ("vit28_published", "binary noise")],
)
def test_published_anchors_fail_on_pictures_with_ties(name: str, picture: str) -> None:
    assert spread(logits_of_orbit(network(name), TIES[picture])) > 1e-3


@pytest.mark.parametrize("name", ["twins28", "vit28"])
def test_plain_networks_are_not_invariant(name: str) -> None:
    assert spread(logits_of_orbit(network(name), GARMENT)) > 1e-2


@torch.no_grad()
def test_published_anchors_alone_absorb_every_circular_shift(tiny: Twins) -> None:
    # Without the canonical origin and in double precision: a layer that breaks a shift has nowhere to hide.
    layers = copy.deepcopy(tiny).double()
    x = torch.randn(1, 1, 16, 16, dtype=torch.float64)
    orbit = torch.cat([x.roll((dy, dx), (2, 3)) for dy in range(16) for dx in range(16)])
    pooled = layers.stages(layers.embedding(twins.polyphase_anchor(orbit, TINY.patch))).mean((2, 3))
    torch.testing.assert_close(pooled, pooled[:1].expand_as(pooled), rtol=0, atol=1e-12)


@torch.no_grad()
def test_without_inner_anchors_the_windows_break_the_shift() -> None:
    torch.manual_seed(1)
    layers = Twins(TINY).eval().double()
    for module in layers.modules():
        if isinstance(module, twins.Block):
            module.anchor = 1
    x = torch.randn(1, 1, 16, 16, dtype=torch.float64)
    both = torch.cat([x, x.roll(TINY.patch, 3)])
    pooled = layers.stages(layers.embedding(both)).mean((2, 3))
    assert float((pooled[1] - pooled[0]).abs().max()) > 1e-6


@torch.no_grad()
def test_local_attention_sees_its_own_window_only() -> None:
    torch.manual_seed(0)
    local = twins.LocalAttention(Stage(width=4, pairs=1, heads=2, window=2, reduction=1))
    x = torch.randn(1, 4, 6, 4)
    changed = x.clone()
    changed[0, :, 3, 1] += 1.0
    moved = (local(changed) != local(x)).any(1)[0].nonzero().tolist()
    assert moved == [[2, 0], [2, 1], [3, 0], [3, 1]]


@torch.no_grad()
def test_global_attention_equals_full_attention_over_the_sampled_tokens() -> None:
    torch.manual_seed(0)
    attention = twins.GlobalAttention(Stage(width=6, pairs=1, heads=2, window=2, reduction=2))
    x = torch.randn(2, 6, 4, 4)
    sampled = attention.norm(attention.sampling(x).flatten(2).transpose(1, 2))  # type: ignore[misc]
    queries = attention.query(x.flatten(2).transpose(1, 2))
    keys, values = attention.key_value(sampled).chunk(2, -1)
    mixed = []
    for head in range(2):
        part = slice(3 * head, 3 * head + 3)
        weights = (queries[..., part] @ keys[..., part].transpose(1, 2) / 3**0.5).softmax(-1)
        mixed.append(weights @ values[..., part])
    expected = attention.out(torch.cat(mixed, -1)).transpose(1, 2).reshape(2, 6, 4, 4)
    torch.testing.assert_close(attention(x), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "stages",
    [
        (Stage(8, 1, 2, window=3, reduction=2),),
        (Stage(8, 1, 2, window=4, reduction=3),),
        (Stage(8, 1, 2, window=4, reduction=1), Stage(8, 1, 2, window=2, reduction=1)),
    ],
)
def test_twins_refuses_sizes_that_would_break_the_guarantee(stages: tuple[Stage, ...]) -> None:
    with pytest.raises(ValueError, match="expected divisors of the grid, and an even reduction"):
        Twins(dataclasses.replace(TINY, stages=stages))


@pytest.mark.parametrize("name", [name for name, c in [*twins.CONFIGS.items(), *vit.CONFIGS.items()] if c.size <= 32])
def test_small_networks_stay_within_their_size(name: str) -> None:
    net = network(name)
    config = net.config
    picture = torch.zeros(1, config.channels, config.size, config.size, dtype=torch.uint8)
    # The counter knows matrix products, not the fused attention.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        net(picture)
    assert sum(parameter.numel() for parameter in net.parameters()) <= 600_000
    assert counter.get_total_flops() / 2 <= 20e6
