"""A third party's regressor is served and verified as docs/soft.md says: the block of that page, another's file."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import numpy as np
import onnx
import onnx.parser
import pytest
import yaml

from equiserve.cli import main
from equiserve.client import AsyncClient
from equiserve.rest.app import build_app
from planes import served_plane

PAGE = Path(__file__).parents[2] / "docs" / "soft.md"
# Quadratic drag that is half as strong again for what goes up or down: exact about z, broken by rotations that tilt.
DRAG = """<ir_version: 10, opset_import: ["" : 20]>
drag (float[batch,3] velocity) => (float[batch,3] force) {
    last = Constant<value = int64[1] {-1}>()
    squared = Mul(velocity, velocity)
    summed = ReduceSum<keepdims = 1>(squared, last)
    speed = Sqrt(summed)
    along = Mul(velocity, speed)
    strength = Constant<value = float[1,3] {-1.0, -1.0, -1.5}>()
    force = Mul(along, strength)
}"""
VELOCITIES = {"velocity": np.random.default_rng(0).normal(size=(256, 3)).astype(np.float32)}


def manifest() -> str:
    (block,) = re.findall(r"^```yaml\n(schema.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    model = onnx.parser.parse_model(DRAG)
    onnx.checker.check_model(model)
    (tmp_path / "mine" / "drag" / "1").mkdir(parents=True)
    onnx.save(model, tmp_path / "mine" / "drag" / "1" / "model.onnx")
    (tmp_path / "mine" / "drag" / "model.yaml").write_text(manifest())
    return tmp_path / "mine"


async def test_it_is_served_with_its_units_and_every_claim_is_verified(mine: Path, tmp_path: Path) -> None:
    async with (
        served_plane(mine, tmp_path / "cache") as plane,
        AsyncClient(transport=httpx.ASGITransport(build_app(plane, lambda: b""))) as client,
    ):
        answer = await client.regress("drag", {"velocity": np.array([[0, 3, 4]], np.float32)})
        np.testing.assert_allclose(answer["outputs"]["force"]["data"], [[0, -15, -30]], rtol=1e-6)
        assert answer["outputs"]["force"]["units"] == "N"
        report = await client.check_candidates("drag", VELOCITIES, elements=2048)
    assert {found["group"]: found["status"] for found in report["candidates"]} == {
        "vertical": "holds",
        "mirror": "holds",
        "turns": "holds",
    }
    assert report["statement"] == "Of 3 candidates: 3 as declared."


def test_the_command_line_says_the_same_and_its_exit_code_is_the_verdict(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "velocities.npz"
    np.savez(data, **VELOCITIES)
    call = ["check", str(mine / "drag"), "--candidates", "--data", str(data), "--elements", "2048"]
    assert main([*call, "--report", str(tmp_path / "report.json")]) == 0
    said = capsys.readouterr().out
    assert "Of 3 candidates: 3 as declared." in said
    assert "HOLDS" in said
    assert (tmp_path / "report.json").is_file()
    declared = yaml.safe_load(manifest())
    declared["symmetries"][2] = {"group": "turns", "level": "exact"}
    (mine / "drag" / "model.yaml").write_text(yaml.safe_dump(declared))
    assert main(call) == 1
    assert "VIOLATED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--group", "turns"], "--group"),
        (["--gate", "x=1"], "--gate"),
        (["--report", "r.csv"], ".json"),
        (["--data", "a.npy"], ".npz"),
    ],
)
def test_what_does_not_go_with_candidates_is_refused(
    mine: Path, capsys: pytest.CaptureFixture[str], change: list[str], said: str
) -> None:
    code = main(["check", str(mine / "drag"), "--candidates", "--data", "a.npz", *change])
    assert code == 2
    assert said in capsys.readouterr().err
