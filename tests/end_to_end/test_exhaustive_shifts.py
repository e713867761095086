"""The project's central claim, on the exported file, through the running server (`make exhaustive` does it for 132)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench.exhaustive import ANCHORED, PLAIN, foundation_legs
from bench.orbit_sweep import Leg, shifted, sweep
from bench.pictures import fashion_pictures, tie_pictures
from bench.server import ServerProcess


async def test_every_circular_shift_gives_identical_bytes_through_rest_and_grpc(
    server: ServerProcess, zoo: Path
) -> None:
    pictures = np.concatenate([fashion_pictures()[::25], tie_pictures()[[5, 13, 20, 27]]])
    rest, grpc, plain = await sweep(server, foundation_legs(pictures, "pictures"), 0.5, lambda done, total: None)
    for outcome in (rest, grpc):
        assert outcome.leg.model == ANCHORED
        assert outcome.rows == 8 * 784
        assert outcome.different == 0, outcome
    # The sweep can fail: the unanchored twin is asked the same shifts and does differ.
    assert plain.leg.model == PLAIN
    assert plain.different > plain.rows / 2


async def test_torchscript_gives_identical_bytes_through_rest_and_grpc(server: ServerProcess, zoo: Path) -> None:
    pytest.importorskip("torch", reason="the server has no TorchScript runtime without torch")
    pictures = np.concatenate([fashion_pictures()[[57]], tie_pictures()[[20]]])[:, None]
    legs = [Leg(ANCHORED, "torchscript", protocol, "pictures", pictures) for protocol in ("REST", "gRPC")]
    for outcome in await sweep(server, legs, 0.2, lambda done, total: None):
        assert outcome.rows == 2 * 784
        assert outcome.different == 0, outcome


def test_sweep_asks_the_circular_shifts_that_numpy_rolls() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 2, 4, 5), dtype=np.uint8)
    for picture, shift, moved in zip(pictures, (0, 7, 19), shifted(pictures, np.array([0, 7, 19])), strict=True):
        assert np.array_equal(moved, np.roll(picture, divmod(shift, 5), (1, 2)))
