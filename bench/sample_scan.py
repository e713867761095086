"""`python -m bench.sample_scan`: makes `docs/person.ply`, a scan of the CC0 body that waves as it walks, lying askew.

5,000 points with 1 mm of noise, metres. The pose is written here by hand: no motion data went in.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from bench.fit_serving import ply
from scipy.spatial.transform import Rotation

from equiserve.numerics.body_model import JOINT_NAMES, bundled_body
from equiserve.numerics.skinning import global_rotations, skin

# Degrees about x (left), y (up), z (ahead) of each joint's parent.
POSE = {
    "pelvis": (35.0, 140.0, 20.0),
    "left_hip": (-28.0, 0.0, 2.0),
    "right_hip": (18.0, 0.0, -2.0),
    "left_knee": (12.0, 0.0, 0.0),
    "right_knee": (35.0, 0.0, 0.0),
    "right_ankle": (15.0, 0.0, 0.0),
    "spine2": (4.0, 8.0, 0.0),
    "head": (-5.0, 12.0, 0.0),
    "left_shoulder": (10.0, -20.0, -68.0),
    "left_elbow": (0.0, -35.0, 0.0),
    "right_shoulder": (0.0, 15.0, -35.0),
    "right_elbow": (0.0, 0.0, -80.0),
}
BETAS = (0.8, -0.6, 0.5, 0.3, 0.0, 0.0, 0.2, 0.0, 0.0, 0.0)
PLACE = (0.4, 0.9, -0.3)
POINTS = 5000


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(prog="python -m bench.sample_scan", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/person.ply"))
    options = parser.parse_args()
    angles = np.array([POSE.get(name, (0.0, 0.0, 0.0)) for name in JOINT_NAMES])
    rotations = global_rotations(Rotation.from_euler("xyz", angles, degrees=True).as_matrix())
    body, rng = bundled_body(), np.random.default_rng(0)
    vertices, _ = skin(body, rotations, BETAS, PLACE)
    corners = vertices[body.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    chosen = rng.choice(len(area), POINTS, p=area / area.sum())
    points = np.einsum("nk,nkc->nc", rng.dirichlet(np.ones(3), POINTS), corners[chosen])
    options.out.write_bytes(ply(points + rng.normal(0, 1e-3, points.shape)))


if __name__ == "__main__":
    main()
