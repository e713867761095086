"""From a request to an orbit of named tensors: the signature that the manifest declares, tried before the model is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from equiserve.artifact import Manifest, Symmetry
from equiserve.checks.estimate import CheckEstimate, even_batch, learned_seconds, smallest_batch
from equiserve.checks.named_tensors.controls import UNRELATED, repeat_sizes
from equiserve.checks.named_tensors.request import TensorCheckRequest, TensorReference
from equiserve.checks.planner import standing_level
from equiserve.checks.selection import Draw, select
from equiserve.engine import ServedModel
from equiserve.engine.validation import validate
from equiserve.errors import InvalidRequest, Unsupported
from equiserve.symmetry import (
    METRICS,
    FieldType,
    Group,
    Level,
    Signature,
    TensorOrbit,
    declared_group,
    dry_run,
    group_from_spec,
)
from equiserve.symmetry.gates import Gate, gates_from_json

# Of one batch of moved inputs.
_BATCH_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """What will be run.

    Attributes:
        orbit: The inputs, the elements, and which of them are exact.
        level: What the model declares of the group; `none` where it declares nothing.
        declared: The manifest's entry for the group.
        batch: Members in each call of the model.
        estimate: What the check costs.
        draw: How the elements were drawn at random; None where they were not.
        gates: What the metrics must reach; none = the declared level decides.
    """

    orbit: TensorOrbit
    level: Level
    declared: Symmetry | None
    batch: int
    estimate: CheckEstimate
    draw: Draw | None = None
    gates: tuple[Gate, ...] = ()

    @property
    def group(self) -> Group[Any]:
        """The group."""
        return self.orbit.signature.group


def plan_tensor_check(model: ServedModel, request: TensorCheckRequest, *, max_orbit: int) -> TensorPlan:
    """Plan a check; the declared actions are tried on random arrays first: not for the event loop.

    Raises:
        InvalidRequest: A field of the request, an input that does not fit the model, or a declaration that is none: a
            group that does not fit a tensor (the message names tensor and axis), no representation, nothing that moves.
        TooLarge: The orbit (`orbit_too_large`).
        Unsupported: A tensor of text.
    """
    _require_known_names(request)
    manifest = model.manifest
    arrays = dict(zip((spec.name for spec in model.runtime.inputs), validate(model, request.inputs), strict=True))
    _require_one_row(model, arrays)
    signature, declared = _resolve(manifest, request.group, arrays)
    selection = select(request.elements, signature.group, max_orbit, model)
    orbit = TensorOrbit.of(arrays, signature, elements=selection.elements)
    level = standing_level(declared, manifest, model.version)
    batch = _batch(model, orbit)
    gates = tuple(gates_from_json(request.gate))
    return TensorPlan(orbit, level, declared, batch, _estimate(model, orbit, batch), selection.draw, gates)


def _resolve(manifest: Manifest, asked: object, arrays: Mapping[str, np.ndarray]) -> tuple[Signature, Symmetry | None]:
    """Return the signature and the manifest's first entry for its group."""
    sizes = _named_sizes(manifest, arrays)
    shapes = _shapes(manifest, arrays, sizes)
    if asked is None:
        return _first_that_fits(manifest, shapes)
    if not isinstance(asked, str | Mapping):
        raise InvalidRequest(f"group: got {asked!r}, expected a name or an object", field="group")
    group: str | Group[Any]
    if isinstance(asked, str) and asked in manifest.groups:
        group = asked
    else:
        chosen = group_from_spec(asked, height=sizes.get("height"), width=sizes.get("width"))
        # What the manifest declares of this very group holds whatever it is called.
        group = next((key for key in manifest.groups if _is(manifest, key, chosen, sizes)), chosen)
    signature = Signature.of(manifest, group, shapes=shapes)
    dry_run(signature)
    return signature, next((symmetry for symmetry in manifest.symmetries if symmetry.group == group), None)


