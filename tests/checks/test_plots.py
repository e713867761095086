"""NERO plots as SVG: well formed, labelled, safe, and showing what was measured."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest
from sample_reports import curve_report, sample_report, searched_report
from scipy.spatial.transform import Rotation

from equiserve.checks.plots import Curves, NeroPlot, draw
from equiserve.checks.plots.canvas import VERMILLION, colour
from equiserve.checks.plots.elements import axis_angle
from equiserve.checks.plots.elements import words as element_words

SVG = "{http://www.w3.org/2000/svg}"


def drawn(spec: str, values: Any = None, count: int = 72, **changes: Any) -> str:
    return draw(NeroPlot.of(sample_report(spec, values, count, **changes)))


def words(svg: str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("CyclicShift", {"shift to the right, dx (px)", "shift down, dy (px)", "probability of 'coat'", "0", "+12"}),
        ("CropShift:2", {"shift to the right, dx (px)", "shift down, dy (px)", "−2", "+2"}),
        ("SO2", {"angle of the rotation, counter-clockwise (degrees)", "90°", "resampled", "exact (pixels permuted)"}),
        ("D4", {"probability of 'coat'", "as it came", "mirrored, turned by 90°"}),
        ("Flip", {"mirrored", "turned by 180°"}),
    ],
)
def test_every_plot_is_labelled_and_carries_the_verdict(spec, expected):
    shown = set(words(drawn(spec, count=784)))
    assert expected | {"FAIL", "The answer changes.", "Look into it.", "'coat' on most."} <= shown


@pytest.mark.parametrize("spec", ["CyclicShift", "SO2", "D4"])
def test_hostile_names_stay_text(spec):
    evil = "<script>alert(1)</script>&\"'\x07"
    report = sample_report(spec, model=evil, statement=evil, runtime=evil)
    report["reference"]["prediction"]["label"] = evil
    report["elements"]["label"] = [evil] * len(report["elements"]["label"])
    svg = draw(NeroPlot.of(report))
    document = ElementTree.fromstring(svg)
    kinds = {node.tag.removeprefix(SVG) for node in document.iter()}
    assert kinds <= {"svg", "title", "desc", "rect", "g", "path", "circle", "text", "defs", "linearGradient", "stop"}
    assert "href" not in svg
    assert any("<script>" in line for line in words(svg))


def test_a_heat_map_shows_each_shift_in_its_place_and_colour():
    values = np.full(784, 0.9)
    values[5 * 28 + 3] = 0.6  # 5 down, 3 right
    svg = drawn("CyclicShift", values, count=784, worst=None)
    cell = 440 / 28
    found = [
        node
        for node in ElementTree.fromstring(svg).iter(f"{SVG}rect")
        if node.get("fill") == colour(round(0.6 * 255) / 255)
    ]
    assert len(found) == 1
    left = 90.0
    assert float(found[0].get("x")) == pytest.approx(left + (13 + 3) * cell, abs=0.01)
    assert float(found[0].get("y")) == pytest.approx((13 + 5) * cell, abs=0.01)
    assert float(found[0].get("width")) == pytest.approx(cell, abs=0.01)


def test_a_polar_plot_turns_counter_clockwise_from_the_top():
    values = np.full(72, 0.8)
    svg = drawn("SO2", values)
    large = [
        (float(node.get("cx")), float(node.get("cy")))
        for node in ElementTree.fromstring(svg).iter(f"{SVG}circle")
        if node.get("r") == "5.5" and node.get("fill") != VERMILLION
    ][:4]
    centre, radius = (282, 240), 210 * 0.8
    expected = [(0, -1), (-1, 0), (0, 1), (1, 0)]  # 0, 90, 180, 270 degrees; y points down
    assert np.allclose((np.array(sorted(large)) - centre) / radius, sorted(expected), atol=1e-3)


@pytest.mark.parametrize("spec", ["CyclicShift", "SO2", "Flip"])
def test_outputs_that_are_not_finite_are_marked_as_such(spec):
    count = 4 if spec == "Flip" else 72
    values = np.linspace(0.2, 0.9, count)
    values[1] = np.nan
    assert any("not finite" in line for line in words(drawn(spec, values)))


def test_an_orbit_of_which_nothing_was_checked_can_be_drawn():
    nothing = sample_report("SO2") | {"elements": None, "reference": None, "worst": None, "summary": None}
    ElementTree.fromstring(draw(NeroPlot.of(nothing)))


def test_long_words_are_wrapped_inside_the_sheet():
    sentence = "the answer changes " * 20
    verdict = {"status": "not_informative", "reason": sentence, "next_step": sentence}
    svg = drawn("C4", statement=sentence.strip(), verdict=verdict)
    assert max(map(len, words(svg))) < 120
    assert " ".join(words(svg)).count("answer changes") == 60


# ---------------------------------------------------------------- other groups


def products(n: int) -> list[Any]:
    turns = [{"angle_deg": 360.0 * k / n, "reflected": False} for k in range(n)]
    return [{"product": [turn, {"time_reversed": back}]} for back in (False, True) for turn in turns]


def test_a_small_product_group_has_a_tile_for_each_element_with_its_words_and_value():
    values = np.linspace(0.3, 0.95, 16)
    shown = words(draw(NeroPlot.of(curve_report(products(8), values))))
    assert {f"{value:.3f}" for value in values} <= set(shown)
    assert {"as it came", "time reversed", "turned by 45°"} <= set(shown)


def test_time_reversed_elements_stand_in_the_outer_columns_beside_their_partners():
    values = np.linspace(0.3, 0.95, 16)
    svg = draw(NeroPlot.of(curve_report(products(8), values)))
    place = {
        node.text: (round(float(node.get("x"))), round(float(node.get("y"))))
        for node in ElementTree.fromstring(svg).iter(f"{SVG}text")
    }
    columns = sorted({place[f"{value:.3f}"][0] for value in values})
    assert len(columns) == 4
    for k, value in enumerate(values):
        assert (place[f"{value:.3f}"][0] in (columns[0], columns[3])) == (k >= 8)
        partner = values[(k + 8) % 16]
        assert place[f"{value:.3f}"][1] == place[f"{partner:.3f}"][1]


def test_a_rotation_of_space_is_read_as_scipy_reads_it():
    for quaternion in Rotation.random(50, rng=np.random.default_rng(3)).as_quat(scalar_first=True):
        axis, angle = axis_angle({"quaternion": quaternion.tolist()})
        truth = Rotation.from_quat(quaternion, scalar_first=True).as_rotvec(degrees=True)
        assert np.allclose(np.array(axis) * angle, truth, atol=1e-9)


def test_discs_draw_each_rotation_of_space_once_in_the_direction_of_its_axis():
    turns = Rotation.from_rotvec([[0, 0, 0], [60, 0, 0], [0, -120, 0], [0, 0, 90]], degrees=True)
    elements = [{"quaternion": q, "inverted": False} for q in turns.as_quat(scalar_first=True).tolist()]
    svg = draw(NeroPlot.of(curve_report(elements, [0.9, 0.8, 0.7, 0.6], worst=None)))
    marks = [
        (float(node.get("cx")), float(node.get("cy")))
        for node in ElementTree.fromstring(svg).iter(f"{SVG}circle")
        if node.get("stroke-width") == "0.5"
    ]
    identity, (x60, y120, z90) = sorted(marks[:3]), marks[3:]  # the weakest is drawn last
    assert len(marks) == 6  # the identity in the middle of each of the three discs
    centres = np.array(identity)
    radius = 92
    assert np.allclose(x60, centres[0] + [radius / 3, 0], atol=0.1)
    assert np.allclose(y120, centres[0] + [0, 2 * radius / 3], atol=0.1)
    assert np.allclose(z90, centres[1] + [0, -radius / 2], atol=0.1)


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ({"dy": 26, "dx": 3}, "3 px right, 2 px up"),
        ({"angle_deg": 90.0, "reflected": True}, "mirrored, turned by 90°"),
        ({"scale": 1.0}, "as it came"),
        ({"scale": 1.25}, "scale 1.25"),
        ({"gain": 1.0, "offset": 0.5}, "offset 0.5"),
        ({"permutation": [1, 0, 2]}, "permutation (1, 0, 2)"),
        ({"quaternion": [0.0, 0.0, 0.0, 1.0], "inverted": True}, "turned by 180° about (0.00, 0.00, 1.00), inverted"),
        ({"product": [{"dy": 0, "dx": 0}, {"time_steps": 2}]}, "time steps 2"),
    ],
)
def test_elements_of_every_kind_have_words(element, expected):
    assert element_words(element, {"height": 28, "width": 28}) == expected


# ---------------------------------------------------------------- several inputs


def several(spec: str, curves: np.ndarray) -> tuple[Curves, str]:
    reports = [sample_report(spec, curve) for curve in curves]
    read = Curves.of(reports)
    return read, draw(read.plot(reports[0] | {"inputs": reports}))


@pytest.mark.parametrize("spec", ["SO2", "C4", "CropShift:4"])
def test_the_plot_of_several_inputs_shows_their_mean_and_its_band(spec):
    count = {"SO2": 72, "C4": 4, "CropShift:4": 72}[spec]
    values = np.random.default_rng(0).uniform(0.1, 0.9, (5, count))
    curves, svg = several(spec, values)
    assert np.allclose(curves.mean, values.mean(axis=0))
    low, high = curves.band()
    assert (low <= curves.mean).all()
    assert (curves.mean <= high).all()
    assert "95 % band of the mean" in words(svg)


def test_the_band_of_alike_inputs_is_a_line_and_one_input_has_none():
    same = np.tile(np.linspace(0.2, 0.9, 72), (4, 1))
    curves, _ = several("SO2", same)
    assert np.allclose(curves.band(), same[:2])
    assert several("SO2", same[:1])[0].band() is None


def test_a_band_narrows_with_the_square_root_of_the_number_of_inputs():
    values = np.random.default_rng(1).uniform(0, 1, (400, 72))
    widths = [np.mean(np.diff(several("SO2", values[:n])[0].band(), axis=0)) for n in (25, 400)]
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.1)
    # Of a mean of uniform values: 2 x 1.96 x sqrt(1 / 12) / sqrt(n).
    assert widths[1] == pytest.approx(2 * 1.96 / np.sqrt(12 * 400), rel=0.05)


def test_the_overview_is_the_principal_component_analysis_of_the_curves_with_its_sign_fixed():
    values = np.random.default_rng(2).uniform(0, 1, (12, 72))
    points, shares = several("SO2", values)[0].overview()
    variances, axes = np.linalg.eigh(np.cov(values.T))
    for k in range(2):
        axis = axes[:, -1 - k]
        axis = axis * np.sign(axis[np.abs(axis).argmax()])
        assert np.allclose(points[:, k], (values - values.mean(axis=0)) @ axis, atol=1e-9)
        assert shares[k] == pytest.approx(variances[-1 - k] / variances.sum())


def test_there_is_no_overview_of_inputs_that_are_all_alike():
    assert several("SO2", np.tile(np.linspace(0.2, 0.9, 72), (4, 1)))[0].overview() is None


def test_inputs_that_were_not_finished_are_compared_on_the_elements_that_all_have():
    whole, part = sample_report("SO2"), sample_report("SO2")
    part["elements"] = {name: column[:10] for name, column in part["elements"].items()}
    curves = Curves.of([whole, part])
    assert curves.elements == whole["elements"]["element"][:10]
    assert curves.probabilities.shape == (2, 10)


def test_what_a_search_tried_is_drawn_apart_and_its_worst_is_marked():
    angles = [{"angle_deg": 10.0, "reflected": False}, {"angle_deg": 11.0, "reflected": False}]
    report = searched_report("SO2", angles, [0.6, 0.1], 24)
    plot = NeroPlot.of(report)
    assert (len(plot.elements), plot.searched.sum(), plot.worst) == (26, 2, 25)
    svg = draw(plot)
    assert "tried by the search" in words(svg)
    # The curve joins the uniform elements alone.
    curve = next(node for node in ElementTree.fromstring(svg).iter(f"{SVG}path") if node.get("stroke-width") == "1.5")
    assert curve.get("d").count("L") == 24
    shifts = searched_report("CropShift:3", [{"dy": 1, "dx": 2}], [0.1], 9)
    assert "tried by the search" in words(draw(NeroPlot.of(shifts)))
    assert "tried by the search" not in words(drawn("SO2"))


def test_the_mean_over_inputs_holds_uniform_elements_only():
    one = searched_report("SO2", [{"angle_deg": 10.0, "reflected": False}], [0.1], 24)
    assert len(Curves.of([one, one]).elements) == 24


def test_outputs_that_are_no_classes_have_words_of_their_own():
    report = curve_report([{"quaternion": [1, 0, 0, 0]}, {"quaternion": [0, 1, 0, 0]}], [1.0, 0.2])
    columns = report["elements"]
    for name in ("probability", "margin", "label"):
        del columns[name]
    columns["relative_error"] = [0.0, 0.8]
    report |= {"outputs": {"y": {}}, "reference": {"kind": "identity", "prediction": None}}
    shown = words(draw(NeroPlot.of(report)))
    assert {"follows the input", "does not follow the input", "1 - relative error"} <= set(shown)
    assert not {"the reference's answer", "another answer"} & set(shown)
