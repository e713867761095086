"""From a request to an orbit: the picture, the group and what the model declares of it, the bound on its size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from equiserve.artifact import Manifest, Symmetry
from equiserve.checks.estimate import learned_seconds
from equiserve.checks.request import CheckRequest, ReferenceKind
from equiserve.classifier import PictureClassifier
from equiserve.engine import ServedModel
from equiserve.errors import InvalidRequest, TooLarge
from equiserve.pictures import background_of, read_pictures
from equiserve.symmetry import METRICS, Element, Group, Level, Orbit, element_from_json, group_from_spec
from equiserve.symmetry.orbit import DEFAULT_CONTINUOUS_GRID


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """What will be run.

    Attributes:
        orbit: The picture, the elements, and which of them are exact.
        level: What the model declares of the group; `none` where it declares nothing.
        declared: The manifest's entry for the group.
        label: The right class, for reference `label`.
        resized_from: (H, W) before the picture was brought to the model's size.
    """

    orbit: Orbit
    level: Level
    declared: Symmetry | None
    label: int | None
    resized_from: tuple[int, int] | None


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
    orbit = Orbit.of(
        picture.array,
        group,
        elements=_elements(request.elements, group, max_orbit, classifier.model),
        background=background_of(classifier.input),
    )
    holds = declared is not None and _still_holds(declared, manifest, classifier.model.version)
    return CheckPlan(orbit, declared.level if declared and holds else "none", declared, label, picture.resized_from)


def _resolve(manifest: Manifest, asked: object, height: int, width: int) -> tuple[Group[Any], Symmetry | None]:
    """Return the group and the manifest's first entry for that very group."""
    declared: list[tuple[Group[Any], Symmetry]] = []
    named: dict[str, Group[Any]] = {}
    for symmetry in manifest.symmetries:
        spec = manifest.groups[symmetry.group]
        try:
            group = group_from_spec({"name": spec.name, **spec.parameters}, height=height, width=width)
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


def _still_holds(declared: Symmetry, manifest: Manifest, version: str) -> bool:
    """Return whether the declaration was made of a file of this version: a changed file voids it."""
    files = manifest.versions[version].files if version in manifest.versions else {}
    return declared.file_digest is None or declared.file_digest in {file.sha256 for file in files.values()}


def _elements(asked: object, group: Group[Any], max_orbit: int, model: ServedModel) -> int | list[Element]:
    if asked is None:
        size = DEFAULT_CONTINUOUS_GRID if group.order is None else group.order
    elif isinstance(asked, int) and not isinstance(asked, bool) and asked >= 1:
        size = asked if group.order is None else min(asked, group.order)
    elif isinstance(asked, Sequence) and not isinstance(asked, str | bytes) and asked:
        size = len(asked)
    else:
        raise InvalidRequest(
            f"elements: got {asked!r}, expected a whole number >= 1 or a list of elements", field="elements"
        )
    if size > max_orbit:
        what = f"{group.name} has {size} elements and" if asked is None else f"{size} elements were asked for,"
        seconds = learned_seconds(model, size, -(-size // model.max_batch))
        cost = "" if seconds is None else f" (about {seconds:.3g} s of the model's time)"
        raise TooLarge(
            f"elements: {what}{cost} at most {max_orbit} are checked in one request; set elements to {max_orbit} or "
            "less, or submit a job",
            code="orbit_too_large",
            field="elements",
        )
    if isinstance(asked, Sequence):
        return [element_from_json(value, f"elements[{index}]") for index, value in enumerate(asked)]
    # An explicit number: the orbit of a continuous group defaults to it too.
    return size


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
