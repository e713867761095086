"""A report as CSV: a row for each element of each input."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from equiserve.checks.formats.parts import parts_of
from equiserve.checks.plots.elements import words

_COLUMNS = ("exact", "label", "probability", "margin", "agrees", "relative_error")
# A cell that begins so would be run as a formula by a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(report: Mapping[str, Any]) -> bytes:
    """Return CSV in UTF-8 with a header.

    The element's own coordinates (`dy` and `dx` in pixels, `angle_deg`, ...) are columns of their own.
    """
    rows = []
    coordinates: dict[str, None] = {}
    for given in parts_of(report):
        columns = given["elements"] or {"element": []}
        reference = ((given["reference"] or {}).get("prediction") or {}).get("label")
        for k, element in enumerate(columns["element"]):
            flat = _flat(element)
            coordinates |= dict.fromkeys(flat)
            row = {"input": given["name"], "index": k, "element": words(element, given["group"]["parameters"]), **flat}
            row |= {name: columns[name][k] if name in columns else None for name in _COLUMNS} | {"reference": reference}
            rows.append(row)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(
        text, ["input", "index", "element", *coordinates, *_COLUMNS, "reference"], lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested coordinates under dotted names."""
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            flat |= _flat(inner, f"{prefix}{key}.")
        elif isinstance(inner, list | tuple):
            flat |= _flat({str(place): part for place, part in enumerate(inner)}, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = inner
    return flat


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
