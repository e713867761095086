"""A check's report, as REST gives it, to `equiserve.v1.CheckResponse`.

Most fields have the report's own names. Columns, enumerations and elements are put in the message's terms here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.json_format import ParseDict

from equiserve.rpc.generated import equivariance_pb2


def check_response(report: Mapping[str, Any]) -> equivariance_pb2.CheckResponse:
    """Return the message of a report in its JSON form; takes milliseconds for a large orbit."""
    content = _present(report)
    columns = content.pop("elements", None)
    content["level"] = f"SYMMETRY_LEVEL_{content['level'].upper()}"
    content["verdict"]["status"] = f"VERDICT_STATUS_{content['verdict']['status'].upper()}"
    if "reference" in content:
        content["reference"]["kind"] = f"REFERENCE_{content['reference']['kind'].upper()}"
    if "worst" in content:
        content["worst"]["element"] = _element(content["worst"]["element"])
    if "round_trip" in content.get("controls", {}):
        round_trip = content["controls"]["round_trip"]
        round_trip["elements"] = [_element(element) for element in round_trip["elements"]]
    if "resized_from" in content:
        height, width = content["resized_from"]
        content["resized_from"] = {"height": height, "width": width}
    response = ParseDict(content, equivariance_pb2.CheckResponse(), ignore_unknown_fields=True)
    if columns is not None:
        _fill(response.elements, columns)
    return response


def _fill(message: Any, columns: Mapping[str, Any]) -> None:
    for element in columns["element"]:
        ParseDict(_element(element), message.elements.add())
    message.exact.extend(columns["exact"])
    message.labels.extend(label or "" for label in columns["label"])
    message.probabilities.extend(_numbers(columns["probability"]))
    message.margins.extend(_numbers(columns["margin"]))
    message.agrees.extend(columns["agrees"])
    message.relative_errors.extend(_numbers(columns["relative_error"]))
    for row in columns.get("output", ()):
        message.outputs.add(values=_numbers(row))


def _element(element: Mapping[str, Any]) -> dict[str, Any]:
    return {"shift" if "dy" in element else "rotation": element}


def _numbers(values: Iterable[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]


def _present(value: Any) -> Any:
    """Return a copy without what JSON says by null, and without numbers that protobuf's JSON form cannot write."""
    if not isinstance(value, Mapping):
        return value
    return {
        key: _present(entry)
        for key, entry in value.items()
        if entry is not None and not (isinstance(entry, float) and not math.isfinite(entry))
    }
