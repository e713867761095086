"""Fixtures that every part of the suite shares: small ONNX models built here, and a data plane over them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from onnx import TensorProto, helper

from equiserve.dataplane import DataPlane
from equiserve.engine import ComputePool, Scheduler
from equiserve.engine.threads import one_thread_a_product
from planes import served_plane
from small_models import linear_model, save

# ONNX Runtime reports to its maker unless told otherwise before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# As in the server: on a busy machine BLAS threads cost more than they give.
one_thread_a_product()

REPOSITORY = Path(__file__).parents[1]
ZOO = REPOSITORY / "models" / "zoo"


@pytest.fixture(scope="session")
def tiny_weight() -> np.ndarray:
    """The weight [4, 3] of model `tiny`: the independent truth of its answers."""
    return np.arange(12, dtype=np.float32).reshape(4, 3) - 5


@pytest.fixture(scope="session")
def repository_folder(tmp_path_factory: pytest.TempPathFactory, tiny_weight: np.ndarray) -> Path:
    """A repository of plain ONNX files: `tiny` (versions 1 and 2), `types` (an identity per datatype), `fixed`."""
    root = tmp_path_factory.mktemp("repository")
    linear_model(root / "tiny" / "1" / "model.onnx", tiny_weight)
    linear_model(root / "tiny" / "2" / "model.onnx", tiny_weight * 2)
    datatypes = {
        "BOOL": TensorProto.BOOL,
        "UINT8": TensorProto.UINT8,
        "INT32": TensorProto.INT32,
        "INT64": TensorProto.INT64,
        "FP16": TensorProto.FLOAT16,
        "FP32": TensorProto.FLOAT,
        "FP64": TensorProto.DOUBLE,
        "BYTES": TensorProto.STRING,
    }
    save(
        helper.make_graph(
            [helper.make_node("Identity", [f"in_{name}"], [f"out_{name}"]) for name in datatypes],
            "types",
            [helper.make_tensor_value_info(f"in_{name}", kind, ["batch", 2]) for name, kind in datatypes.items()],
            [helper.make_tensor_value_info(f"out_{name}", kind, ["batch", 2]) for name, kind in datatypes.items()],
        ),
        root / "types" / "1" / "model.onnx",
    )
    save(
        helper.make_graph(
            [helper.make_node("Neg", ["x"], ["y"])],
            "fixed",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])],
        ),
        root / "fixed.onnx",
    )
    return root


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def plane(repository_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DataPlane]:
    """A data plane over `repository_folder`, loaded."""
    async with served_plane(repository_folder, tmp_path_factory.mktemp("cache")) as plane:
        yield plane


@pytest_asyncio.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    """A device of one thread, for models that a test serves itself."""
    scheduler = Scheduler(threads=1)
    yield scheduler
    scheduler.stop(timeout_s=5)


@pytest.fixture(scope="session")
def compute() -> Iterator[ComputePool]:
    """A pool of one thread for what is no model call."""
    pool = ComputePool(1)
    yield pool
    pool.stop()


@pytest.fixture(scope="session")
def zoo() -> Path:
    """The models that are shipped."""
    if not any(ZOO.glob("*/model.yaml")):
        pytest.skip("models/zoo holds no model in this checkout")
    return ZOO


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Where the data sets lie."""
    root = os.environ.get("EQUISERVE_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("EQUISERVE_DATA names no folder: the data sets are not here (docs/data.md says how to get them)")
    return Path(root)
