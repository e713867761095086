"""Named tensors in, named tensors out, with what the manifest says of them: units, frames, how each moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from equiserve.artifact import TensorSpec
from equiserve.artifact.datatypes import datatype_of
from equiserve.engine import RequestContext, ServedModel
from equiserve.engine.core import DEFAULT_PRIORITY
from equiserve.engine.validation import validate
from equiserve.errors import InvalidRequest, Unsupported


@dataclass(slots=True)
class RegressRequest:
    """Inputs for one regressor.

    Attributes:
        model: Name of the model.
        version: Its version; empty = the newest that is loaded.
        runtime: Runtime to use; None = the model's first.
        inputs: The model's inputs by name, in its datatypes.
        truth: What came true, by the names of outputs, of their shapes; the errors are then part of the answer.
        priority: 1 is the most urgent; 0 = the default.
    """

    model: str
    version: str = ""
    runtime: str | None = None
    inputs: Mapping[str, np.ndarray] = field(default_factory=dict)
    truth: Mapping[str, np.ndarray] = field(default_factory=dict)
    priority: int = 0


@dataclass(frozen=True, slots=True)
class RegressedTensor:
    """One output.

    Attributes:
        spec: What the manifest says of it.
        array: The numbers.
        error: Root mean square of its difference to the truth, in its units; None where no truth came.
    """

    spec: TensorSpec
    array: np.ndarray
    error: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the output as JSON values; numbers nested as the shape says, what is not finite as null."""
        return {
            "datatype": datatype_of(self.array),
            "shape": list(self.array.shape),
            "data": self.array,
            "units": self.spec.units,
            "kind": self.spec.kind,
            "frame": self.spec.frame,
            "relative_to": self.spec.relative_to,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Regression:
    """The answer to a `RegressRequest`.

    Attributes:
        model: The model that answered.
        outputs: By name, in the model's order.
        guarantee: Which symmetries hold of these answers, in words; None where none is declared.
    """

    model: ServedModel
    outputs: Mapping[str, RegressedTensor]
    guarantee: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the regression as values that orjson writes, arrays among them."""
        return {
            "model": self.model.name,
            "version": self.model.version,
            "runtime": self.model.runtime.name,
            "outputs": {name: output.to_json() for name, output in self.outputs.items()},
            "guarantee": self.guarantee,
        }


async def regress(model: ServedModel, request: RegressRequest, context: RequestContext) -> Regression:
    """Run a regressor once.

    Raises:
        Unsupported: The manifest gives the model another task (`not_a_regressor`).
        InvalidRequest: Inputs or truth that do not fit the model.
        Overloaded, DeadlineExceeded, Unavailable, InternalError: See `ServedModel.infer`.
    """
    if model.manifest.task not in ("regress", "infer"):
        raise Unsupported(
            f"model {model.name} is for the task {model.manifest.task!r}, expected 'regress'",
            code="not_a_regressor",
            field="model",
        )
    arrays = validate(model, request.inputs)
    specs = {spec.name: spec for spec in model.manifest.outputs}
    if unknown := sorted(request.truth.keys() - specs.keys()):
        raise InvalidRequest(
            f"truth.{unknown[0]}: it is no output, expected some of {sorted(specs)}", field=f"truth.{unknown[0]}"
        )
    answers = await model.infer(arrays, priority=request.priority or DEFAULT_PRIORITY, deadline=context.deadline)
    outputs = {
        spec.name: RegressedTensor(specs[spec.name], array, _error(spec.name, array, request.truth.get(spec.name)))
        for spec, array in zip(model.runtime.outputs, answers, strict=True)
    }
    return Regression(model, outputs, _guarantee(model))


def _error(name: str, array: np.ndarray, truth: np.ndarray | None) -> float | None:
    if truth is None:
        return None
    if truth.shape != array.shape:
        raise InvalidRequest(
            f"truth.{name}: shape is {list(truth.shape)}, expected {list(array.shape)}", field=f"truth.{name}"
        )
    difference = array.astype(np.float64) - truth.astype(np.float64)
    return float(np.sqrt(np.mean(difference**2)))


def _guarantee(model: ServedModel) -> str | None:
    exact = [symmetry for symmetry in model.manifest.symmetries if symmetry.level == "exact"]
    if not exact:
        return None
    return "; ".join(f"it moves with the input exactly under {one.group} ({one.source})" for one in exact)