def _first_that_fits(manifest: Manifest, shapes: Mapping[str, Sequence[int]]) -> tuple[Signature, Symmetry]:
    refused: InvalidRequest | None = None
    for symmetry in manifest.symmetries:
        try:
            signature = Signature.of(manifest, symmetry.group, shapes=shapes)
            dry_run(signature)
        except InvalidRequest as error:
            refused = refused or error
        else:
            return signature, symmetry
    raise refused or InvalidRequest(
        f"group: model {manifest.name} declares no symmetry, so the group must be named: one of its groups "
        f"{sorted(manifest.groups)}, or e.g. 'SO3', 'S5', 'C4'",
        code="group_missing",
        field="group",
    )


def _is(manifest: Manifest, key: str, group: Group[Any], sizes: Mapping[str, int]) -> bool:
    try:
        return declared_group(manifest, key, height=sizes.get("height"), width=sizes.get("width")) == group
    except InvalidRequest:
        return False


def _named_sizes(manifest: Manifest, arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return the size of each named axis of the inputs but the batch; the first input that has it counts."""
    sizes: dict[str, int] = {}
    for tensor in manifest.inputs:
        for axis, size in zip(FieldType(tensor).axes, arrays[tensor.name].shape, strict=True):
            if axis not in ("", "batch"):
                sizes.setdefault(axis, size)
    return sizes


def _shapes(
    manifest: Manifest, arrays: Mapping[str, np.ndarray], sizes: Mapping[str, int]
) -> dict[str, tuple[int, ...]]:
    """Return the inputs' shapes, and the outputs': an open axis is as long as the inputs' axis of the same name."""
    shapes = {name: array.shape for name, array in arrays.items()}
    for tensor in manifest.outputs:
        axes = FieldType(tensor).axes
        shapes[tensor.name] = tuple(
            sizes.get(axis, size) if size == -1 else size for axis, size in zip(axes, tensor.shape, strict=True)
        )
    return shapes


def _batch(model: ServedModel, orbit: TensorOrbit) -> int:
    if not model.batched:
        return 1
    member = sum(array.nbytes for array in orbit.inputs.values())
    most = max(1, min(model.background_rows(), len(orbit), _BATCH_BYTES // max(member, 1)))
    return max(model.min_batch, even_batch(len(orbit), most))


def _estimate(model: ServedModel, orbit: TensorOrbit, batch: int) -> CheckEstimate:
    smallest = smallest_batch(model)
    sizes = repeat_sizes(batch, smallest) + [smallest] * len(UNRELATED)
    full = -(-len(orbit) // batch)
    calls, rows = len(sizes) + full, sum(sizes) + full * batch
    return CheckEstimate(len(orbit), int(orbit.exact.sum()), batch, calls, rows, learned_seconds(model, rows, calls))


def _require_one_row(model: ServedModel, arrays: Mapping[str, np.ndarray]) -> None:
    for spec in (*model.runtime.inputs, *model.runtime.outputs):
        if spec.datatype == "BYTES":
            raise Unsupported(f"{spec.name}: text is not moved by any group", code="text_tensor", field=spec.name)
    for name, array in arrays.items():
        if not array.size:
            raise InvalidRequest(
                f"inputs.{name}: got shape {list(array.shape)}, expected some numbers", field=f"inputs.{name}"
            )
        if model.batched and array.shape[0] != 1:
            raise InvalidRequest(
                f"inputs.{name}: a check takes one input, got {array.shape[0]} rows",
                code="too_many_inputs",
                field=f"inputs.{name}",
            )


def _require_known_names(request: TensorCheckRequest) -> None:
    if request.reference not in get_args(TensorReference):
        raise InvalidRequest(
            f"reference: got {request.reference!r}, expected one of {list(get_args(TensorReference))}",
            field="reference",
        )
    if unknown := [name for name in request.metrics or () if name not in METRICS]:
        raise InvalidRequest(
            f"metrics: unknown metric {unknown[0]!r}, expected any of {list(METRICS)}", field="metrics"
        )
