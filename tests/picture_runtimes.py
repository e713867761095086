"""Classifiers of pictures in pure numpy, served by the real engine: some symmetric, some not, some broken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from equiserve.artifact import Batching, GroupSpec, Manifest, Symmetry, TensorSpec
from equiserve.engine import Calibration, Scheduler, ServedModel

Scores = Callable[[np.ndarray], np.ndarray]


class PictureRuntime:
    """Scores [n, K] = `scores`(pictures [n, C, H, W]).

    `batches` keeps every batch it was given; `gate` holds calls back until it is set, from call number `free` on.
    """

    name = "onnx"
    version = "numpy"
    device = "cpu"
    threads = 1

    def __init__(self, scores: Scores, *, shape: tuple[int, ...] = (-1, 1, 28, 28), datatype: str = "UINT8") -> None:
        self.inputs = (TensorSpec(name="image", datatype=datatype, shape=shape),)
        self.outputs = (TensorSpec(name="scores", datatype="FP32", shape=(-1, -1)),)
        self.scores = scores
        self.batches: list[np.ndarray] = []
        self.gate = threading.Event()
        self.free = 1 << 30

    def run(self, inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        self.batches.append(inputs["image"])
        if len(self.batches) > self.free:
            self.gate.wait(30)
        return [self.scores(inputs["image"]).astype(np.float32)]


def histogram(pictures: np.ndarray) -> np.ndarray:
    """Count the pixels of four ranges of brightness: blind to where they are, to the last bit."""
    bins = pictures.reshape(len(pictures), -1) >> 6
    return np.stack([(bins == k).sum(axis=1) for k in range(4)], axis=1) / 64


def position_weights(height: int = 28, width: int = 28) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(height * width, 4)) / 600


def by_position(pictures: np.ndarray) -> np.ndarray:
    """Weigh every pixel by its place."""
    return pictures.reshape(len(pictures), -1) @ position_weights(*pictures.shape[2:])


def constant(pictures: np.ndarray) -> np.ndarray:
    return np.tile([3.0, 1.0, 0.0, 0.0], (len(pictures), 1))


def serve(
    scheduler: Scheduler,
    runtime: PictureRuntime,
    *,
    groups: Mapping[str, GroupSpec] | None = None,
    symmetries: Sequence[Symmetry] = (),
    labels: list[str] | None = None,
    max_batch: int = 8,
    stable_batch: int = 2,
    kinds: tuple[str, str] = ("picture", "logits"),
    **manifest: object,
) -> ServedModel:
    """Return a model that declares what it is told to."""
    spec = Manifest(
        schema_version=1,
        name="fake",
        inputs=[runtime.inputs[0].model_copy(update={"kind": kinds[0]})],
        outputs=[runtime.outputs[0].model_copy(update={"kind": kinds[1]})],
        groups=dict(groups or {}),
        symmetries=list(symmetries),
        labels=labels,
        batching=Batching(max_batch=max_batch),
        **manifest,
    )
    calibration = Calibration(True, stable_batch, 1e-7, True, max_batch or 1, 0.0, 0.0, 1, "a cpu", "numpy")
    return ServedModel(spec, "1", runtime, calibration, scheduler, file_digest="0" * 64, max_queued_rows=4096)


SHIFTS = {"shifts": GroupSpec(name="CyclicShift")}
EXACT_SHIFTS = [Symmetry(group="shifts", level="exact")]
