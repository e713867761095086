"""From a request to an orbit: the picture, the group and what the model declares of it, the bound on its size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from equiserve.artifact import Manifest, Symmetry
from equiserve.checks.element_search import ElementSearch, element_search
from equiserve.checks.request import CheckRequest, ReferenceKind
from equiserve.checks.selection import Draw, Selection, select
from equiserve.classifier import PictureClassifier
from equiserve.errors import InvalidRequest
from equiserve.pictures import background_of, read_pictures
from equiserve.symmetry import (
    METRICS,
    Element,
    Group,
    Level,
    Orbit,
    PictureAction,
    RelabelClasses,
    declared_group,
    declared_relabelling,
    group_from_spec,
)
from equiserve.symmetry.gates import Gate, gates_from_json


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """What will be run.

    Attributes:
        orbit: The picture, the elements, and which of them are exact.
        level: What the model declares of the group; `none` where it declares nothing.
        declared: The manifest's entry for the group.
        label: The right class, for reference `label`.
        resized_from: (H, W) before the picture was brought to the model's size.
        draw: How the elements were drawn at random; None where they were not.
        search: What looks for worse elements after those of the orbit; None = nothing.
        gates: What the metrics must reach; none = the declared level decides.
        relabelling: Elements that change what a class is, and how; None = none does.
    """

    orbit: Orbit
    level: Level
    declared: Symmetry | None
    label: int | None
    resized_from: tuple[int, int] | None
    draw: Draw | None = None
    search: ElementSearch | None = None
    gates: tuple[Gate, ...] = ()
    relabelling: RelabelClasses | None = None

    @property
    def group(self) -> Group[Any]:
        """The group."""
        return self.orbit.group

    @property
    def searched(self) -> int:
        """Most elements that a search tries beside those of the orbit."""
        return 0 if self.search is None else max(0, self.search.budget - len(self.orbit))

    def pull_back(self, elements: Sequence[Element], scores: np.ndarray) -> np.ndarray:
        """Return the scores [n, K] of n moved pictures in terms of the picture as it came: rho(g)^-1 f(g x)."""
        if self.relabelling is None:
            return scores
        group = self.relabelling.group
        moved = [
            self.relabelling.move(group.canonical(group.inverse(g)), row)
            for g, row in zip(elements, scores, strict=True)
        ]
        return np.stack(moved)


def plan_check(classifier: PictureClassifier, request: CheckRequest, *, max_pixels: int, max_orbit: int) -> CheckPlan:
    """Plan a check; nothing is transformed yet, but the picture is decoded: not for the event loop.

    Raises:
        InvalidRequest: A field of the request, or a picture that cannot be read.
        TooLarge: The picture (`picture_too_large`) or the orbit (`orbit_too_large`).
    """
    _require_known_names(request)
    label = _label(classifier, request)
    manifest = classifier.model.manifest
    (picture,) = read_pictures(
        [request.picture], classifier.input, input_fit=manifest.input_fit, max_pixels=max_pixels, field="picture"
    )
    height, width = picture.array.shape[1:]
    group, declared = _resolve(manifest, request.group, height, width)
    search, asked = None, request.elements
    if request.search:
        search, asked = element_search(group, asked, request.search_budget, max_orbit), None
    selection = select(asked, group, max_orbit, classifier.model) if search is None else Selection(search.start())
    orbit = Orbit.of(picture.array, group, elements=selection.elements, background=background_of(classifier.input))
    return CheckPlan(
        orbit,
        standing_level(declared, manifest, classifier.model.version),
        declared,
        label,
        picture.resized_from,
        draw=selection.draw,
        search=search,
        gates=tuple(gates_from_json(request.gate)),
        relabelling=_relabelling(classifier, group, height, width),
    )


def _relabelling(classifier: PictureClassifier, group: Group[Any], height: int, width: int) -> RelabelClasses | None:
    scores = classifier.model.runtime.outputs[classifier.output].name
    return declared_relabelling(classifier.model.manifest, scores, group, height=height, width=width)


def _resolve(manifest: Manifest, asked: object, height: int, width: int) -> tuple[Group[Any], Symmetry | None]:
    """Return the group and the manifest's first entry for that very group."""
    declared: list[tuple[Group[Any], Symmetry]] = []
    named: dict[str, Group[Any]] = {}
    for symmetry in manifest.symmetries:
        try:
            group = declared_group(manifest, symmetry.group, height=height, width=width)
            PictureAction(group).exact(group.identity, (height, width))
        except InvalidRequest:
            continue  # a group that does not act on pictures
        declared.append((group, symmetry))
        named.setdefault(symmetry.group, group)
    if asked is None:
        if not declared:
            raise InvalidRequest(
                f"group: model {manifest.name} declares no symmetry of pictures, so the group must be named, "
                "e.g. 'CyclicShift', 'C4' or 'SO2'",
                code="group_missing",
                field="group",
            )
        return declared[0]
    if not isinstance(asked, str | Mapping):
        raise InvalidRequest(f"group: got {asked!r}, expected a name or an object", field="group")
    chosen = named.get(asked) if isinstance(asked, str) else None
    chosen = chosen or group_from_spec(asked, height=height, width=width)
    return chosen, next((symmetry for group, symmetry in declared if group == chosen), None)


def standing_level(declared: Symmetry | None, manifest: Manifest, version: str) -> Level:
    """Return the level that is declared of a version's file; what was measured on another file is void."""
    if declared is None:
        return "none"
    files = manifest.versions[version].files if version in manifest.versions else {}
    holds = declared.file_digest is None or declared.file_digest in {file.sha256 for file in files.values()}
    return declared.level if holds else "none"


def _label(classifier: PictureClassifier, request: CheckRequest) -> int | None:
    if request.reference != "label":
        if request.label is not None:
            raise InvalidRequest(
                f"label: got {request.label!r} with reference {request.reference!r}, expected reference 'label'",
                field="label",
            )
        return None
    labels = classifier.model.manifest.labels
    if isinstance(request.label, str) and labels and request.label in labels:
        return labels.index(request.label)
    classes = classifier.classes
    index = request.label if isinstance(request.label, int) and not isinstance(request.label, bool) else -1
    if index >= 0 and (classes is None or index < classes):
        return index
    known = f"one of {labels}" if labels else "a class's index"
    bounds = "" if classes is None else f" (0 to {classes - 1})"
    raise InvalidRequest(f"label: got {request.label!r}, expected {known}{bounds}", field="label")


def _require_known_names(request: CheckRequest) -> None:
    if request.reference not in get_args(ReferenceKind):
        raise InvalidRequest(
            f"reference: got {request.reference!r}, expected one of {list(get_args(ReferenceKind))}",
            field="reference",
        )
    unknown = [name for name in request.metrics or () if name not in METRICS]
    if unknown:
        raise InvalidRequest(
            f"metrics: unknown metric {unknown[0]!r}, expected any of {list(METRICS)}", field="metrics"
        )
