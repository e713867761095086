"""People walking, recorded at CMU: where each joint is 8 frames (0.27 s) after the last frame that is seen.

The clips of the action folders are split by trial; those of other subjects are a test of their own. Positions are in
metres, y up, relative to the last frame's root, so that every network here is exact under translations.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equiserve.errors import NotFound
from equiserve_models.data.datasets import data_root
from equiserve_models.soft.features import FeatureSpace, Summand

JOINTS = 31
PAST = 4
HORIZON = 8
SOURCE = FeatureSpace((Summand(JOINTS, 1), Summand((PAST - 1) * JOINTS, 1)))
TARGET = FeatureSpace((Summand(JOINTS, 1),))
_SHA256 = "b2fc482f6a917173dbbbecca542fd214bbb430754218cea0f55992c0528494bf"
# (child, parent) of `cmu31.npz`: root, left leg, right leg, trunk and head, left arm, right arm.
_PARENTS = (
    -1,
    0,
    1,
    2,
    3,
    4,
    0,
    6,
    7,
    8,
    9,
    0,
    11,
    12,
    13,
    14,
    15,
    13,
    17,
    18,
    19,
    20,
    21,
    20,
    13,
    24,
    25,
    26,
    27,
    28,
    27,
)
BONES = tuple((child, parent) for child, parent in enumerate(_PARENTS) if parent >= 0)
# Straight walks and turns in each part. 05_01 is left out: it is the second of the folder's clips again.
_FOLDER = {
    "train": ("walking_2", "walking_3", "walking_17", "walking_18", "walking_20", "walking_24"),
    "validation": ("walking_5", "walking_22"),
    "test": ("walking_1", "walking_32", "walking_40", "walking_50"),
}
_SUBJECTS = ("02_01", "02_02", "03_01", "03_02", "03_03", "03_04", "07_01", "08_02")
# Decimetres: numbers of the order of one. One factor for all three axes keeps every symmetry.
SCALE = 10.0


@dataclass(frozen=True)
class Windows:
    """Pieces of clips: float32, metres.

    Args:
        past: [N, 4, 31, 3], oldest first.
        future: [N, 31, 3], 8 frames after the last of the past.
        clip: Number of the clip of each, int64 [N].
    """

    past: Tensor
    future: Tensor
    clip: Tensor


@lru_cache(maxsize=8)
def windows(part: str) -> Windows:
    """Return all windows of ``train``, ``validation``, ``test`` or ``subjects``.

    Raises:
        NotFound: The data set is not there.
    """
    root = data_root()
    path = None if root is None else root / "cmu-mocap" / "cmu31.npz"
    if path is None or not path.is_file():
        raise NotFound(
            "cmu-mocap/cmu31.npz is not in the data root that EQUISERVE_DATA names (docs/data.md)",
            field="EQUISERVE_DATA",
        )
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != _SHA256:
        raise NotFound(f"cmu31.npz has SHA-256 {digest}, expected {_SHA256} (docs/data.md)", field="EQUISERVE_DATA")
    with np.load(io.BytesIO(content)) as archive:
        arrays = {key: archive[key] for key in ("clip_names", "starts", "parents", "offsets", "quat", "root")}
    names = [str(name).rsplit("/", 1)[-1] if "walking" in str(name) else str(name) for name in arrays["clip_names"]]
    past, future, clips = [], [], []
    for number, name in enumerate(_SUBJECTS if part == "subjects" else _FOLDER[part]):
        clip = names.index(name)
        frames = slice(*arrays["starts"][clip : clip + 2])
        joints = forward_kinematics(
            arrays["root"][frames], arrays["quat"][frames], arrays["offsets"][clip], arrays["parents"]
        )
        last = np.arange(PAST - 1, len(joints) - HORIZON)
        past.append(np.stack([joints[last - PAST + 1 + k] for k in range(PAST)], 1))
        future.append(joints[last + HORIZON])
        clips.append(np.full(len(last), number))
    return Windows(*(torch.from_numpy(np.concatenate(parts)) for parts in (past, future, clips)))


def turned(found: Windows, seed: int) -> Windows:
    """Turn every clip about the vertical by an angle of its own.

    As recorded, people walk along the laboratory's z axis, which is an accident: it tells where they will be, and
    breaks the symmetry about the vertical.
    """
    angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, int(found.clip.max()) + 1)
    matrices = np.array([[[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]] for a in angles])
    turns = torch.from_numpy(matrices).float()[found.clip]
    past = torch.einsum("nij,nkpj->nkpi", turns, found.past)
    return Windows(past, torch.einsum("nij,npj->npi", turns, found.future), found.clip)


def features(past: Tensor) -> Tensor:
    """Past [..., N, 4, 31, 3] -> the last pose about its root, and the steps from frame to frame times ten.

    Returns:
        Typed features [..., N, 372].
    """
    pose = past[..., -1, :, :] - past[..., -1, :1, :]
    steps = SCALE * (past[..., 1:, :, :] - past[..., :-1, :, :]).flatten(-3, -2)
    return torch.cat([part.transpose(-1, -2).flatten(-2) for part in (pose, steps)], -1)


def displacement(past: Tensor, future: Tensor) -> Tensor:
    """Return the target: each joint's way from the last frame on, in decimetres, as typed features [..., N, 93]."""
    return SCALE * (future - past[..., -1, :, :]).transpose(-1, -2).flatten(-2)


def carried_on(source: Tensor) -> Tensor:
    """Return what the networks correct: all joints go on as the root went over the past.

    Args:
        source: Typed features [..., N, 372].

    Returns:
        Displacement in decimetres, [..., N, 93].
    """
    steps = source[..., 3 * JOINTS :].unflatten(-1, (3, PAST - 1, JOINTS))
    way = HORIZON * steps[..., 0].mean(-1, keepdim=True)
    # Broadcast, not expanded: a traced file would keep the sizes of the example.
    return (way * way.new_ones(JOINTS)).flatten(-2)


def forward_kinematics(
    root: NDArray[np.float32], quaternions: NDArray[np.int16], offsets: NDArray[np.float32], parents: NDArray[np.int16]
) -> NDArray[np.float32]:
    """Return joint positions [frames, J, 3] in metres.

    Args:
        root: [frames, 3], metres.
        quaternions: Local rotations times 32767, w x y z, [frames, J, 4].
        offsets: Joint from parent in the rest pose, [J, 3], metres.
        parents: [J]; a parent comes before its children.
    """
    unit = quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)
    w, x, y, z = np.moveaxis(unit, -1, 0)
    local = np.stack(
        [
            *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
            *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
            *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
        ],
        -1,
    ).reshape(*x.shape, 3, 3)
    turned, places = local.copy(), np.zeros((*x.shape, 3))
    places[:, 0] = root
    for joint, parent in enumerate(parents.tolist()):
        if parent >= 0:
            turned[:, joint] = turned[:, parent] @ local[:, joint]
            places[:, joint] = places[:, parent] + turned[:, parent] @ offsets[joint]
    return places.astype(np.float32)
