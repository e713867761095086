"""What a tensor is, and which action of a group follows from that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from equiserve.artifact.datatypes import NUMPY_OF
from equiserve.artifact.manifest import Pivot, TensorSpec
from equiserve.errors import InvalidRequest
from equiserve.symmetry.actions import (
    Action,
    Angles,
    Boxes,
    Brightness,
    Components,
    Homogeneous,
    Invariant,
    Keypoints,
    NoiseField,
    Orientations,
    PictureField,
    PivotedPoint,
    PixelCoordinates,
    PixelGrid,
    ProductAction,
    ReorderItems,
    ReverseTime,
    SegmentationMap,
    ShiftTime,
    Signed,
    VectorField,
)
from equiserve.symmetry.actions.action import does_not_act
from equiserve.symmetry.groups import (
    CropShift,
    CyclicShift,
    DirectProduct,
    Group,
    IntensityChange,
    LinearGroup,
    PlaneGroup,
    Scaling,
    Symmetric,
    TimeReversal,
    TimeShift,
)
from equiserve.symmetry.representations import Representation

ITEM_AXES = ("item", "point", "node", "joint", "agent", "vertex")
TIME_AXES = ("time", "frame")
COORDINATE_AXES = ("coord", "component")
# What these hold does not depend on where or how anything lies: naming the kind is the choice.
_UNMOVED = ("logits", "probabilities", "label", "scalar", "noise_level", "shape_coefficients")
_ON_THE_GRID = ("picture", "segmentation", "vector_field", "noise")


@dataclass(frozen=True)
class FieldType:
    """A tensor of a model and how it transforms.

    Args:
        tensor: Its name, shape, axes, kind and representation, as a manifest has them.
        override: What one group does to it instead: ``invariant``, ``{"homogeneous": degree}`` for s^degree under
            a scaling, ``{"sign": -1}`` or ``{"sign": 1}`` under time reversal.
    """

    tensor: TensorSpec
    override: Literal["invariant"] | dict[str, float] | None = None

    @property
    def axes(self) -> tuple[str, ...]:
        """A name an axis; those of the kind where the manifest gives none."""
        if self.tensor.axes is not None:
            return self.tensor.axes
        rank = len(self.tensor.shape)
        grid = {"segmentation": ("height", "width")}.get(self.tensor.kind, ("channel", "height", "width"))
        last = grid if self.tensor.kind in _ON_THE_GRID else ()
        if len(last) > rank:
            raise self._error(f"got {rank} axes, expected [..., {', '.join(last)}]")
        return (("batch",) + ("",) * rank)[: rank - len(last)] + last

    @property
    def batched(self) -> bool:
        """Whether the first axis is the batch."""
        if not self.axes:
            return False
        # A list of items, or a sequence, may be as long as it likes and yet be one answer.
        return self.axes[0] == "batch" or (self.tensor.shape[0] == -1 and self.axes[0] not in (*ITEM_AXES, *TIME_AXES))

    def action(self, group: Group[Any], picture: PixelCoordinates | None = None) -> Action:
        """Return how a group moves this tensor.

        Args:
            group: Acts.
            picture: What boxes and key points refer to.

        Raises:
            InvalidRequest: Nothing says how the tensor moves, or the group does not fit it; the message names the
                tensor and the axis.
        """
        name, kind = self.tensor.name, self.tensor.kind
        if self.tensor.invariant or self.override == "invariant":
            return Invariant(name, group)
        if isinstance(group, DirectProduct):
            return ProductAction(group, tuple(self._of_factor(g).action(g, picture) for g in group.factors))
        if isinstance(group, Symmetric | TimeReversal | TimeShift | IntensityChange):
            return self._reordering(group)
        if self.override is not None:
            return self._overridden(group, self.override)
        if kind in _UNMOVED:
            return Invariant(name, group)
        if kind in _ON_THE_GRID or (kind in ("boxes", "keypoints") and self.tensor.rep is None):
            return self._on_pixels(group, picture)
        if kind == "angle":
            return Angles(name, self._plane_group(group), "deg" if self.tensor.units in ("deg", "degrees") else "rad")
        if isinstance(group, CyclicShift | CropShift) and kind in ("vector", "pseudovector", "pseudoscalar"):
            return Invariant(name, group)
        return self._on_coordinates(group)

    def _of_factor(self, factor: Group[Any]) -> FieldType:
        """Return the type with the override only where it is meant for this factor of a product."""
        if not isinstance(self.override, dict):
            return self
        meant = "sign" if isinstance(factor, TimeReversal) else "homogeneous" if isinstance(factor, Scaling) else None
        return self if meant in self.override else replace(self, override=None)

    def _reordering(self, group: Group[Any]) -> Action:
        name, kind = self.tensor.name, self.tensor.kind
        if isinstance(self.override, dict) and not isinstance(group, TimeReversal):
            raise self._error(f"override: got {self.override}, expected 'invariant', for {group.name}")
        if isinstance(group, IntensityChange):
            if kind != "picture":
                return Invariant(name, group)
            whole = np.dtype(NUMPY_OF[self.tensor.datatype]).kind in "ui"
            return Brightness(name, group, self.tensor.value_range, whole)
        if isinstance(group, Symmetric):
            place = self._place(ITEM_AXES, group.n)
            return Invariant(name, group) if place is None else ReorderItems(name, group, place)
        place = self._place(TIME_AXES)
        if isinstance(group, TimeShift):
            return Invariant(name, group) if place is None else ShiftTime(name, group, place)
        assert isinstance(group, TimeReversal)
        sign = -1 if kind in ("vector", "vector_field") else 1
        if isinstance(self.override, dict):
            sign = int(self._parameter(self.override, "sign", (-1.0, 1.0)))
        return Invariant(name, group) if place is None and sign > 0 else ReverseTime(name, group, place, sign)

    def _overridden(self, group: Group[Any], override: Any) -> Action:
        degree = self._parameter(override, "homogeneous")
        if not isinstance(group, LinearGroup):
            raise does_not_act(self.tensor.name, group, "an override 'homogeneous' needs a group of coordinates")
        return Homogeneous(self.tensor.name, group, degree)

    def _on_pixels(self, group: Group[Any], picture: PixelCoordinates | None) -> Action:
        name, kind = self.tensor.name, self.tensor.kind
        if not isinstance(group, PlaneGroup | CyclicShift | CropShift | Scaling):
            raise does_not_act(
                name,
                group,
                f"it is a {kind} on the pixel grid (height, width); say invariant: true where it does not move",
            )
        if kind in ("boxes", "keypoints"):
            if picture is None:
                raise does_not_act(name, group, f"{kind} refer to a picture, and no input is one of known size")
            return Boxes(name, group, picture) if kind == "boxes" else Keypoints(name, group, picture)
        grid = self.grid()
        if kind == "vector_field":
            return VectorField(name, group, grid)
        if kind == "segmentation":
            return SegmentationMap(name, group, grid)
        if kind == "noise":
            return NoiseField(name, group, grid)
        lowest = None if self.tensor.value_range is None else self.tensor.value_range[0]
        return PictureField(name, group, grid, lowest=lowest)

    def grid(self) -> PixelGrid:
        """Return where the pixels are; InvalidRequest where the axes do not say, or leave the size open."""
        rows, columns = self._place(("height",)), self._place(("width",))
        channels = self._place(("channel", "component"))
        if rows is None or columns is None:
            raise self._error(f"axes: got {list(self.axes)}, expected 'height' and 'width' among them")
        height, width = self.tensor.shape[rows], self.tensor.shape[columns]
        if min(height, width) < 1:
            axis = "height" if height < 1 else "width"
            raise self._error(f"shape: {axis} is open; the shape of the array that is sent must be given")
        return PixelGrid(height, width, rows, columns, channels)

    def _on_coordinates(self, group: Group[Any]) -> Action:
        name, kind, rep = self.tensor.name, self.tensor.kind, self.tensor.rep
        defaults: dict[str, str | dict[str, str]] = {
            "point": "V",
            "keypoints": "V",
            "vector": "V",
            "pseudovector": {"irreps": "1x1e"},
        }
        rep = defaults.get(kind) if rep is None else rep
        if rep is None and kind not in ("pseudoscalar", "rotation", "body_pose"):
            raise self._error(
                f"kind {kind!r} says neither how {group.name} moves it nor that it does not; add rep (e.g. 'V'), a "
                "kind that implies one, or invariant: true"
            )
        if not isinstance(group, LinearGroup):
            raise does_not_act(name, group, f"a {kind} with coordinates is moved by groups of coordinates only")
        if kind == "body_pose":
            if (np.linalg.det(group.generators()) < 0).any():
                raise does_not_act(name, group, "a mirrored body has another pose: left and right change places")
            return Invariant(name, group)
        if kind == "pseudoscalar":
            return Signed(name, group)
        if kind == "rotation":
            return Orientations(name, group, "matrix" if self.tensor.shape[-2:] == (3, 3) else "vector")
        if self.tensor.pivot is not None:
            return self._about(self.tensor.pivot, group)
        assert rep is not None
        representation = Representation.of(rep, group)
        return Components(name, representation, self._coordinates(representation), kind in ("point", "keypoints"))

    def _about(self, pivot: Pivot, group: LinearGroup[Any]) -> Action:
        if len(pivot.at) != group.dim or group.dim != 3:
            raise does_not_act(self.tensor.name, group, f"its pivot has {len(pivot.at)} coordinates, expected 3")
        by_shape = np.array(pivot.per_coefficient, np.float64).T if pivot.per_coefficient else None
        return PivotedPoint(self.tensor.name, group, np.array(pivot.at, np.float64), pivot.shape, by_shape)

    def _coordinates(self, representation: Representation) -> tuple[int, ...]:
        """Return the axes that a representation acts on: those named so, else the last ones that have its size."""
        shape, rank, expected = self.tensor.shape, len(self.tensor.shape), representation.dim
        axes = tuple(k - rank for k, axis in enumerate(self.axes) if axis in COORDINATE_AXES)
        if not axes:
            sizes = shape[1:] if self.batched else shape
            for count in range(len(sizes) + 1):
                last = sizes[len(sizes) - count :]
                if min(last, default=1) > 0 and math.prod(last) == expected and (count or not sizes):
                    return tuple(range(-count, 0))
            raise self._error(f"shape {list(shape)}: no last axes hold the {expected} components of its representation")
        if math.prod(shape[axis] for axis in axes) != expected:
            got = [shape[axis] for axis in axes]
            named = self.axes[axes[0]]
            raise self._error(f"axis {named!r} has size {got}, but its representation has {expected} components")
        return axes

    def _plane_group(self, group: Group[Any]) -> PlaneGroup:
        if not isinstance(group, PlaneGroup):
            raise does_not_act(self.tensor.name, group, "an angle turns with rotations of the plane only")
        return group

    def _place(self, names: Sequence[str], size: int | None = None) -> int | None:
        axes, shape = self.axes, self.tensor.shape
        for k, axis in enumerate(axes):
            if axis in names and (size is None or shape[k] in (size, -1)):
                return k - len(axes)
        return None

    def _parameter(self, override: dict[str, float], key: str, known: tuple[float, ...] | None = None) -> float:
        if override.keys() != {key} or (known is not None and override[key] not in known):
            expected = f"{{{key}: number}}" if known is None else f"{{{key}: {' or '.join(f'{v:g}' for v in known)}}}"
            raise self._error(f"override: got {override}, expected {expected}")
        return override[key]

    def _error(self, message: str) -> InvalidRequest:
        return InvalidRequest(f"{self.tensor.name}: {message}", code="invalid_signature", field=self.tensor.name)
