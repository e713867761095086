"""Poses of the body: motion capture where it is at hand, mirrored, recombined, and drawn within joint limits.

A pose is 24 local rotations, [24, 3, 3], the pelvis' the identity: every scan is turned at random anyway.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import NotFound
from equiserve.numerics.body_model import JOINT_NAMES, JOINTS, bundled_body
from equiserve.numerics.skinning import global_rotations, posed_joints
from equiserve.symmetry import quaternions

UPPER_BODY = tuple(
    JOINT_NAMES.index(name)
    for name in JOINT_NAMES
    if any(word in name for word in ("spine", "neck", "head", "collar", "shoulder", "elbow", "wrist", "hand"))
)
MIRRORED_JOINTS = tuple(
    JOINT_NAMES.index(
        name.replace("left", "right") if "left" in name else name.replace("right", "left")
    )
    for name in JOINT_NAMES
)  # fmt: skip

# Degrees about x, y, z of the body frame (y up, left is +x, forward is +z), for the left side; the right side is its
# mirror image. Order of the turns: x first, then z, then y. After the ranges of motion of orthopaedic tables.
_LIMITS = {
    "left_hip": ((-120, 25), (-40, 40), (-20, 45)),
    "left_knee": ((0, 140), (-8, 8), (-3, 3)),
    "left_ankle": ((-25, 40), (-15, 15), (-20, 20)),
    "left_foot": ((-30, 30), (0, 0), (0, 0)),
    "spine1": ((-12, 30), (-12, 12), (-12, 12)),
    "spine2": ((-8, 25), (-12, 12), (-10, 10)),
    "spine3": ((-8, 20), (-12, 12), (-10, 10)),
    "neck": ((-25, 25), (-35, 35), (-18, 18)),
    "head": ((-20, 25), (-30, 30), (-15, 15)),
    "left_collar": ((-10, 10), (-15, 12), (-8, 20)),
    "left_shoulder": ((-70, 70), (-120, 40), (-90, 70)),
    "left_elbow": ((-75, 75), (-145, 0), (-3, 3)),
    "left_wrist": ((-15, 15), (-25, 25), (-60, 60)),
    "left_hand": ((0, 0), (-10, 10), (-40, 10)),
}
# Limb segments that must not come closer than this, metres: gross self-intersection.
_CLEARANCE = 0.11


def motion_poses(file: Path, split: str) -> NDArray[np.float32]:
    """Read the poses of one split of a motion file, [n, 24, 3, 3].

    Args:
        file: `.npz` with `poses` [n, 24, 3] (rotation vectors), `clip_start` [clips + 1], `clip_split` [clips].
        split: `id_train`, `id_test` or `ood_test`.

    Raises:
        NotFound: No such file, or no clip of that split.
    """
    if not file.is_file():
        raise NotFound(f"no motion file at {file}: set EQUISERVE_DATA, see docs/data.md", code="unknown_file")
    with np.load(file) as arrays:
        poses, starts, splits = arrays["poses"], arrays["clip_start"], arrays["clip_split"]
    chosen = [poses[starts[i] : starts[i + 1]] for i in range(len(splits)) if splits[i] == split]
    if not chosen:
        raise NotFound(f"{file.name} has no clip of split {split!r}, it has {sorted(set(splits.tolist()))}")
    local = quaternions.to_matrix(quaternions.from_vector(np.concatenate(chosen).astype(np.float64)))
    local[:, 0] = np.eye(3)
    return local.astype(np.float32)


def mirrored(poses: NDArray[Any]) -> NDArray[Any]:
    """Return the poses with left and right exchanged, [n, 24, 3, 3] -> the same."""
    mirror = np.diag([-1.0, 1.0, 1.0]).astype(poses.dtype)
    return mirror @ poses[:, MIRRORED_JOINTS] @ mirror


def joint_limit_poses(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw poses uniformly within the joint limits, without those in which limbs run into each other.

    Each pose has a reach of its own: from a third of the ranges to all of them.

    Args:
        count: Number of poses.
        rng: Source of randomness.

    Returns:
        [count, 24, 3, 3].
    """
    kept: list[NDArray[np.float32]] = []
    found = 0
    while found < count:
        poses = _within_limits(2 * (count - found) + 8, rng)
        clear = poses[_is_clear(poses)]
        kept.append(clear.astype(np.float32))
        found += len(clear)
    return np.concatenate(kept)[:count]


