"""NERO plots as SVG: well formed, labelled, safe, and showing what was measured."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from equiserve.checks.plots import NeroPlot, draw
from equiserve.checks.plots.canvas import VERMILLION, colour
from equiserve.symmetry import PictureAction, Verdict, group_from_spec

SVG = "{http://www.w3.org/2000/svg}"


def plot(spec: str, values=None, count: int = 72, **changes) -> NeroPlot:
    group = group_from_spec(spec, height=28, width=28)
    members = tuple(group.grid(min(count, group.order or count)))
    probabilities = np.linspace(0.2, 0.9, len(members)) if values is None else np.asarray(values, float)
    agrees = probabilities > 0.5
    fields = {
        "group": group,
        "elements": members,
        "exact": np.array([PictureAction(group).exact(g, (28, 28)) for g in members]),
        "probabilities": probabilities,
        "agrees": agrees,
        "answers": ["coat" if same else "shirt" for same in agrees],
        "worst": int(np.nanargmin(probabilities)) or None,
        "reference": "coat",
        "title": "a model, version 1",
        "statement": "'coat' on most.",
        "verdict": Verdict("fail", "The answer changes.", "Look into it."),
        "planned": len(members),
        "footer": "all of them",
    }
    return NeroPlot(**(fields | changes))


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
    shown = set(words(draw(plot(spec, count=784))))
    assert expected | {"FAIL", "The answer changes.", "Look into it.", "'coat' on most."} <= shown


@pytest.mark.parametrize("spec", ["CyclicShift", "SO2", "D4"])
def test_hostile_names_stay_text(spec):
    evil = "<script>alert(1)</script>&\"'\x07"
    drawn = draw(plot(spec, title=evil, statement=evil, reference=evil, footer=evil, answers=[evil] * 784))
    document = ElementTree.fromstring(drawn)
    kinds = {node.tag.removeprefix(SVG) for node in document.iter()}
    assert kinds <= {"svg", "title", "desc", "rect", "g", "path", "circle", "text", "defs", "linearGradient", "stop"}
    assert "href" not in drawn
    assert any("<script>" in line for line in words(drawn))


def test_a_heat_map_shows_each_shift_in_its_place_and_colour():
    values = np.full(784, 0.9)
    values[5 * 28 + 3] = 0.6  # 5 down, 3 right
    drawn = draw(plot("CyclicShift", values, count=784, worst=None))
    cell = 440 / 28
    found = [
        node
        for node in ElementTree.fromstring(drawn).iter(f"{SVG}rect")
        if node.get("fill") == colour(round(0.6 * 255) / 255)
    ]
    assert len(found) == 1
    left = 90.0
    assert float(found[0].get("x")) == pytest.approx(left + (13 + 3) * cell, abs=0.01)
    assert float(found[0].get("y")) == pytest.approx((13 + 5) * cell, abs=0.01)
    assert float(found[0].get("width")) == pytest.approx(cell, abs=0.01)


def test_a_polar_plot_turns_counter_clockwise_from_the_top():
    values = np.full(72, 0.8)
    drawn = draw(plot("SO2", values))
    large = [
        (float(node.get("cx")), float(node.get("cy")))
        for node in ElementTree.fromstring(drawn).iter(f"{SVG}circle")
        if node.get("r") == "5.5" and node.get("fill") != VERMILLION
    ][:4]
    centre, radius = (282, 240), 210 * 0.8
    expected = [(0, -1), (-1, 0), (0, 1), (1, 0)]  # 0, 90, 180, 270 degrees; y points down
    assert np.allclose((np.array(sorted(large)) - centre) / radius, sorted(expected), atol=1e-3)


@pytest.mark.parametrize("spec", ["CyclicShift", "SO2", "Flip"])
def test_outputs_that_are_not_finite_are_marked_as_such(spec):
    base = plot(spec)
    values = base.probabilities.copy()
    values[1] = np.nan
    drawn = draw(dataclasses.replace(base, probabilities=values, answers=["coat", None, *base.answers[2:]]))
    assert any("not finite" in line for line in words(drawn))


@pytest.mark.parametrize("spec", ["CyclicShift", "SO2", "C4"])
def test_an_orbit_of_which_nothing_was_checked_can_be_drawn(spec):
    none = np.zeros(0)
    nothing = plot(
        spec, elements=(), exact=none > 0, probabilities=none, agrees=none > 0, answers=[], reference=None, worst=None
    )
    ElementTree.fromstring(draw(nothing))


def test_long_words_are_wrapped_inside_the_sheet():
    sentence = "the answer changes " * 20
    drawn = draw(plot("C4", statement=sentence.strip(), verdict=Verdict("not_informative", sentence, sentence)))
    assert max(map(len, words(drawn))) < 120
    assert " ".join(words(drawn)).count("answer changes") == 60
