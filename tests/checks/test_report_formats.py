"""The forms of a report: each says what the JSON says, in a form that its readers accept."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import math
import re
import struct
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from sample_reports import curve_report, sample_report, searched_report

from equiserve.check_command.arguments import SUFFIXES
from equiserve.checks.comparison import compare
from equiserve.checks.data_set import aggregate
from equiserve.checks.formats import FORMATS, png, to_csv, to_html, to_json, to_junit, to_png, to_svg, to_vega_lite
from equiserve.checks.gated import gated_report
from equiserve.errors import Unsupported
from equiserve.rest.report_formats import render
from equiserve.symmetry.gates import gate_from_text

EVIL = "</script><script>alert(1)</script>\x07=1&\"'"
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="


def six_inputs(spec: str = "SO2", *gates: str) -> dict[str, Any]:
    curves = np.random.default_rng(4).uniform(0.2, 0.95, (6, 72))
    inputs = {f"garment-{k}.png": sample_report(spec, curve) for k, curve in enumerate(curves)}
    return gated_report(inputs, [gate_from_text(gate) for gate in gates])


def evil_report() -> dict[str, Any]:
    report = sample_report(
        "D4", model=EVIL, statement=EVIL, name=EVIL, verdict={"status": "fail", "reason": EVIL, "next_step": EVIL}
    )
    report["elements"]["label"] = [EVIL] * 8
    report["reference"]["prediction"]["label"] = EVIL
    return report


# ---------------------------------------------------------------- CSV


def rows_of(report: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(report).decode())))


def test_csv_has_a_row_for_each_element_of_each_input():
    report = six_inputs()
    rows = rows_of(report)
    assert len(rows) == 6 * 72
    for row, given in zip(rows[72:144], range(72), strict=True):
        columns = report["inputs"][1]["elements"]
        assert row["input"] == "garment-1.png"
        assert float(row["angle_deg"]) == columns["element"][given]["angle_deg"]
        assert float(row["probability"]) == columns["probability"][given]
        assert row["agrees"] == str(columns["agrees"][given]).lower()


def test_csv_leaves_what_is_not_finite_empty():
    assert rows_of(sample_report("C4", [0.9, math.nan, 0.9, 0.9]))[1]["probability"] == ""


def test_csv_names_the_coordinates_of_products_apart():
    elements = [{"product": [{"angle_deg": 90.0, "reflected": False}, {"time_reversed": True}]}]
    row = rows_of(curve_report(elements, [0.5]))[0]
    assert (row["product.0.angle_deg"], row["product.1.time_reversed"]) == ("90.0", "true")


def test_a_spreadsheet_finds_no_formula_in_names_that_callers_chose():
    report = sample_report("C4")
    report["elements"]["label"] = ["=HYPERLINK(1)", "+1", "-1", "@x"]
    assert [row["label"][0] for row in rows_of(report)] == ["'"] * 4


# ---------------------------------------------------------------- JUnit


def test_junit_has_a_test_case_for_each_gate():
    suites = ElementTree.fromstring(to_junit(six_inputs("SO2", "orbit_consistency=0.99", "jensen_shannon=0.9")))
    cases = list(suites.iter("testcase"))
    assert [case.get("name") for case in cases] == ["modal_consistency >= 0.99", "jensen_shannon <= 0.9"]
    assert cases[0].find("failure") is not None
    assert list(cases[1]) == []
    assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == ("2", "1", "0")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("pass", None), ("fail", "failure"), ("inconclusive", "error"), ("not_informative", "skipped")],
)
def test_junit_without_gates_has_a_test_case_for_each_input(status, outcome):
    verdict = {"status": status, "reason": "so it is", "next_step": None}
    suites = ElementTree.fromstring(to_junit(gated_report({"a.png": sample_report("C4", verdict=verdict)})))
    (case,) = suites.iter("testcase")
    assert case.get("name") == "a.png"
    assert [child.tag for child in case] == ([outcome] if outcome else [])


def test_junit_keeps_hostile_names_as_text():
    (case,) = ElementTree.fromstring(to_junit(evil_report())).iter("testcase")
    assert case.get("name") == EVIL.replace("\x07", "�")


# ---------------------------------------------------------------- Vega-Lite


@pytest.mark.parametrize("spec", ["SO2", "CyclicShift", "CropShift:3", "D4"])
def test_vega_lite_names_only_fields_that_its_rows_have(spec):
    for report in (sample_report(spec, count=784), six_inputs("SO2")):
        chart = json.loads(to_vega_lite(report))
        fields = set(re.findall(r'"field":"(\w+)"', to_vega_lite(report).decode()))
        assert fields <= chart["data"]["values"][0].keys()
        assert chart["$schema"].endswith("/v5.json")


def test_vega_lite_gets_rotations_as_points_of_the_plane_in_the_order_of_their_angle():
    chart = json.loads(to_vega_lite(sample_report("C4", [0.9, 0.8, 0.7, 0.6])))
    points = [(row["x"], row["y"]) for row in chart["data"]["values"]]
    assert np.allclose(points, [(0, 0.9), (-0.8, 0), (0, -0.7), (0.6, 0)], atol=1e-12)
    assert chart["layer"][0]["encoding"]["order"] == {"field": "angle_deg"}


# ---------------------------------------------------------------- HTML


class Page(HTMLParser):
    """Collects tags, and the text of each element of style and script."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, str] = {}
        self._open = ""
        self.feed(page.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = f"{tag}:{dict(attrs).get('id', '')}"

    def handle_data(self, data):
        self.inside[self._open] = self.inside.get(self._open, "") + data

    def handle_endtag(self, tag):
        self._open = ""

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.inside["script:report"])


