"""The fields that checks of a picture and of named tensors share, from `equiserve.v1.CheckRequest`."""

from __future__ import annotations

from typing import Any

import orjson
from google.protobuf.json_format import MessageToDict

from equiserve.errors import InvalidRequest


def group_of(message: Any) -> str | dict[str, Any] | None:
    """Return the group's name, or its name and parameters; None where none was named."""
    if not message.HasField("group"):
        return None
    group = message.group
    if not group.parameters.fields:
        name: str = group.name
        return name
    return {"name": group.name, **{key: _whole(value) for key, value in MessageToDict(group.parameters).items()}}


def elements_of(message: Any) -> int | list[Any] | dict[str, int] | None:
    """Return how many elements, which as JSON values, or how many random ones; None where nothing was said.

    Raises:
        InvalidRequest: An element that is none.
    """
    selection = message.WhichOneof("selection")
    if selection == "count":
        count: int = message.count
        return count
    if selection == "random":
        return {"random": message.random.count, "seed": message.random.seed}
    if selection == "elements":
        return [_element(element, f"elements[{index}]") for index, element in enumerate(message.elements.elements)]
    return None


def gate_of(message: Any) -> dict[str, Any] | None:
    """Return what metrics must reach; None where nothing was said."""
    return MessageToDict(message.gate) if message.HasField("gate") else None


def _whole(value: Any) -> Any:
    # A Struct knows one kind of number; parameters of groups are whole ones.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _element(message: Any, field: str) -> Any:
    kind = message.WhichOneof("kind")
    if kind == "shift":
        return {"dy": message.shift.dy, "dx": message.shift.dx}
    if kind == "rotation":
        return {"angle_deg": message.rotation.angle_deg, "reflected": message.rotation.reflected}
    if kind == "json":
        try:
            return orjson.loads(message.json)
        except orjson.JSONDecodeError as error:
            raise InvalidRequest(f"{field}.json: {error}", code="invalid_json", field=f"{field}.json") from None
    raise InvalidRequest(f"{field}: got neither shift, rotation nor json, expected one of them", field=field)
