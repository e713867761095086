"""What the evaluation of a body fitter writes down, for a fitter whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("torch", reason="the train extra is not installed")

from equiserve_models.body import icosahedron
from equiserve_models.body.evaluate import EXACT, measured_symmetries
from equiserve_models.body.evaluation import Cloud, Fit, confidence_rates, orbit_errors, summary


def fit(v2v: float, believed: bool) -> Fit:
    return Fit(v2v_mm=v2v, mpjpe_mm=v2v, rotation_deg=5.0, part_accuracy=0.9, swapped=v2v > 100, believed=believed)


def frame_fitter(lean_deg: float):
    """A fitter that reads one rotation off the first three points, and leans it about its own x by some degrees."""
    lean = Rotation.from_euler("x", lean_deg, degrees=True).as_matrix()

    def run(points: np.ndarray) -> tuple[np.ndarray, ...]:
        a, b, _ = (points[:, place] / np.linalg.norm(points[:, place], axis=1, keepdims=True) for place in range(3))
        frame = np.stack([a, np.cross(b, a), np.cross(a, np.cross(b, a))], axis=2)
        frame /= np.linalg.norm(frame, axis=1, keepdims=True)
        rotations = np.repeat((lean @ frame)[:, None], 24, 1)
        ones = np.ones((len(points), 10))
        return rotations, ones, points.mean(axis=1), np.ones((len(points), 8, 24)), np.ones((len(points), 24))

    return run


def some_cloud() -> Cloud:
    points = np.random.default_rng(0).normal(size=(50, 3))
    return Cloud(points, np.zeros(50, np.int64), np.tile(np.eye(3), (24, 1, 1)), np.zeros((4, 3)), np.zeros((24, 3)))


def test_an_equivariant_fitter_has_no_orbit_error_and_a_leaning_one_has() -> None:
    turns = icosahedron.rotations()[:20]
    exact = orbit_errors(frame_fitter(0.0), [some_cloud()], turns)
    assert exact.away_deg.max() < 1e-3
    assert exact.rotation_deg.max() < 0.1
    assert max(errors.max() for errors in exact.relative.values()) < 1e-5
    leaning = orbit_errors(frame_fitter(10.0), [some_cloud()], turns)
    # g leans what it turns, the fitter leans what is turned: equal only where g keeps the axis.
    assert leaning.rotation_deg[0] < 0.1
    assert 1 < leaning.rotation_deg.max() <= 20.1
    assert leaning.relative["betas"].max() == 0


def test_no_rotation_is_farther_from_the_sixty_than_44_5_degrees() -> None:
    turns = Rotation.random(200, random_state=0).as_matrix()
    away = orbit_errors(frame_fitter(0.0), [some_cloud()], turns).away_deg
    assert 35 < away.max() < 44.5


def test_figures_of_a_set_are_its_means_and_shares() -> None:
    fits = [fit(10.0, True), fit(20.0, False), fit(60.0, False), fit(110.0, True)]
    figures = summary(fits)
    assert figures["v2v_mean_mm"] == 50.0
    assert figures["v2v_median_mm"] == 40.0
    assert figures["above_50_mm"] == 0.5
    assert figures["swap_rate"] == 0.25
    assert confidence_rates(fits) == {"low_confidence": 0.5, "confident_wrong": 0.25}


def test_the_sixty_are_declared_exact_only_where_they_were_measured_so() -> None:
    some = {"relative_error": 0.05, "elements": 8, "inputs": 12}
    for error, level in ((EXACT / 2, "exact"), (EXACT * 2, "approximate")):
        metrics = {"random_rotations": some, "sixty_rotations": {"relative_error": error, "inputs": 3}}
        rigid, sixty = measured_symmetries(metrics, "0" * 64)
        assert (rigid.group, rigid.level, rigid.value) == ("SE3", "approximate", 0.05)
        assert (sixty.group, sixty.level, sixty.elements) == ("Icosahedral", level, 60)