def test_the_page_asks_for_nothing_outside_itself():
    report = six_inputs()
    report["inputs"][0]["picture"] = f"data:image/png;base64,{DOT}"
    page = to_html(report).decode()
    assert set(re.findall(r"https?://[^\s\"'`]+", page)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert not re.search(r"url\(|@import|\bfetch\(|XMLHttpRequest|import\(", page.replace("url(#disc)", ""))
    assert {tag for tag, _ in Page(page.encode()).tags}.isdisjoint({"link", "img", "iframe", "object", "embed", "base"})


def test_the_policy_of_the_page_allows_its_own_script_and_style_by_digest_and_no_other():
    page = Page(to_html(six_inputs()))
    policy = next(attributes["content"] for tag, attributes in page.tags if attributes.get("http-equiv"))
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(page.inside[f"{kind}:"].encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"
    assert rules["default-src"] == "'none'"
    assert not any(name.startswith("on") or name == "style" for _, attributes in page.tags for name in attributes)


def test_hostile_names_do_not_leave_the_data_of_the_page():
    page = Page(to_html(evil_report()))
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [
        {"type": "application/json", "id": "report"},
        {},
    ]
    assert page.data["statement"] == EVIL
    assert "innerHTML" not in page.inside["script:"]


def test_the_page_holds_the_curves_their_mean_and_the_overview():
    report = six_inputs("SO2", "orbit_consistency=0.9")
    data = Page(to_html(report)).data
    curves = np.array([given["elements"]["probability"] for given in report["inputs"]])
    assert np.allclose([given["probability"] for given in data["inputs"]], curves, atol=6e-5)
    assert np.allclose(data["mean"]["probability"], curves.mean(axis=0), atol=6e-5)
    assert (np.array(data["mean"]["low"]) <= np.array(data["mean"]["high"])).all()
    assert len(data["overview"]["points"]) == 6
    assert [gate["status"] for gate in data["gates"]] == ["fail"]
    assert data["words"][:2] == ["as it came", "turned by 5°"]


def test_the_page_of_a_single_input_has_neither_mean_nor_overview():
    data = Page(to_html(sample_report("CyclicShift", count=784))).data
    assert (data["mean"], data["overview"], len(data["inputs"])) == (None, None, 1)


def test_the_page_shows_what_a_search_tried_and_begins_with_the_worst_that_it_found():
    angles = [{"angle_deg": 10.0, "reflected": False}, {"angle_deg": 11.0, "reflected": False}]
    data = Page(to_html(searched_report("SO2", angles, [0.6, 0.1], 24))).data
    assert (sum(data["searched"]), len(data["elements"])) == (2, 26)
    assert data["inputs"][0]["worst"] == 25
    assert data["inputs"][0]["consistency"] == 1.0  # of the uniform elements alone
    assert len(data["layout"]["marks"]) == 26


@pytest.mark.parametrize("spec", ["CyclicShift", "CropShift:3", "SO2", "C4"])
def test_every_element_has_a_mark_inside_the_plot_of_the_page(spec):
    report = sample_report(spec, count=784)
    layout = Page(to_html(report)).data["layout"]
    width, height = layout["size"]
    if layout["kind"] == "polar":
        angles = [element["angle_deg"] for element in report["elements"]["element"]]
        assert np.allclose([mark[0] for mark in layout["marks"]], angles, atol=0.006)
        return
    for x, y, w, h in layout["marks"]:
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height


def test_the_page_of_a_check_that_had_no_time_can_be_made():
    nothing = sample_report("SO2") | dict.fromkeys(("elements", "reference", "worst", "summary", "controls"))
    assert Page(to_html(nothing)).data["layout"]["marks"] == []


# ---------------------------------------------------------------- two models


@pytest.fixture
def comparison() -> dict[str, Any]:
    """A report with a second model's curve on the same elements."""
    ours = sample_report("SO2")
    theirs = sample_report("SO2", np.full(72, 0.8), model="another model")
    return ours | {"comparison": compare(ours, theirs)}


def test_a_comparison_is_drawn_as_two_plots_under_the_names_of_their_models(comparison):
    svg = to_svg(comparison).decode()
    shown = [node.text or "" for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert [line for line in shown if ", version 1, onnx: " in line] == [
        "a model, version 1, onnx: fail",
        "another model, version 1, onnx: fail",
    ]
    assert svg.count("angle of the rotation, counter-clockwise") == 2


def test_a_comparison_has_the_rows_of_both_models_and_no_mean_over_them(comparison):
    rows = rows_of(comparison)
    assert [row["input"] for row in rows[::72]] == ["a model, version 1, onnx", "another model, version 1, onnx"]
    assert {row["probability"] for row in rows[72:]} == {"0.8"}
    data = Page(to_html(comparison)).data
    assert (data["mean"], data["overview"], len(data["inputs"])) == (None, None, 2)
    assert data["comparison"] == comparison["comparison"]["statement"]
    assert data["inputs"][1]["reference"] == "coat"


def test_a_comparison_in_which_one_model_had_no_time_is_the_report_of_the_other(comparison):
    comparison["comparison"]["elements"] = None
    assert len(rows_of(comparison)) == 72


# ---------------------------------------------------------------- PNG


def test_png_shows_the_plot_at_twice_its_size():
    pytest.importorskip("resvg_py", reason="PNG needs the extra `png`")
    svg = to_svg(sample_report("C4")).decode()
    width, height = (float(v) for v in re.search(r'width="([\d.]+)" height="([\d.]+)"', svg).groups())
    try:
        drawn = to_png(svg)
    except Unsupported as error:
        pytest.skip(error.message)
    assert drawn.startswith(b"\x89PNG")
    assert struct.unpack(">II", drawn[16:24]) == (math.ceil(2 * width), math.ceil(2 * height))


def test_png_without_its_extra_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(Unsupported, match=r"equiserve\[png\]"):
        to_png("<svg/>")


def test_png_without_fonts_is_refused_rather_than_drawn_without_words(monkeypatch):
    pytest.importorskip("resvg_py", reason="PNG needs the extra `png`")
    monkeypatch.setattr(png, "_has_a_font", lambda: False)
    with pytest.raises(Unsupported, match="font"):
        to_png("<svg/>")


# ---------------------------------------------------------------- choosing


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("image/svg+xml", "image/svg+xml"),
        ("image/*", "image/svg+xml"),
        ("text/csv;q=0.4, application/xml;q=0.6", "application/xml"),
        ("text/xml", "application/xml"),
        ("application/vnd.vegalite.v5+json", "application/vnd.vegalite+json"),
        ("video/mp4", "application/json"),
        ("text/csv;q=0", "application/json"),
        ("text/csv;q=high", "application/json"),
    ],
)
def test_accept_chooses_the_form(accept, expected):
    report = sample_report("C4")
    media_type, body = render(report, accept)
    assert media_type == expected
    assert body == next(form for form in FORMATS if form.media_type == expected).render(report)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (base64.b64decode(DOT), f"data:image/png;base64,{DOT}"),
        (b"\xff\xd8\xff" + bytes(9), "data:image/jpeg;base64,/9j/"),
        (np.zeros((1, 4, 4), np.uint8), "data:image/png;base64,"),
        (np.zeros((3, 4, 4), np.uint8), "data:image/png;base64,"),
        (base64.b64decode(DOT) + bytes(300_000), None),
        (b"<svg onload='alert(1)'/>", None),
    ],
    ids=["png", "jpeg", "grey pixels", "colours", "too large", "no picture"],
)
def test_a_page_shows_the_picture_that_was_checked(picture, expected):
    _, body = render(sample_report("C4"), "text/html", picture)
    (given,) = Page(body).data["inputs"]
    assert (given["picture"] or "").startswith(expected or "")
    assert (given["picture"] is None) == (expected is None)