def recombined(upper: NDArray[Any], lower: NDArray[Any]) -> NDArray[Any]:
    """Return the upper bodies of some poses on the lower bodies of others, [n, 24, 3, 3]."""
    poses = lower.copy()
    poses[:, UPPER_BODY] = upper[:, UPPER_BODY]
    return poses


def product_poses(everyday: NDArray[np.float32] | None, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw the poses of protocol B: half everyday, a fifth recombined, the rest within joint limits.

    Args:
        everyday: Motion capture, [n, 24, 3, 3]; None: joint limits only.
        count: Number of poses.
        rng: Source of randomness.

    Returns:
        [count, 24, 3, 3], half of them mirrored, each joint turned by about 4 degrees at random.
    """
    limits = joint_limit_poses(count, rng)
    if everyday is not None:
        first, second = (everyday[rng.integers(len(everyday), size=count)] for _ in range(2))
        choice = rng.random(count)
        poses = np.where((choice < 0.5)[:, None, None, None], first, limits)
        swapped = recombined(first, np.where((choice < 0.6)[:, None, None, None], second, limits))
        poses = np.where(((choice >= 0.5) & (choice < 0.7))[:, None, None, None], swapped, poses)
    else:
        poses = limits
    poses = np.where((rng.random(count) < 0.5)[:, None, None, None], mirrored(poses), poses)
    wobble = quaternions.to_matrix(quaternions.from_vector(rng.normal(0, np.radians(4) / 3**0.5, (count, JOINTS, 3))))
    wobble[:, 0] = np.eye(3)
    return (poses @ wobble).astype(np.float32)


def _within_limits(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    reach = rng.uniform(0.33, 1, (count, 1))
    poses = np.broadcast_to(np.eye(3), (count, JOINTS, 3, 3)).copy()
    for name, limits in _LIMITS.items():
        poses[:, JOINT_NAMES.index(name)] = _turns(limits, reach, rng)
        if name.startswith("left"):
            mirror = np.diag([-1.0, 1.0, 1.0])
            turns = _turns(limits, reach, rng)
            poses[:, JOINT_NAMES.index(name.replace("left", "right"))] = mirror @ turns @ mirror
    return poses


def _turns(
    limits: tuple[tuple[float, float], ...], reach: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    low, high = np.radians(np.array(limits)).T
    angles = rng.uniform(low, high, (len(reach), 3)) * reach
    about = [
        quaternions.to_matrix(quaternions.from_vector(angles[:, axis, None] * np.eye(3)[axis])) for axis in range(3)
    ]
    return about[1] @ about[2] @ about[0]


def _is_clear(poses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether forearms, shins, trunk and head keep clear of one another, [n]."""
    rest = bundled_body().joint_template
    joints = posed_joints(np.broadcast_to(rest, (len(poses), JOINTS, 3)), global_rotations(poses), np.zeros(3))
    names = {name: joints[:, JOINT_NAMES.index(name)] for name in JOINT_NAMES}

    def segment(start: str, end: str) -> NDArray[np.float64]:
        along = np.linspace(0.15, 1, 5)[:, None]
        return names[start][:, None] * (1 - along) + names[end][:, None] * along

    arms = [segment(f"{side}_elbow", f"{side}_hand") for side in ("left", "right")]
    legs = [segment(f"{side}_knee", f"{side}_foot") for side in ("left", "right")]
    trunk, head, thighs = segment("spine1", "neck"), segment("neck", "head"), segment("left_knee", "left_hip")
    pairs = [(arms[0], arms[1]), (legs[0], legs[1])]
    pairs += [(limb, body) for limb in arms + legs for body in (trunk, head)]
    pairs += [(arm, leg) for arm in arms for leg in (*legs, thighs, segment("right_knee", "right_hip"))]
    clear = np.ones(len(poses), np.bool_)
    for one, other in pairs:
        apart = np.linalg.norm(one[:, :, None] - other[:, None], axis=-1).min(axis=(1, 2))
        clear &= apart > _CLEARANCE
    return clear
