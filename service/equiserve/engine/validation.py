"""Whether named arrays are what a model takes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from equiserve.artifact.datatypes import NUMPY_OF, datatype_of
from equiserve.engine.model import ServedModel
from equiserve.errors import InvalidRequest


def validate(model: ServedModel, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Return the inputs in the model's order after checking names, datatypes and shapes; raises InvalidRequest."""
    specs = model.runtime.inputs
    ordered: list[np.ndarray] = []
    rows = -1
    for spec in specs:
        array = inputs.get(spec.name)
        if array is None:
            names = [known.name for known in specs]
            raise InvalidRequest(
                f"input {spec.name!r} is missing: got {sorted(inputs)}, expected {names}",
                code="missing_input",
                field=f"inputs.{spec.name}",
            )
        if array.dtype != NUMPY_OF[spec.datatype]:
            raise InvalidRequest(
                f"input {spec.name!r}: datatype is {datatype_of(array)}, expected {spec.datatype}",
                code="wrong_datatype",
                field=f"inputs.{spec.name}.datatype",
            )
        if spec.datatype == "BYTES":
            _require_text(array, spec.name)
        shape = array.shape
        if len(shape) != len(spec.shape) or any(
            want not in (-1, got) for want, got in zip(spec.shape, shape, strict=True)
        ):
            raise InvalidRequest(
                f"input {spec.name!r}: shape is {list(shape)}, expected {list(spec.shape)} (-1: any size)",
                code="wrong_shape",
                field=f"inputs.{spec.name}.shape",
            )
        if model.batched:
            if rows == -1:
                rows = shape[0]
            if shape[0] != rows or rows == 0:
                raise InvalidRequest(
                    f"input {spec.name!r}: {shape[0]} rows, expected {rows or 'at least one'} as in the first input",
                    code="wrong_shape",
                    field=f"inputs.{spec.name}.shape",
                )
        ordered.append(array)
    if len(inputs) > len(specs):
        known = {spec.name for spec in specs}
        extra = sorted(set(inputs) - known)
        raise InvalidRequest(
            f"unknown inputs {extra}: expected {sorted(known)}", code="unknown_input", field=f"inputs.{extra[0]}"
        )
    return ordered


def _require_text(array: np.ndarray, name: str) -> None:
    # The runtimes know text, not bytes; found out by one of them, it would have spoilt a whole batch.
    for position, element in enumerate(array.flat):
        try:
            element.decode()
        except UnicodeDecodeError as error:
            raise InvalidRequest(
                f"input {name!r}: element {position} is no UTF-8 text ({error.reason} at byte {error.start})",
                code="not_text",
                field=f"inputs.{name}",
            ) from None
