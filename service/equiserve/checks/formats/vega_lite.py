"""A report as a Vega-Lite specification, for those who draw their own charts.

Vega-Lite has no polar axes: rotations come as x = r cos, y = r sin with the angle as the order of the line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson

from equiserve.checks.formats.parts import parts_of
from equiserve.checks.plots.columns import drawn_columns, drawn_quantity, words_of
from equiserve.checks.plots.elements import axis_angle, centred, kind_of, words

_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"


def to_vega_lite(report: Mapping[str, Any]) -> bytes:
    """Return a Vega-Lite 5 specification with its data inside, as JSON; a panel for each input."""
    inputs = parts_of(report)
    kind = kind_of([element for given in inputs for element in (given["elements"] or {"element": []})["element"]])
    rows = [row for given in inputs for row in _rows(given, kind)]
    quantity = drawn_quantity(report) if "outputs" in report else "probability of the reference"
    agrees = words_of(inputs[0]).agrees if inputs else ""
    chart: dict[str, Any] = {"data": {"values": rows}}
    if len(inputs) > 1:
        facet = {"field": "input", "type": "nominal", "title": None}
        chart |= {"columns": 3, "facet": facet, "spec": _chart(kind, quantity, agrees)}
    else:
        chart |= _chart(kind, quantity, agrees)
    title = {"text": f"{report['model']}: {report['group']['name']}", "subtitle": report["statement"]}
    return orjson.dumps({"$schema": _SCHEMA, "title": title, **chart})


def _rows(report: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    columns = drawn_columns(report, searched=True)
    rows = []
    for k, element in enumerate(columns["element"]):
        probability = columns["probability"][k]
        row = {
            "input": report["name"],
            "element": words(element, report["group"]["parameters"]),
            "exact": columns["exact"][k],
            "answer": columns["label"][k],
            "agrees": columns["agrees"][k],
            "probability": probability,
            "searched": columns["searched"][k],
        }
        if kind == "shift":
            row["dy"], row["dx"] = centred(element, report["group"]["parameters"])
        elif kind == "rotation":
            angle, radius = float(element["angle_deg"]), probability or 0.0
            # 0 degrees up and counter-clockwise, as the picture turns.
            turned = math.radians(angle + 90)
            row |= {"angle_deg": angle, "mirrored": bool(element.get("reflected"))}
            row |= {"x": radius * math.cos(turned), "y": radius * math.sin(turned)}
        elif kind == "rotation3d":
            (x, y, z), angle = axis_angle(element)
            row |= {"angle_deg": angle, "axis_x": x, "axis_y": y, "axis_z": z}
        rows.append(row)
    return rows


def _probability(channel: str, quantity: str) -> dict[str, Any]:
    scale: dict[str, Any] = {"domain": [0, 1]}
    if channel == "color":
        scale["scheme"] = "viridis"
    shown = {"field": "probability", "type": "quantitative", "title": quantity, "scale": scale}
    return shown | ({"legend": _WHOLE_TITLE} if channel == "color" else {})


def _axis(field: str, title: str, kind: str = "quantitative") -> dict[str, Any]:
    return {"field": field, "type": kind, "title": title}


# Vega-Lite cuts titles and names that it finds long.
_WHOLE_TITLE = {"titleLimit": 0}
_AGREES = {
    "field": "agrees",
    "type": "nominal",
    "legend": _WHOLE_TITLE,
    "scale": {"domain": [True, False], "range": ["#0072b2", "#d55e00"]},
}
_SQUARE = {"width": 340, "height": 340}
_UNIT = {"scale": {"domain": [-1, 1]}}


def _chart(kind: str, quantity: str, agrees: str) -> dict[str, Any]:
    coloured = {**_AGREES, "title": agrees}
    tooltip = [{"field": name} for name in ("element", "answer", "agrees", "exact")]
    tooltip.insert(2, {"field": "probability", "title": quantity})
    charts: dict[str, dict[str, Any]] = {
        "shift": {
            **_SQUARE,
            "mark": "rect",
            "encoding": {
                "x": _axis("dx", "shift to the right (px)", "ordinal"),
                "y": _axis("dy", "shift down (px)", "ordinal"),
                "color": _probability("color", quantity),
                "tooltip": tooltip,
            },
        },
        "rotation": {
            **_SQUARE,
            "encoding": {
                "x": {**_axis("x", f"{quantity}, 90° to the left, 270° to the right"), **_UNIT},
                "y": {**_axis("y", f"{quantity}, 0° up, 180° down"), **_UNIT},
            },
            "layer": [
                {
                    "mark": {"type": "line", "strokeWidth": 1},
                    "encoding": {"order": {"field": "angle_deg"}, "detail": {"field": "mirrored"}},
                },
                {
                    "mark": {"type": "point", "filled": True},
                    "encoding": {
                        "color": coloured,
                        "shape": {"field": "mirrored", "type": "nominal"},
                        "size": {"condition": {"test": "datum.exact", "value": 90}, "value": 25},
                        "tooltip": tooltip,
                    },
                },
            ],
        },
        "rotation3d": {
            **_SQUARE,
            "mark": {"type": "point", "filled": True},
            "encoding": {
                "x": {**_axis("angle_deg", "angle of the rotation (degrees)"), "scale": {"domain": [0, 180]}},
                "y": _probability("y", quantity),
                "color": coloured,
                "tooltip": tooltip,
            },
        },
        "other": {
            "mark": "bar",
            "encoding": {
                "y": {**_axis("element", "element", "nominal"), "sort": None, "axis": {"labelLimit": 0}},
                "x": _probability("x", quantity),
                "color": coloured,
                "tooltip": tooltip,
            },
        },
    }
    return charts[kind]
