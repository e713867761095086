"""The shipped soft regressors, through the server: what is declared is measured again, and is the truth's own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree

import httpx
import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from equiserve.artifact import read_manifest
from equiserve.client import AsyncClient
from equiserve.rest.app import build_app
from equiserve.symmetry import Signature
from equiserve.symmetry.independent_pairs import draw_elements, moved_rows, pair_errors
from planes import served_plane

ZOO = Path(__file__).parents[2] / "models" / "zoo"
MODELS = ("soft-inertia", "soft-inertia-snapped", "soft-motion")
ELEMENTS, SEED = 1024, 11


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncClient]:
    async with (
        served_plane(ZOO, tmp_path_factory.mktemp("cache"), load=list(MODELS), smoke_check=False) as plane,
        AsyncClient(transport=httpx.ASGITransport(build_app(plane, lambda: b""))) as client,
    ):
        yield client


def masses_and_positions() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(5)
    masses = np.logaddexp(0, rng.normal(size=(256, 5)))  # softplus of normal, as in training
    return {"masses": masses.astype(np.float32), "positions": rng.normal(size=(256, 5, 3)).astype(np.float32)}


def measured_inertia(masses: NDArray[np.float32], positions: NDArray[np.float32]) -> NDArray[np.float64]:
    """The inertia tensor, its z column 30 % too large: the truth that soft-inertia was trained on."""
    outer = np.einsum("bp,bpi,bpj->bij", masses, positions, positions)
    return (np.trace(outer, axis1=1, axis2=2)[:, None, None] * np.eye(3) - outer) * np.array([1.0, 1.0, 1.3])


@pytest.mark.parametrize("model", MODELS[:2])
async def test_every_declared_level_holds_on_fresh_inputs_and_is_the_truths_own_within_a_hundredth(
    client: AsyncClient, model: str
):
    inputs = masses_and_positions()
    report = await client.check_candidates(model, inputs, elements=ELEMENTS, seed=SEED)
    assert {found["group"]: found["status"] for found in report["candidates"]} == dict.fromkeys(
        ("o2z", "o2x", "o2y", "o3"), "holds"
    )
    manifest = read_manifest(ZOO / model / "model.yaml")
    answers = {"inertia": measured_inertia(**inputs)}
    for found in report["candidates"]:
        signature = Signature.of(manifest, found["group"])
        elements = draw_elements(signature, ELEMENTS, SEED)
        pairs = range(ELEMENTS)
        outputs = {"inertia": measured_inertia(**moved_rows(signature, elements, inputs, pairs))}
        truth = pair_errors(signature, elements, inputs, pairs, outputs, answers)["inertia"].mean()
        assert found["measured"] is not None
        assert abs(found["measured"]["mean"] - truth) < 0.01
        assert found["measured"]["elements"] >= 512


async def test_the_snapped_twin_is_exact_and_no_worse(client: AsyncClient):
    inputs = masses_and_positions()
    truth = {"inertia": measured_inertia(**inputs).astype(np.float32)}
    soft, snapped = [await client.regress(model, inputs, truth) for model in MODELS[:2]]
    errors = [answer["outputs"]["inertia"]["error"] for answer in (soft, snapped)]
    assert errors[0] is not None
    assert errors[1] is not None
    assert errors[1] ** 2 <= 1.02 * errors[0] ** 2
    assert snapped["outputs"]["inertia"]["units"] == "kg m^2"
    assert snapped["guarantee"] == "it moves with the input exactly under o2z (snapped)"
    report = await client.check_candidates(MODELS[1], inputs, ["o2z"])
    measured = report["candidates"][0]["measured"]
    assert measured is not None
    assert measured["max"] < 1e-5


@pytest.mark.parametrize("model", MODELS)
async def test_both_runtimes_answer_alike(client: AsyncClient, model: str):
    rng = np.random.default_rng(0)
    poses = rng.normal(size=(4, 4, 31, 3)).astype(np.float32) / 3
    inputs = {"earlier": poses[:, :3].copy(), "present": poses[:, 3].copy()}
    inputs = {name: array[:4] for name, array in masses_and_positions().items()} if model != MODELS[2] else inputs
    answers = []
    for runtime in ("onnx", "torchscript"):
        pytest.importorskip("torch", reason="the train extra is not installed")
        (output,) = (await client.regress(model, inputs, runtime=runtime))["outputs"].values()
        answers.append(np.array(output["data"]))
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(
    not (Path(os.environ.get("EQUISERVE_DATA", "")) / "cmu-mocap").is_dir(), reason="no walking clips in EQUISERVE_DATA"
)
async def test_the_motion_is_verified_and_drawn_on_walks_that_it_never_saw(client: AsyncClient):
    pytest.importorskip("torch", reason="the train extra is not installed")
    from equiserve_models.soft import walking

    found = walking.turned(walking.windows("test"), 2000)
    rows = np.random.default_rng(1).permutation(len(found.past))[:256]
    past, future = found.past.numpy()[rows], found.future.numpy()[rows]
    inputs = {"earlier": past[:, :-1].copy(), "present": past[:, -1].copy()}
    report = await client.check_candidates("soft-motion", inputs, elements=ELEMENTS, seed=SEED)
    assert {found["status"] for found in report["candidates"]} <= {"holds", "inconclusive"}
    levels = {one["group"]: one["measured"]["mean"] for one in report["candidates"] if one["measured"] is not None}
    assert min(levels, key=lambda group: levels[group]) == "vertical"
    answer = await client.regress("soft-motion", inputs, {"future": future})
    carried_on = past[:, -1] + walking.HORIZON * (past[:, -1, :1] - past[:, 0, :1]) / (walking.PAST - 1)
    error = answer["outputs"]["future"]["error"]
    assert error is not None
    assert error < 0.8 * float(np.sqrt(np.mean((carried_on - future) ** 2)))
    drawing = await client.draw_motion("soft-motion", inputs, {"future": future}, row=3)
    assert ElementTree.fromstring(drawing).tag.endswith("svg")
