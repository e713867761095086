"""Files that are not what they seem: they load as what they are, or are refused alone and say why."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from written_models import ask, manifest, weight

from equiserve.artifact import Batching, TensorSpec, write_manifest
from equiserve.errors import InternalError, InvalidRequest, NotFound
from equiserve.repository import Repository
from planes import until
from small_models import linear_model, save


def nonzero_model(path: Path) -> None:
    """Write y = the places of x [batch, 2] that are not 0: its first axis is free, and no batch axis."""
    graph = helper.make_graph(
        [helper.make_node("NonZero", ["x"], ["places"]), helper.make_node("Transpose", ["places"], ["y"])],
        "nonzero",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, ["found", 2])],
    )
    save(graph, path)


def total_model(path: Path) -> None:
    """Write y = the sum over the rows of x [batch, 2]: an output without a batch axis."""
    graph = helper.make_graph(
        [helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)],
        "total",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(np.array([0], np.int64), "axes")],
    )
    save(graph, path)


async def test_a_free_first_axis_that_is_no_batch_is_never_cut_up_between_callers(repository: Repository) -> None:
    nonzero_model(repository.root / "places.onnx")
    await repository.load("places")
    model = await repository.get("places")
    assert not model.batched
    answers = await asyncio.gather(*(ask(model, [[1, 0], [i % 2, 1]]) for i in range(8)))
    for i, places in enumerate(answers):
        assert places.tolist() == ([[0, 0], [1, 0], [1, 1]] if i % 2 else [[0, 0], [1, 1]])


async def test_a_model_whose_output_has_no_batch_axis_runs_each_request_alone(repository: Repository) -> None:
    total_model(repository.root / "total.onnx")
    await repository.load("total")
    model = await repository.get("total")
    answers = await asyncio.gather(*(ask(model, [[i, 1], [i, 1]]) for i in range(8)))
    assert [total.tolist() for total in answers] == [[2 * i, 2] for i in range(8)]


def pooling_model(path: Path) -> None:
    """Write y = the means of 8 x 8 pixels of x [batch, 1, H, W] with open H and W, 8 at least."""
    graph = helper.make_graph(
        [helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[8, 8], strides=[8, 8])],
        "pooling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, "height", "width"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1, "rows", "columns"])],
    )
    save(graph, path)


async def test_a_network_that_takes_no_picture_of_one_pixel_loads_and_is_measured(repository: Repository) -> None:
    pooling_model(repository.root / "pooling.onnx")
    await repository.load("pooling")
    model = await repository.get("pooling")
    (y,) = await model.infer([np.full((3, 1, 16, 8), 7, np.float32)])
    assert y.tolist() == [[[[7.0], [7.0]]]] * 3
    await until(lambda: model.calibration.measured, 60)


@pytest.mark.parametrize("write", [nonzero_model, total_model])
async def test_a_manifest_may_not_promise_batches_of_a_graph_that_has_none(
    repository: Repository, write: object
) -> None:
    path = repository.root / "m" / "1" / "model.onnx"
    write(path)  # type: ignore[operator]
    graph = onnx.load(path).graph
    kind, shape = ("INT64", (-1, 2)) if graph.name == "nonzero" else ("FP32", (2,))
    outputs = [TensorSpec(name="y", datatype=kind, shape=shape)]
    write_manifest(manifest("m", outputs=outputs), repository.root / "m" / "model.yaml")
    with pytest.raises(InvalidRequest, match="max_batch") as refused:
        await repository.load("m")
    assert refused.value.code == "no_batch_axis"
    alone = manifest("m", outputs=outputs, batching=Batching(max_batch=0))
    write_manifest(alone, repository.root / "m" / "model.yaml")
    await repository.load("m")


def constant_model(path: Path) -> None:
    """Write a graph without any input."""
    value = numpy_helper.from_array(np.ones(2, np.float32), "value")
    graph = helper.make_graph(
        [helper.make_node("Constant", [], ["y"], value=value)],
        "constant",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    save(graph, path)


async def test_whatever_is_wrong_with_one_model_the_others_load(repository: Repository, tmp_path: Path) -> None:
    root = repository.root
    linear_model(root / "good" / "1" / "model.onnx", weight(1))
    constant_model(root / "no-inputs.onnx")
    linear_model(root / "latin" / "1" / "model.onnx", weight(1))
    (root / "latin" / "model.yaml").write_bytes("description: größe\n".encode("latin-1"))
    linear_model(root / "folder" / "1" / "model.onnx", weight(1))
    linear_model(root / "superscript" / "1" / "model.onnx", weight(1))
    linear_model(root / "superscript" / "²" / "model.onnx", weight(1))
    linear_model(root / "huge" / "1" / "model.onnx", weight(1))
    (root / "huge" / "model.yaml").write_text("# " + "x" * (2 << 20))
    (root / "unreadable" / "1").mkdir(parents=True)
    (root / "unreadable" / "1" / "model.onnx").symlink_to(tmp_path / "nowhere")
    await repository.load_all()
    states = {entry["name"]: (entry["state"], entry["reason"]) for entry in repository.index()}
    assert states["good"][0] == states["folder"][0] == states["superscript"][0] == "READY"
    assert repository.versions("superscript") == ["1"]
    for name in ("no-inputs", "latin", "huge"):
        assert states[name][0] == "UNAVAILABLE", name
        assert states[name][1] not in ("", "not loaded")


async def test_a_folder_that_may_not_be_read_is_no_model(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    # `lost+found` of a fresh volume belongs to root; this test may run as root, so the refusal is played.
    linear_model(repository.root / "good" / "1" / "model.onnx", weight(1))
    (repository.root / "closed").mkdir()
    iterdir = Path.iterdir

    def refusing(self: Path) -> object:
        if self.name == "closed":
            raise PermissionError(13, "Permission denied", str(self))
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", refusing)
    await repository.load_all()
    assert [(entry["name"], entry["state"]) for entry in repository.index()] == [("good", "READY")]
    with pytest.raises((NotFound, InternalError)):
        await repository.load("closed")


@pytest.mark.parametrize("version", ["9" * 5000, "01", "1 ", "²", "-1", "+1", "1_0"])
async def test_a_version_is_known_by_its_own_spelling_only(repository: Repository, version: str) -> None:
    linear_model(repository.root / "m" / "1" / "model.onnx", weight(1))
    await repository.load("m")
    with pytest.raises(NotFound) as missing:
        await repository.get("m", version)
    assert missing.value.code == "unknown_version"
    assert len(missing.value.message) < 300
