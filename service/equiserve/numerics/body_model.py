"""A parametric body in SMPL's file layout: what an `.npz` must hold, checked before anything is computed with it."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest

# fmt: off
JOINT_NAMES = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)
# fmt: on
JOINTS = len(JOINT_NAMES)
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)

# SMPL files hold up to 300 shape coefficients; the first ten are what everybody uses.
MAX_BETAS = 10
_MAX_VERTICES = 100_000
_MAX_BYTES = 512 << 20
_WANTED = ("v_template", "shapedirs", "J_regressor", "weights", "kintree_table", "f")


@dataclass(frozen=True, eq=False)
class BodyModel:
    """A body with SMPL's 24 joints, linear in shape and skinned linearly (Loper et al. 2015). All lengths in metres.

    Attributes:
        name: How requests and answers call it.
        licence: What its file says of its licence.
        template: Vertices of the mean shape at rest, float64 [V, 3].
        shape_directions: d vertices / d betas, float64 [V, 3, B].
        joint_template: Joints of the mean shape at rest, float64 [24, 3].
        joint_directions: d joints / d betas, float64 [24, 3, B].
        pose_directions: d vertices / d (R - 1) of the 23 local rotations, row-major, float64 [V, 3, 207]; None where
            the body has no pose correctives.
        weights: Skinning weights, float64 [V, 24], rows sum to 1.
        faces: Triangles, int32 [F, 3], counter-clockwise seen from outside.
    """

    name: str
    licence: str
    template: NDArray[np.float64]
    shape_directions: NDArray[np.float64]
    joint_template: NDArray[np.float64]
    joint_directions: NDArray[np.float64]
    pose_directions: NDArray[np.float64] | None
    weights: NDArray[np.float64]
    faces: NDArray[np.int32]

    @property
    def betas(self) -> int:
        """Number B of shape coefficients."""
        return int(self.shape_directions.shape[2])

    def rest_vertices(self, betas: NDArray[Any]) -> NDArray[np.float64]:
        """Return the vertices [..., V, 3] of the shapes `betas` [..., B], unposed."""
        flat = self.shape_directions.reshape(-1, self.betas)
        moved = np.asarray(betas, np.float64) @ flat.T
        return self.template + moved.reshape(*moved.shape[:-1], -1, 3)

    def rest_joints(self, betas: NDArray[Any]) -> NDArray[np.float64]:
        """Return the joints [..., 24, 3] of the shapes `betas` [..., B], unposed."""
        moved = np.asarray(betas, np.float64) @ self.joint_directions.reshape(-1, self.betas).T
        return self.joint_template + moved.reshape(*moved.shape[:-1], JOINTS, 3)


@cache
def bundled_body() -> BodyModel:
    """Return the body that comes with the package, `openbody` (CC0; `bodies/LICENCE.md`)."""
    content = resources.files("equiserve.numerics").joinpath("bodies/openbody.npz").read_bytes()
    return read_body(content, "openbody")


def read_body(content: bytes, name: str) -> BodyModel:
    """Read a body from the bytes of an `.npz` with SMPL's keys. Nothing in it is ever unpickled.

    Args:
        content: `v_template` [V, 3], `shapedirs` [V, 3, >= 1], `J_regressor` [24, V] (dense), `weights` [V, 24],
            `kintree_table` [2, 24], `f` [F, 3]; optional `posedirs` [V, 3, 207], `J_template`, `J_shapedirs`,
            `licence`.
        name: What to call it.

    Raises:
        InvalidRequest: `invalid_body`: no such file, a key is missing, a shape or value is wrong.
    """
    arrays = _arrays(content, name)
    missing = [key for key in _WANTED if key not in arrays]
    if missing:
        raise _invalid(name, f"lacks {', '.join(missing)}; expected the keys {', '.join(_WANTED)}")
    template = _floats(arrays, "v_template", (-1, 3), name)
    vertices = len(template)
    if not JOINTS <= vertices <= _MAX_VERTICES:
        raise _invalid(name, f"v_template has {vertices} vertices, expected {JOINTS} to {_MAX_VERTICES}")
    directions = _floats(arrays, "shapedirs", (vertices, 3, -1), name)[..., :MAX_BETAS].copy()
    regressor = _floats(arrays, "J_regressor", (JOINTS, vertices), name)
    weights = _floats(arrays, "weights", (vertices, JOINTS), name)
    if weights.min() < 0 or np.abs(weights.sum(axis=1) - 1).max() > 1e-3:
        raise _invalid(name, "weights must be >= 0 and sum to 1 at every vertex")
    _require_smpl_tree(arrays, name)
    faces = arrays["f"]
    if faces.dtype.kind not in "iu" or faces.ndim != 2 or faces.shape[1] != 3 or len(faces) == 0:
        raise _invalid(name, f"f is {faces.dtype} {list(faces.shape)}, expected whole numbers [F, 3]")
    if int(faces.min()) < 0 or int(faces.max()) >= vertices:
        raise _invalid(name, f"f names vertex {int(faces.max())}, there are {vertices}")
    pose_directions = None
    if "posedirs" in arrays and arrays["posedirs"].any():
        pose_directions = _floats(arrays, "posedirs", (vertices, 3, 9 * (JOINTS - 1)), name)
    if "J_template" in arrays and "J_shapedirs" in arrays:
        joint_template = _floats(arrays, "J_template", (JOINTS, 3), name)
        joint_directions = _floats(arrays, "J_shapedirs", (JOINTS, 3, -1), name)[..., : directions.shape[2]]
        if joint_directions.shape[2] != directions.shape[2]:
            raise _invalid(name, "J_shapedirs has fewer coefficients than shapedirs")
    else:
        joint_template = regressor @ template
        joint_directions = np.einsum("jv,vcb->jcb", regressor, directions)
    licence = arrays.get("licence")
    return BodyModel(
        name=name,
        licence=str(licence) if licence is not None and licence.ndim == 0 else "not stated in the file",
        template=template,
        shape_directions=directions,
        joint_template=joint_template,
        joint_directions=np.ascontiguousarray(joint_directions),
        pose_directions=pose_directions,
        weights=weights / weights.sum(axis=1, keepdims=True),
        faces=faces.astype(np.int32),
    )


def _arrays(content: bytes, name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of the file, small metadata included, objects refused."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > _MAX_BYTES:
            raise _invalid(name, f"unpacks to {size} bytes, at most {_MAX_BYTES} are read")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            wanted = {*_WANTED, "posedirs", "J_template", "J_shapedirs", "licence"}
            return {key: file[key] for key in file.files if key in wanted}
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise _invalid(name, f"is no readable .npz of plain arrays ({error})") from None


def _floats(arrays: dict[str, NDArray[Any]], key: str, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
    array = arrays[key]
    fits = array.ndim == len(shape) and all(want in (-1, got) for got, want in zip(array.shape, shape, strict=True))
    if array.dtype.kind not in "fiu" or not fits or array.size == 0:
        raise _invalid(name, f"{key} is {array.dtype} {list(array.shape)}, expected numbers {list(shape)}")
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise _invalid(name, f"{key} holds NaN or infinity")
    return values


def _require_smpl_tree(arrays: dict[str, NDArray[Any]], name: str) -> None:
    table = arrays["kintree_table"]
    if table.dtype.kind not in "iu" or table.shape != (2, JOINTS):
        raise _invalid(
            name, f"kintree_table is {table.dtype} {list(table.shape)}, expected whole numbers [2, {JOINTS}]"
        )
    parents = [int(parent) for parent in table[0]]
    if parents[1:] != list(PARENTS[1:]):
        raise _invalid(name, f"kintree_table has the parents {parents}, expected SMPL's {list(PARENTS)}")


def _invalid(name: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"body {name!r}: {what}", code="invalid_body", field="body")
