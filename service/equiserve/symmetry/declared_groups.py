"""The groups of a manifest: names, frames, axes and ranges made into groups that act."""

from __future__ import annotations

from typing import Any

from equiserve.artifact.manifest import Frame, GroupSpec, Manifest
from equiserve.errors import InvalidRequest
from equiserve.symmetry.groups import Group, PlaneGroup, YDown, group_from_spec
from equiserve.symmetry.groups.planes import AXES, axis_of_plane


def declared_group(manifest: Manifest, key: str, *, height: int | None = None, width: int | None = None) -> Group[Any]:
    """Return a group that a manifest declares.

    Args:
        manifest: Declares groups, and the frames that they refer to.
        key: The group's key there.
        height: Rows of the picture, for what the manifest leaves open.
        width: Columns of the picture, for what the manifest leaves open.

    Raises:
        InvalidRequest: Unknown key, or a declaration that makes no group; the message names it.
    """
    if key not in manifest.groups:
        raise InvalidRequest(f"group: unknown group {key!r}, declared are {sorted(manifest.groups)}", field="group")
    spec = manifest.groups[key]
    frame = manifest.frames[spec.frame] if spec.frame is not None else None
    try:
        return _group(spec, frame, height, width)
    except InvalidRequest as error:
        raise InvalidRequest(f"groups.{key}: {error.message}", code=error.code, field=f"groups.{key}") from error


def _group(spec: GroupSpec, frame: Frame | None, height: int | None, width: int | None) -> Group[Any]:
    wanted: dict[str, Any] = {"name": spec.name, **spec.parameters}
    family = spec.name.split(":")[0].replace("(", "").replace(")", "").rstrip("0123456789")
    if spec.lie or spec.discrete:
        wanted |= {"lie": spec.lie, "discrete": spec.discrete}
    if spec.range is not None:
        low, high = spec.range if isinstance(spec.range, tuple) else (None, spec.range)
        if family in ("T", "Translations", "SE"):
            wanted["reach"] = high
        elif family == "Scaling":
            wanted |= {"low": 1 / high if low is None else low, "high": high}
        else:
            wanted["range"] = [-high if low is None else low, high]
    if frame is not None and family in ("Scaling", "Translations"):
        wanted.setdefault("dim", frame.dim)
    axis = _axis(spec, frame)
    if axis is not None:
        wanted["axis"] = axis
    group = group_from_spec(wanted, height=height, width=width)
    # Two coordinates with y down turn the other way round by the numbers.
    down = frame is not None and frame.dim == 2 and (frame.handedness == "left" or frame.up == (0.0, -1.0))
    return YDown(group) if down and isinstance(group, PlaneGroup) else group


def _axis(spec: GroupSpec, frame: Frame | None) -> list[float] | None:
    if spec.plane is not None:
        if unknown := [letter for letter in spec.plane if letter not in AXES]:
            raise InvalidRequest(f"plane: got {unknown[0]!r}, expected two of x, y and z", field="plane")
        if frame is not None and frame.dim == 2:
            return None
        return list(axis_of_plane(AXES[spec.plane[0]], AXES[spec.plane[1]]))
    if spec.axis == "up":
        if frame is None or frame.up is None:
            raise InvalidRequest("axis: 'up' needs a frame that says where up is", field="axis")
        return list(frame.up)
    if isinstance(spec.axis, str):
        if spec.axis not in AXES:
            raise InvalidRequest(f"axis: got {spec.axis!r}, expected up, x, y, z or three numbers", field="axis")
        return list(AXES[spec.axis])
    return None if spec.axis is None else list(spec.axis)
