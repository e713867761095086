"""A check's report, as REST gives it, to `equiserve.v1.CheckResponse`.

Most fields have the report's own names. Columns, enumerations and elements are put in the message's terms here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from google.protobuf.json_format import ParseDict

from equiserve.rpc.generated import equivariance_pb2


def check_response(report: Mapping[str, Any]) -> equivariance_pb2.CheckResponse:
    """Return the message of a report in its JSON form; takes milliseconds for a large orbit."""
    content = _present(report)
    columns, comparison = content.pop("elements", None), content.pop("comparison", None)
    searched = content.get("search", {}).pop("elements", None)
    outputs = content.pop("outputs", {})
    _enumerate(content)
    if "reference" in content:
        content["reference"]["kind"] = f"REFERENCE_{content['reference']['kind'].upper()}"
    for worst in (content.get("worst"), content.get("search", {}).get("worst")):
        if worst:
            worst["element"] = _element(worst["element"])
    for control in ("round_trip", "kernel_ladder"):
        if control in content.get("controls", {}):
            shown = content["controls"][control]
            shown["elements"] = [_element(element) for element in shown["elements"]]
    if "sampled" in content:
        content["sampled"] = {"count": content["sampled"]["random"], "seed": content["sampled"]["seed"]}
    content["gates"] = [
        _present(gate) | {"status": f"VERDICT_STATUS_{gate['status'].upper()}"} for gate in content.get("gates", ())
    ]
    if "resized_from" in content:
        height, width = content["resized_from"]
        content["resized_from"] = {"height": height, "width": width}
    response = ParseDict(content, equivariance_pb2.CheckResponse(), ignore_unknown_fields=True)
    if columns is not None:
        _fill(response.elements, columns)
    if searched is not None:
        _fill(response.search.elements, searched)
    if comparison is not None:
        _compare(response.comparison, comparison)
    for name, output in outputs.items():
        _put_output(response.outputs[name], output)
    return response


def started(content: Mapping[str, Any]) -> equivariance_pb2.CheckStarted:
    """Return the message of a plan in its JSON form."""
    plan = _present(content)
    _enumerate(plan)
    return ParseDict(plan, equivariance_pb2.CheckStarted(), ignore_unknown_fields=True)


def progress(content: Mapping[str, Any]) -> equivariance_pb2.CheckProgress:
    """Return the message of a check's progress in its JSON form."""
    message = equivariance_pb2.CheckProgress(
        model=content["model"], done=content["done"], planned=content["planned"], indices=content["elements"]["index"]
    )
    if content["reference"] is not None:
        message.reference.label, message.reference.index = content["reference"]["label"], content["reference"]["index"]
    _fill(message.elements, content["elements"])
    return message


def judged(content: Mapping[str, Any]) -> equivariance_pb2.CheckJudged:
    """Return the message of a verdict in its JSON form."""
    verdict = _present(content)
    _enumerate(verdict)
    return ParseDict(verdict, equivariance_pb2.CheckJudged())


def element_message(element: Mapping[str, Any]) -> equivariance_pb2.Element:
    """Return the message of an element in its JSON form."""
    return ParseDict(_element(element), equivariance_pb2.Element())


def _enumerate(content: dict[str, Any]) -> None:
    """Put names of enumerations in protobuf's terms."""
    if "level" in content:
        content["level"] = f"SYMMETRY_LEVEL_{content['level'].upper()}"
    if "verdict" in content:
        content["verdict"]["status"] = f"VERDICT_STATUS_{content['verdict']['status'].upper()}"


def _compare(message: Any, comparison: dict[str, Any]) -> None:
    columns, difference = comparison.pop("elements", None), comparison.pop("difference", None)
    _enumerate(comparison)
    ParseDict(comparison, message, ignore_unknown_fields=True)
    if columns is not None:
        _fill(message.elements, columns)
    if difference is not None:
        message.difference.indices.extend(difference["index"])
        message.difference.probabilities.extend(_numbers(difference.get("probability", ())))
        message.difference.margins.extend(_numbers(difference.get("margin", ())))


def _put_output(message: Any, output: dict[str, Any]) -> None:
    message.relative_errors.extend(_numbers(output.pop("relative_error")))
    message.values.extend(equivariance_pb2.OutputRow(values=_numbers(row)) for row in output.pop("values", ()))
    _enumerate(output)
    ParseDict(output, message, ignore_unknown_fields=True)


def _fill(message: Any, columns: Mapping[str, Any]) -> None:
    for element in columns["element"]:
        ParseDict(_element(element), message.elements.add())
    message.exact.extend(columns["exact"])
    message.labels.extend(label or "" for label in columns.get("label", ()))
    message.probabilities.extend(_numbers(columns.get("probability", ())))
    message.margins.extend(_numbers(columns.get("margin", ())))
    message.agrees.extend(columns.get("agrees", ()))
    message.relative_errors.extend(_numbers(columns.get("relative_error", ())))
    for row in columns.get("output", ()):
        message.outputs.add(values=_numbers(row))


def _element(element: Mapping[str, Any]) -> dict[str, Any]:
    if element.keys() == {"dy", "dx"}:
        return {"shift": element}
    if "angle_deg" in element:
        return {"rotation": element}
    return {"json": orjson.dumps(element).decode()}


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