def test_json_is_the_report_and_takes_no_numbers_that_json_has_not():
    assert json.loads(to_json(sample_report("C4") | {"cost": {"wall_ms": math.nan}}))["cost"] == {"wall_ms": None}


def test_the_command_lists_the_endings_that_there_are():
    assert sorted(SUFFIXES) == sorted(form.suffix for form in FORMATS)


# ---------------------------------------------------------------- the report of a job over a data set


@pytest.fixture
def data_set() -> dict[str, Any]:
    """What a job says of six pictures and of a seventh that could not be read."""
    curves = np.random.default_rng(5).uniform(0.2, 0.95, (6, 72))
    reports = [{**sample_report("SO2", curve), "index": k} for k, curve in enumerate(curves)]
    return aggregate(reports, {6: {"error": "broken", "code": "broken_picture", "field": "picture"}}, 7)


def test_a_job_over_a_data_set_can_be_had_in_every_form_under_its_pictures_numbers(data_set):
    assert {row["input"] for row in rows_of(data_set)} == {f"picture {k}" for k in range(6)}
    assert [given["name"] for given in Page(to_html(data_set)).data["inputs"]] == [f"picture {k}" for k in range(6)]
    assert b"95 % band of the mean" in to_svg(data_set)
    assert json.loads(to_vega_lite(data_set))["data"]["values"]


def test_junit_has_an_error_for_a_picture_that_could_not_be_read(data_set):
    cases = list(ElementTree.fromstring(to_junit(data_set)).iter("testcase"))
    assert [case.get("name") for case in cases] == [f"picture {k}" for k in range(7)]
    assert cases[6].find("error").get("message") == "broken"
