"""From a request to pairs of an element and an input, for every candidate; what is no declaration is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from equiserve.artifact import Symmetry
from equiserve.artifact.manifest import Level
from equiserve.checks.candidates.request import CandidatesRequest
from equiserve.checks.planner import standing_level
from equiserve.engine import ServedModel
from equiserve.engine.validation import validate
from equiserve.errors import EquiServeError, InvalidRequest, TooLarge, Unsupported
from equiserve.symmetry import Element, Signature, dry_run
from equiserve.symmetry.independent_pairs import draw_elements
from equiserve.symmetry.normalisation import normalisation_warnings

_BATCH_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class CandidatePlan:
    """One group, and the elements that will be tried.

    Attributes:
        key: What the manifest calls the group.
        signature: How the tensors move.
        elements: Independent draws, one a pair.
        level: What stands of the declaration; None where none is there.
        declared: The manifest's entry.
        warnings: What breaks the symmetry before the first weight.
    """

    key: str
    signature: Signature
    elements: list[Element]
    level: Level | None
    declared: Symmetry | None
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class RefusedCandidate:
    """A declared group that does not act on the model's tensors, and why."""

    key: str
    error: EquiServeError


@dataclass(frozen=True, slots=True)
class CandidatesPlan:
    """What will be run.

    Attributes:
        inputs: By name, [N, ...].
        rows: N.
        batch: Pairs in each call of the model.
        candidates: In the manifest's order.
        refused: Those that cannot be tried.
    """

    inputs: dict[str, np.ndarray]
    rows: int
    batch: int
    candidates: list[CandidatePlan]
    refused: list[RefusedCandidate]


def plan_candidates(model: ServedModel, request: CandidatesRequest, *, max_orbit: int) -> CandidatesPlan:
    """Plan a check; every declared action is tried on random arrays first: not for the event loop.

    Raises:
        InvalidRequest: A field of the request, an input that does not fit the model, no group in the manifest, or a
            group that was named and does not act on the tensors.
        TooLarge: More elements than one check may try, or more inputs than elements.
        Unsupported: A tensor of text, or a model without a batch axis.
    """
    manifest = model.manifest
    names = [spec.name for spec in model.runtime.inputs]
    arrays = dict(zip(names, validate(model, request.inputs), strict=True))
    _require_numbers(model)
    rows = len(next(iter(arrays.values())))
    _require_elements(request.elements, rows, max_orbit)
    if not manifest.groups:
        raise InvalidRequest(
            f"model {manifest.name} declares no groups, expected candidates in its manifest",
            code="no_candidates",
            field="groups",
        )
    unknown = [key for key in request.groups or () if key not in manifest.groups]
    if unknown:
        raise InvalidRequest(
            f"groups: unknown group {unknown[0]!r}, declared are {sorted(manifest.groups)}", field="groups"
        )
    candidates, refused = [], []
    for key in request.groups or manifest.groups:
        try:
            candidates.append(_candidate(model, key, arrays, request))
        except EquiServeError as error:
            if request.groups is not None:
                raise
            refused.append(RefusedCandidate(key, error))
    member = max(1, sum(array[:1].nbytes for array in arrays.values()))
    batch = max(model.min_batch, min(model.max_batch, request.elements, _BATCH_BYTES // member))
    return CandidatesPlan(arrays, rows, batch, candidates, refused)


def _candidate(
    model: ServedModel, key: str, arrays: Mapping[str, np.ndarray], request: CandidatesRequest
) -> CandidatePlan:
    manifest = model.manifest
    signature = Signature.of(manifest, key, shapes={name: array.shape for name, array in arrays.items()})
    dry_run(signature)
    declared = next((symmetry for symmetry in manifest.symmetries if symmetry.group == key), None)
    level = None if declared is None else standing_level(declared, manifest, model.version)
    elements = draw_elements(signature, request.elements, request.seed)
    return CandidatePlan(key, signature, elements, level, declared, normalisation_warnings(signature, key))


def _require_numbers(model: ServedModel) -> None:
    if not model.batched:
        raise Unsupported(
            f"model {model.name} has no batch axis; check one group at a time", code="not_batched", field="model"
        )
    for spec in (*model.runtime.inputs, *model.runtime.outputs):
        if spec.datatype == "BYTES":
            raise Unsupported(f"{spec.name}: text is not moved by any group", code="text_tensor", field=spec.name)


def _require_elements(elements: object, rows: int, most: int) -> None:
    if type(elements) is not int or elements < 1:
        raise InvalidRequest(f"elements: got {elements!r}, expected a whole number of at least 1", field="elements")
    if max(elements, rows) > most:
        raise TooLarge(
            f"elements: got {elements} elements and {rows} inputs, at most {most} are tried in one check",
            code="orbit_too_large",
            field="elements",
        )
    if rows > elements:
        raise InvalidRequest(
            f"elements: got {elements} for {rows} inputs, expected at least one element an input", field="elements"
        )
