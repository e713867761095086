"""The generators of the zoo through the real engine: company changes no bit, quarter turns are exact."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from equiserve.artifact import read_manifest
from generator_planes import draw, generator_plane


@pytest.fixture
def shipped(zoo: Path) -> list[str]:
    """The names of the zoo's generators."""
    manifests = [read_manifest(path) for path in zoo.glob("*/model.yaml")]
    names = sorted(manifest.name for manifest in manifests if manifest.task == "generate")
    if not names:
        pytest.skip("models/zoo holds no generator in this checkout")
    return names


async def test_shipped_pictures_do_not_depend_on_their_company(zoo: Path, shipped: list[str], tmp_path: Path) -> None:
    solvers = ["ddpm", "ddim", "heun", "dpmpp_2m", "unipc", "ipndm"]
    async with generator_plane(zoo, tmp_path, load=shipped) as plane:
        for name in shipped:
            requests = [
                {
                    "solver": solvers[place % 6],
                    "steps": 2 + place % 4,
                    "label": place % 10,
                    "angle": [0.0, 30.0, 100.0][place % 3],
                    "guidance": [1.0, 2.0][place % 2],
                    "n": [1, 3][place % 2],
                    "seed": place,
                }
                for place in range(12)
            ]
            together = await asyncio.gather(*(draw(plane, name, **request) for request in requests))
            assert together[0].environment["batch_invariance"].startswith("exact"), "padding makes it so at most"
            for request, drawn in zip(requests, together, strict=True):
                alone = await draw(plane, name, **request)
                np.testing.assert_array_equal(drawn.pictures, alone.pictures)


async def test_a_quarter_turn_more_turns_a_shipped_picture_exactly(
    zoo: Path, shipped: list[str], tmp_path: Path
) -> None:
    async with generator_plane(zoo, tmp_path, load=shipped) as plane:
        for name in shipped:
            drawn = [(await draw(plane, name, label=3, seed=7, steps=4, angle=angle)).pictures for angle in (20, 110)]
            np.testing.assert_array_equal(drawn[1], np.rot90(drawn[0], axes=(-2, -1)))
