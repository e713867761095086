"""An `InferResponse` to the body of a v2 inference response, in the form that the request asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from equiserve.dataplane import InferResponse
from equiserve.rest.tensors import to_json, to_raw
from equiserve.tasks.ranking import rank_classes

#: Names the length of the JSON part of a body that carries raw tensors, both ways.
HEADER_LENGTH = "inference-header-content-length"
_HEADER_LENGTH = HEADER_LENGTH.encode()
_JSON_TYPE = (b"content-type", b"application/json")
_BINARY_TYPE = (b"content-type", b"application/octet-stream")

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class OutputForm:
    """How the caller wants the outputs.

    Attributes:
        binary: Whether outputs are raw where nothing is said of them.
        binary_of: The same for single outputs.
        classes_of: Outputs to give as their best classes (classification extension), and how many.
    """

    binary: bool = False
    binary_of: dict[str, bool] = field(default_factory=dict)
    classes_of: dict[str, int] = field(default_factory=dict)


def encode_response(response: InferResponse, form: OutputForm) -> tuple[Headers, bytes]:
    """Return the headers (content type and lengths) and the body of a response.

    Raises:
        InvalidRequest: An output that the wanted form cannot carry.
    """
    model = response.model
    outputs: list[dict[str, Any]] = []
    raw: list[bytes] = []
    for spec in model.runtime.outputs:
        name, datatype = spec.name, spec.datatype
        array = response.outputs.get(name)
        if array is None:
            continue
        if name in form.classes_of:
            array, datatype = rank_classes(array, form.classes_of[name], model.manifest.labels, name), "BYTES"
        entry: dict[str, Any] = {"name": name, "datatype": datatype, "shape": array.shape}
        if form.binary_of.get(name, form.binary):
            part = to_raw(array, datatype)
            entry["parameters"] = {"binary_data_size": len(part)}
            raw.append(part)
        else:
            entry["data"] = to_json(array, datatype, f"outputs.{name}")
        outputs.append(entry)
    message: dict[str, Any] = {"model_name": model.name, "model_version": model.version}
    if response.id:
        message["id"] = response.id
    message["parameters"] = {"runtime": model.runtime.name}
    if response.symmetrize is not None:
        message["parameters"]["symmetrize"] = response.symmetrize
    message["outputs"] = outputs
    head = orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY)
    if not raw:
        return [_JSON_TYPE, (b"content-length", b"%d" % len(head))], head
    body = b"".join((head, *raw))
    return [
        _BINARY_TYPE,
        (b"content-length", b"%d" % len(body)),
        (_HEADER_LENGTH, b"%d" % len(head)),
    ], body
