"""Brings a model file into memory and proves it, on a thread of its own: digest, manifest against graph, golden input.

Also measures a model that no cache knows yet (`engine/calibration.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from equiserve.artifact import Batching, Manifest, ModelFolder, TensorSpec, find_model
from equiserve.artifact.datatypes import NUMPY_OF
from equiserve.artifact.digest import sha256_of
from equiserve.artifact.folder import verify_digest
from equiserve.engine import Calibration, CalibrationCache, ServedModel
from equiserve.engine.calibration import (
    USEFUL,
    USEFUL_STEPS,
    Useful,
    golden_inputs,
    measure,
    open_size,
    unmeasured,
)
from equiserve.errors import EquiServeError, InternalError, InvalidRequest
from equiserve.runtimes import Runtime, open_runtime

log = logging.getLogger("equiserve.repository")

#: The cap for a plain ONNX file with a free batch axis: what calibration may choose below.
_PLAIN_MAX_BATCH = 16
_GOLDEN_ROWS = 2


@dataclass(frozen=True)
class Opened:
    """A proven model file, ready to be served."""

    manifest: Manifest
    runtime: Runtime
    calibration: Calibration
    digest: str


class Loader:
    """Opens and measures model files.

    Args:
        root: The folder of model folders.
        cache: Where calibrations are kept.
        threads: CPU threads that models share.
        device: `auto`, `cpu` or `cuda`, for models whose manifest does not choose.
    """

    def __init__(self, root: Path, cache: CalibrationCache, *, threads: int, device: str) -> None:
        self._root = root
        self._cache = cache
        self._threads = threads
        self._device = device

    def open(self, folder: ModelFolder, manifest: Manifest | None, number: int, name: str) -> Opened:
        """Return a proven model file.

        Args:
            folder: What lies on disk of the model.
            manifest: Its manifest; None for plain model files.
            number: The version.
            name: The runtime.

        Raises:
            InvalidRequest: Digest, format, or manifest against what the file says and does.
            InternalError: The golden input failed.
            Unsupported, Unavailable: The runtime or the device is not here.
        """
        path = folder.file(number, name)
        version = manifest.versions.get(str(number)) if manifest else None
        promised = version.files.get(path.name) if version else None
        digest = verify_digest(path, promised.sha256) if promised else sha256_of(path)
        threads = self._threads_of(manifest) or 1
        runtime = open_runtime(name, path, manifest, device=self._device_of(manifest), threads=threads)
        if manifest is not None:
            _agree(manifest, runtime, path)
        specs = tuple(manifest.inputs) if manifest else runtime.inputs
        outputs = _prove(runtime, path, specs, manifest.points if manifest else None)
        unbatched = _without_batch_axis(runtime, outputs)
        if manifest is None:
            manifest = _manifest_of(folder.name, runtime, path, batched=unbatched is None)
        elif manifest.batching.max_batch and unbatched is not None:
            raise InvalidRequest(
                f"{path}: batching.max_batch is {manifest.batching.max_batch}, but {unbatched}; "
                "expected batching.max_batch: 0",
                code="no_batch_axis",
                field="batching.max_batch",
            )
        max_batch = manifest.batching.max_batch
        calibration = self._cache.get(*self._key(digest, runtime, manifest))
        if calibration is None:
            calibration = unmeasured(runtime, max(max_batch, 1))
        elif calibration.threads != runtime.threads:
            runtime = open_runtime(name, path, manifest, device=self._device_of(manifest), threads=calibration.threads)
        return Opened(manifest, runtime, calibration, digest)

    def measure(self, served: ServedModel, wait_for_idleness: Callable[[], None]) -> tuple[Calibration, Runtime]:
        """Measure a served model, keep the result, and return it with the session of the chosen thread count.

        Raises:
            EquiServeError: The file changed on disk meanwhile, or the model failed.
        """
        manifest = served.manifest
        path = find_model(self._root, served.name).file(int(served.version), served.runtime.name)
        opened: dict[int, Runtime] = {served.runtime.threads: served.runtime}

        def open_with(threads: int) -> Runtime:
            if threads not in opened:
                verify_digest(path, served.file_digest)
                opened[threads] = open_runtime(
                    served.runtime.name, path, manifest, device=self._device_of(manifest), threads=threads
                )
            return opened[threads]

        try:
            calibration = measure(
                open_with,
                max_batch=manifest.batching.max_batch,
                threads=self._threads,
                fixed_threads=self._threads_of(manifest),
                specs=tuple(manifest.inputs),
                useful=_useful(manifest),
                told_size=manifest.points,
                wait_for_idleness=wait_for_idleness,
            )
        except EquiServeError:
            raise
        except Exception as error:  # noqa: BLE001 - each runtime raises its own types
            raise InternalError(f"{path}: failed while it was measured: {error}", code="calibration_failed") from None
        self._cache.put(calibration, *self._key(served.file_digest, served.runtime, manifest))
        return calibration, open_with(calibration.threads)

    def _key(self, digest: str, runtime: Runtime, manifest: Manifest) -> tuple[object, ...]:
        """Return all that a measurement depends on, beside the CPU."""
        fixed_threads, max_batch = self._threads_of(manifest), manifest.batching.max_batch
        return (
            digest,
            runtime.version,
            runtime.device,
            self._threads,
            fixed_threads,
            max_batch,
            _useful(manifest),
        )

    def _threads_of(self, manifest: Manifest | None) -> int | None:
        chosen = manifest.device.threads if manifest else None
        return None if chosen is None else min(chosen, self._threads)

    def _device_of(self, manifest: Manifest | None) -> str:
        return manifest.device.kind if manifest and manifest.device.kind != "auto" else self._device


def _useful(manifest: Manifest) -> Useful:
    return USEFUL_STEPS if manifest.task == "generate" else USEFUL


def _manifest_of(name: str, runtime: Runtime, path: Path, *, batched: bool) -> Manifest:
    """Return what a plain file says of itself: no symmetry, no labels; raises InvalidRequest."""
    try:
        return Manifest(
            schema_version=1,
            name=name,
            inputs=list(runtime.inputs),
            outputs=list(runtime.outputs),
            batching=Batching(max_batch=_PLAIN_MAX_BATCH if batched else 0),
        )
    except ValidationError as error:
        wrong = "; ".join(f"{item['loc'][0] if item['loc'] else 'model'}: {item['msg']}" for item in error.errors())
        raise InvalidRequest(f"{path}: {wrong}", code="invalid_model", field=str(path)) from None


def _agree(manifest: Manifest, runtime: Runtime, path: Path) -> None:
    """Compare what the manifest and the graph say of names, datatypes and shapes; raises InvalidRequest."""
    for side, promised, found in (
        ("inputs", manifest.inputs, runtime.inputs),
        ("outputs", manifest.outputs, runtime.outputs),
    ):
        if [_signature(spec) for spec in promised] != [_signature(spec) for spec in found]:
            raise InvalidRequest(
                f"{path}: the manifest's {side} are {[_signature(spec) for spec in promised]}, "
                f"the file's are {[_signature(spec) for spec in found]}",
                code="manifest_disagrees",
                field=side,
            )


def _signature(spec: TensorSpec) -> tuple[str, str, tuple[int, ...]]:
    return (spec.name, spec.datatype, spec.shape)


def _prove(runtime: Runtime, path: Path, specs: tuple[TensorSpec, ...], told_size: int | None) -> list[np.ndarray]:
    """Run the golden input once and return the outputs: a model that cannot run must not become ready."""
    try:
        outputs = list(runtime.run(golden_inputs(specs, _GOLDEN_ROWS, open_size(runtime, told_size))))
    except Exception as error:  # noqa: BLE001 - each runtime raises its own types
        raise InternalError(f"{path}: failed on the golden input: {error}", code="golden_input_failed") from None
    # A graph carries its own types; a scripted module gives what its manifest says, or something else.
    if runtime.name != "onnx" and not (
        len(outputs) == len(runtime.outputs) and all(map(_fits, runtime.outputs, outputs))
    ):
        raise InvalidRequest(
            f"{path}: the manifest's outputs are {[_signature(spec) for spec in runtime.outputs]}, "
            f"the file gave {[(str(array.dtype), array.shape) for array in outputs]}",
            code="manifest_disagrees",
            field="outputs",
        )
    for spec, array in zip(runtime.outputs, outputs, strict=True):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            log.warning("golden input gave values that are not finite", extra={"file": str(path), "output": spec.name})
    return outputs


def _fits(spec: TensorSpec, array: np.ndarray) -> bool:
    return (
        array.dtype == NUMPY_OF[spec.datatype]
        and array.ndim == len(spec.shape)
        and all(size in (-1, own) for size, own in zip(spec.shape, array.shape, strict=True))
    )


def _without_batch_axis(runtime: Runtime, outputs: list[np.ndarray]) -> str | None:
    """Return which tensor has no batch axis in front, in words; None where all have one.

    A free first axis is no batch axis yet: as many rows must come out as went in.
    """
    for side, specs in (("input", runtime.inputs), ("output", runtime.outputs)):
        for spec in specs:
            if spec.shape[:1] != (-1,):
                return f"{side} {spec.name!r} has shape {list(spec.shape)}"
    for spec, array in zip(runtime.outputs, outputs, strict=True):
        if array.shape[0] != _GOLDEN_ROWS:
            return f"output {spec.name!r} has {array.shape[0]} rows for {_GOLDEN_ROWS} rows of input"
    return None
