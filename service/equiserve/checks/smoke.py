"""Tries the symmetries that a model declares once it is measured: a few elements of noise, in the background.

A declaration that does not hold is logged and counted, never a reason to refuse the model: noise is no input that
anybody cares for, and an operator may know why.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from equiserve.artifact.datatypes import NUMPY_OF
from equiserve.checks.checker import AnyCheckRequest, Checker
from equiserve.checks.named_tensors import TensorCheckRequest
from equiserve.checks.request import CheckRequest
from equiserve.classifier import PictureClassifier
from equiserve.engine import RequestContext, ServedModel
from equiserve.errors import EquiServeError

log = logging.getLogger("equiserve.checks")

_ELEMENTS = 5
_OPEN_SIZE = 64
# Kinds that mean nothing below zero.
_POSITIVE = ("picture", "noise_level", "probabilities", "scalar")


class SmokeChecks:
    """Smoke checks of served models, and what they found.

    Args:
        checker: Whose bounds and statistics are used.
    """

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._found: WeakKeyDictionary[ServedModel, dict[str, dict[str, Any]]] = WeakKeyDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, model: ServedModel) -> None:
        """Try a model's declared symmetries; like every check they wait for the foreground."""
        if any(symmetry.level != "none" for symmetry in model.manifest.symmetries):
            task = asyncio.create_task(self._try_all(model))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def found(self, model: ServedModel) -> dict[str, dict[str, Any]]:
        """Return by the manifest's name of each group that was tried: `level`, `status`, `reason`."""
        return self._found.get(model, {})

    def close(self) -> None:
        """Stop trying."""
        for task in self._tasks:
            task.cancel()

    async def _try_all(self, model: ServedModel) -> None:
        given: np.ndarray | dict[str, np.ndarray]
        try:
            given = _noise(PictureClassifier.of(model))
        except EquiServeError:
            given = noise_inputs(model)
        for symmetry in model.manifest.symmetries:
            # A level that was measured on data says nothing of noise.
            if symmetry.level == "none" or (symmetry.level == "approximate" and symmetry.source == "measured"):
                continue
            try:
                await self._try(model, symmetry.group, given)
            except EquiServeError as error:
                log.info(
                    "declared symmetry not tried",
                    extra={"model": model.name, "group": symmetry.group, "error": error.message},
                )

    async def _try(self, model: ServedModel, group: str, given: np.ndarray | dict[str, np.ndarray]) -> None:
        request: AnyCheckRequest
        if isinstance(given, dict):
            request = TensorCheckRequest(model.name, given, model.version, group=group, elements=_ELEMENTS)
        else:
            request = CheckRequest(model.name, given, model.version, group=group, elements=_ELEMENTS)
        context = RequestContext(f"smoke-{model.name}-{model.version}-{group}")
        content = await self._checker.check_model(model, request, context, "smoke")
        level, verdict = content["level"], content["verdict"]
        self._found.setdefault(model, {})[group] = {
            "level": level,
            "status": verdict["status"],
            "reason": verdict["reason"],
        }
        violated = level == "exact" and verdict["status"] == "fail"
        log.log(
            logging.WARNING if violated else logging.INFO,
            "declared symmetry is violated" if violated else "declared symmetry tried",
            extra={
                "model": model.name,
                "version": model.version,
                "group": group,
                "declared": level,
                "status": verdict["status"],
                "reason": verdict["reason"],
            },
        )


def _noise(classifier: PictureClassifier) -> np.ndarray:
    channels, height, width = classifier.input.shape[1:]
    shape = (3 if channels == -1 else channels, *(_OPEN_SIZE if size == -1 else size for size in (height, width)))
    return np.random.Generator(np.random.Philox(1)).integers(0, 256, shape, np.uint8)


def noise_inputs(model: ServedModel) -> dict[str, np.ndarray]:
    """Return one row of random inputs of the kinds that a manifest declares.

    Axes that it leaves open are 64 long; a body fitter gets as many points as it takes.
    """
    rng = np.random.Generator(np.random.Philox(1))
    inputs = {}
    open_size = model.manifest.points or _OPEN_SIZE
    for tensor in model.manifest.inputs:
        shape = tuple(open_size if size == -1 else size for size in tensor.shape)
        shape = (1, *shape[1:]) if model.batched else shape
        dtype = np.dtype(NUMPY_OF[tensor.datatype])
        if tensor.value_range is not None or tensor.kind in _POSITIVE or dtype.kind != "f":
            end = 255.0 if tensor.kind == "picture" and dtype.kind != "f" else 1.0
            # Class 0 often means none.
            low, high = tensor.value_range or (float(tensor.kind == "label"), end)
            values = rng.uniform(low, high, shape)
        else:
            values = rng.normal(size=shape)
        inputs[tensor.name] = (np.rint(values) if dtype.kind in "uib" else values).astype(dtype)
    return inputs
