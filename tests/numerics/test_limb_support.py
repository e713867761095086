"""A limb that was fitted where the cloud shows something else is found by what the points there are called."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from equiserve.numerics.body_model import JOINT_NAMES, bundled_body
from equiserve.numerics.fit_quality import REFINED, judge
from equiserve.numerics.limb_support import limb_support
from equiserve.numerics.posed_surface import BodyParameters
from equiserve.numerics.restarting_refinement import misfit
from equiserve.numerics.skinning import skin
from scans import random_person, scan

BODY = bundled_body()
RIGHT_ARM = [JOINT_NAMES.index(f"right_{name}") for name in ("shoulder", "elbow", "wrist", "hand")]


def surface(person: BodyParameters) -> np.ndarray:
    return skin(BODY, person.rotations, person.betas, person.pelvis)[0]


def mirrored_names(probabilities: np.ndarray) -> np.ndarray:
    other = {"left": "right", "right": "left"}
    names = [name.partition("_") for name in JOINT_NAMES]
    order = [JOINT_NAMES.index(other.get(side, side) + line + rest) for side, line, rest in names]
    return probabilities[:, order]


def test_every_limb_of_a_true_fit_is_supported_whichever_side_it_is_called() -> None:
    for seed in range(3):
        person = random_person(seed)
        points, parts = scan(person, 512, seed)
        for probabilities in (parts, mirrored_names(parts)):
            assert min(limb_support(BODY, surface(person), points, probabilities).values()) > 0.6


def test_an_arm_that_was_fitted_into_the_trunk_is_not() -> None:
    person = random_person(31)
    points, parts = scan(person, 512, 31)
    rotations = person.rotations.copy()
    # Along the trunk, towards the feet and the other side.
    inwards = person.rotations[0] @ Rotation.from_euler("z", 110, degrees=True).as_matrix()
    rotations[RIGHT_ARM] = inwards
    wrong = replace(person, rotations=rotations)
    support = limb_support(BODY, surface(wrong), points, parts)
    assert support["right arm"] < REFINED.limb
    assert min(share for limb, share in support.items() if limb != "right arm") > 0.6
    quality = judge(misfit(BODY, wrong, points), wrong.betas, REFINED, support)
    assert any(reason.startswith("the right arm was fitted where") for reason in quality.reasons)
