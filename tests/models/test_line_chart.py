from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

from equiserve_models.line_chart import Axis, Level, Line, line_chart


def drawn(**axes: bool) -> str:
    x = Axis("pictures", 1, 100, [0.5, 1, 10, 100], logarithmic=axes.get("logarithmic", False))
    y = Axis("error, mm", 0, 10, [0, 5, 10], form=".1f")
    lines = [Line("one", "#0072B2", [(1, 0), (10, 5), (100, 10)]), Line("two", "#D55E00", [(1, 1), (100, 10)])]
    return line_chart(x, y, lines, [Level("bar", "#009E73", 2.5)], margin=140)


def test_chart_is_svg_with_names_units_and_the_ticks_within_the_axes() -> None:
    texts = [node.text for node in ElementTree.fromstring(drawn()).iter("{http://www.w3.org/2000/svg}text")]
    assert {"pictures", "error, mm", "one", "two", "bar", "1", "100", "5.0"} <= set(texts)
    assert "0.5" not in texts


def test_a_logarithmic_axis_has_equal_ratios_equally_far_apart() -> None:
    places = re.findall(r'cx="([\d.]+)"', drawn(logarithmic=True))[:3]
    first, middle, last = (float(place) for place in places)
    assert middle == pytest.approx((first + last) / 2, abs=0.1)
    assert first == 64.0
    assert last == 640 - 140


def test_names_of_lines_that_end_at_one_point_do_not_cover_each_other() -> None:
    places = [float(y) for y, name in re.findall(r'y="([\d.]+)"[^>]*>(one|two)<', drawn())]
    assert abs(places[0] - places[1]) >= 15
