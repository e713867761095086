"""The kernel control: a finding that the kernel makes is told from one that the model makes."""

import numpy as np
import pytest
from scipy import ndimage

from equiserve.symmetry.actions import PictureAction
from equiserve.symmetry.elements import Rotation
from equiserve.symmetry.groups import SO2
from equiserve.symmetry.kernel_ladder import ladder_finding, ladder_pictures

TURNS = [Rotation(angle) for angle in (7, 45, 200)]


def test_the_ladder_holds_what_the_checks_use_and_a_better_reference():
    picture = np.random.default_rng(0).integers(0, 256, (2, 16, 16), np.uint8)
    ladder = ladder_pictures(picture, TURNS)
    assert list(ladder) == ["nearest", "bilinear", "upsample4", "bspline3"]
    np.testing.assert_array_equal(ladder["upsample4"], PictureAction(SO2()).orbit(picture, TURNS))
    assert all(moved.shape == (3, 2, 16, 16) and moved.dtype == np.uint8 for moved in ladder.values())
    splines = ndimage.rotate(picture[1].astype(float), 7, reshape=False, order=3, mode="mirror")
    inner = slice(4, 12)
    difference = ladder["bspline3"][0, 1].astype(float) - np.clip(np.rint(splines), 0, 255)
    assert np.abs(difference[inner, inner]).max() <= 1


@pytest.mark.parametrize(("reference", "limited"), [(0.80, False), (0.795, False), (0.85, True), (0.60, True)])
def test_a_figure_that_the_kernel_moves_towards_its_threshold_is_the_kernels(reference, limited):
    finding = ladder_finding({"bilinear": 0.7, "upsample4": 0.8, "bspline3": reference}, threshold=0.95)
    assert finding.limited is limited
    verdict = finding.verdict("modal_consistency")
    if limited:
        assert verdict.status == "not_informative"
        assert "upsample4 0.8" in verdict.reason
        assert "C4" in verdict.next_step
    else:
        assert verdict is None
