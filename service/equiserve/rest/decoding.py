"""The body of a v2 inference request to an `InferRequest`.

A body is JSON, or (binary tensor data extension) a JSON header of `Inference-Header-Content-Length` bytes followed by
the raw tensors in the order of the JSON. The length alone decides which: clients send no content type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import orjson

from equiserve.artifact.datatypes import NUMPY_OF
from equiserve.dataplane import InferRequest
from equiserve.errors import InvalidRequest, Unsupported
from equiserve.rest.encoding import HEADER_LENGTH, OutputForm
from equiserve.rest.json_numbers import message_with_numbers
from equiserve.rest.tensors import Buffer, count_elements, describe, from_json, from_raw

_NO_PARAMETERS: dict[str, Any] = {}
# Headers that are worth keeping; one with data of its own is longer.
_SHORT_HEADER = 1024


def read_header_length(text: str | None, body_bytes: int) -> int | None:
    """Return the length of the JSON part, None where the whole body is JSON; raises InvalidRequest."""
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= body_bytes):
        raise InvalidRequest(
            f"header {HEADER_LENGTH}: got {text[:40]!r}, expected 0 to the body's {body_bytes} bytes",
            code="invalid_header",
            field=HEADER_LENGTH,
        )
    return int(text)


def decode_request(
    body: Buffer, header_length: int | None, model: str, version: str
) -> tuple[InferRequest, OutputForm]:
    """Decode a body that has a JSON part.

    Args:
        body: The whole body, not compressed.
        header_length: Bytes of its JSON part; None = all of it.
        model: Name of the model, from the path.
        version: Version from the path, or empty.

    Returns:
        The request, raw inputs as views of `body`; and how its outputs are wanted.

    Raises:
        InvalidRequest: The field that is wrong, what came and what was expected.
        Unsupported: Shared memory.
    """
    if header_length is not None and header_length <= _SHORT_HEADER:
        known = _known_layout(bytes(body[:header_length]))
        if known is not None and header_length + known.size == len(body):
            return known.request(body, header_length, model, version), known.form
    message = message_with_numbers(body) if header_length is None else None
    if message is None:
        message = parse_object(body if header_length is None else memoryview(body)[:header_length])
    parameters = _mapping(message, "parameters", "")
    identity = message.get("id", "")
    if type(identity) is not str:
        raise InvalidRequest(f"id: got {describe(identity)}, expected text", code="invalid_request", field="id")
    inputs = read_inputs(message, body, header_length)
    outputs, form = _read_outputs(message, parameters)
    return InferRequest(model, version, identity, inputs, outputs, parameters), form


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a JSON header says that has no data of its own: where each tensor lies in what follows it.

    Clients repeat it byte for byte, so it is read once. What it holds is shared by requests: nobody may change it.
    """

    identity: str
    parameters: dict[str, Any]
    outputs: tuple[str, ...] | None
    form: OutputForm
    tensors: tuple[tuple[str, str, list[int], int, str], ...]  # name, datatype, shape, bytes, place
    size: int

    def request(self, body: Buffer, offset: int, model: str, version: str) -> InferRequest:
        """Return the request whose tensors lie in `body` from `offset` on; raises InvalidRequest."""
        inputs: dict[str, np.ndarray] = {}
        for name, datatype, shape, size, where in self.tensors:
            inputs[name] = from_raw(body, offset, size, datatype, shape, where)
            offset += size
        return InferRequest(model, version, self.identity, inputs, self.outputs, self.parameters)


@lru_cache(maxsize=256)
def _known_layout(header: bytes) -> _Layout | None:
    """Return the layout of a JSON header; None where it has data of its own, or something is wrong with it."""
    try:
        message = parse_object(header)
        parameters = _mapping(message, "parameters", "")
        outputs, form = _read_outputs(message, parameters)
        identity, tensors = message.get("id", ""), []
        for index, entry in enumerate(_list_of_objects(message, "inputs")):
            where = f"inputs[{index}]"
            size = _mapping(entry, "parameters", where).get("binary_data_size")
            datatype, shape = entry.get("datatype"), entry.get("shape")
            if type(size) is not int or size < 0 or "data" in entry:
                return None
            if type(datatype) is not str or datatype not in NUMPY_OF or type(shape) is not list:
                return None
            count_elements(shape, f"{where}.shape")
            tensors.append((_name(entry, where), datatype, shape, size, where))
    except (InvalidRequest, Unsupported):
        return None
    if type(identity) is not str or len({name for name, *_ in tensors}) != len(tensors):
        return None
    return _Layout(identity, parameters, outputs, form, tuple(tensors), sum(size for *_, size, _ in tensors))


def read_inputs(message: dict[str, Any], body: Buffer, header_length: int | None) -> dict[str, np.ndarray]:
    """Return the arrays of a message's `inputs` by name; arguments and errors as those of `decode_request`."""
    may_hold_bools = header_length is not None or _may_hold_bools(body)
    inputs: dict[str, np.ndarray] = {}
    offset = header_length
    for index, entry in enumerate(_list_of_objects(message, "inputs")):
        name, array, offset = _read_input(entry, f"inputs[{index}]", body, offset, may_hold_bools)
        if name in inputs:
            raise InvalidRequest(
                f"inputs[{index}].name: {name!r} came twice", code="duplicate_input", field=f"inputs[{index}].name"
            )
        inputs[name] = array
    if offset is not None and offset != len(body):
        raise InvalidRequest(
            f"the body has {len(body)} bytes, its header and inputs account for {offset}",
            code="trailing_bytes",
            field="body",
        )
    return inputs


def decode_raw(body: Buffer, specs: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Decode a raw request (header length 0): the body is the one tensor of a model with one input.

    One size may be free and follows from the body's length; where two are, the first (the batch) is 1.

    Args:
        body: The tensor's bytes; for BYTES the one element itself.
        specs: The model's inputs as its v2 metadata gives them.

    Raises:
        InvalidRequest: Several inputs, too many free sizes, or a length that fits no shape.
    """
    if len(specs) != 1:
        raise InvalidRequest(
            f"a raw body needs a model with one input, this one has {len(specs)}", code="raw_request", field="body"
        )
    name, datatype, shape = specs[0]["name"], specs[0]["datatype"], list(specs[0]["shape"])
    if datatype == "BYTES":
        element = np.empty(1, dtype=object)
        element[0] = bytes(body)
        if any(size not in (-1, 1) for size in shape):
            raise InvalidRequest(f"a raw body holds one element, shape is {shape}", code="raw_request", field="body")
        return {name: element.reshape([1] * len(shape))}
    if shape.count(-1) == 2:
        shape[shape.index(-1)] = 1
    if shape.count(-1) > 1:
        raise InvalidRequest(
            f"a raw body leaves {shape} undecided: send a JSON header", code="raw_request", field="body"
        )
    if -1 in shape:
        row = NUMPY_OF[datatype].itemsize
        for size in shape:
            row *= size if size != -1 else 1
        shape[shape.index(-1)] = len(body) // row
    return {name: from_raw(body, 0, len(body), datatype, shape, "body")}


def parse_object(text: Buffer | memoryview) -> dict[str, Any]:
    """Return a JSON object; raises InvalidRequest where it is none."""
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is no JSON: {error}", code="invalid_json", field="body") from None
    if type(message) is not dict:
        raise InvalidRequest("the body is no JSON object", code="invalid_json", field="body")
    return message


def _may_hold_bools(body: Buffer) -> bool:
    """Return False only where no true or false follows the first `data`: two searches for a byte cost a hundredth of
    a look at each number.
    """
    start = body.find(b'"data"')
    return start < 0 or body.find(b"u", start) >= 0 or body.find(b"l", start) >= 0


def _read_input(
    entry: dict[str, Any], where: str, body: Buffer, offset: int | None, may_hold_bools: bool
) -> tuple[str, np.ndarray, int | None]:
    name = _name(entry, where)
    datatype = entry.get("datatype")
    if type(datatype) is not str or datatype not in NUMPY_OF:
        raise InvalidRequest(
            f"{where}.datatype: got {describe(datatype)}, expected one of {', '.join(NUMPY_OF)}",
            code="unknown_datatype",
            field=f"{where}.datatype",
        )
    shape = entry.get("shape")
    count_elements(shape, f"{where}.shape")
    assert isinstance(shape, list)
    parameters = _mapping(entry, "parameters", where)
    size = parameters.get("binary_data_size")
    if size is None:
        if "data" not in entry:
            if "shared_memory_region" in parameters:
                raise Unsupported(f"{where}: shared memory is not served", code="shared_memory", field=where)
            raise InvalidRequest(f"{where}.data: it is missing", code="missing_data", field=f"{where}.data")
        array = from_json(entry["data"], datatype, shape, f"{where}.data", may_hold_bools=may_hold_bools)
        return name, array, offset
    place = f"{where}.parameters.binary_data_size"
    if offset is None or "data" in entry:
        what = f"header {HEADER_LENGTH} is missing" if offset is None else "`data` came as well"
        raise InvalidRequest(f"{place}: {what}", code="invalid_binary_data", field=place)
    left = len(body) - offset
    if type(size) is not int or not 0 <= size <= left:
        raise InvalidRequest(
            f"{place}: got {describe(size)}, expected a whole number up to the {left} bytes that are left in the body",
            code="invalid_binary_data",
            field=place,
        )
    return name, from_raw(body, offset, size, datatype, shape, where), offset + size


def _read_outputs(message: dict[str, Any], parameters: dict[str, Any]) -> tuple[tuple[str, ...] | None, OutputForm]:
    form = OutputForm(binary=_flag(parameters, "binary_data_output", "parameters"))
    if not message.get("outputs"):
        return None, form
    names: list[str] = []
    for index, entry in enumerate(_list_of_objects(message, "outputs")):
        where = f"outputs[{index}]"
        name = _name(entry, where)
        if name in names:
            raise InvalidRequest(f"{where}.name: {name!r} came twice", code="duplicate_output", field=f"{where}.name")
        names.append(name)
        options = _mapping(entry, "parameters", where)
        if "shared_memory_region" in options:
            raise Unsupported(f"{where}: shared memory is not served", code="shared_memory", field=where)
        if "binary_data" in options:
            form.binary_of[name] = _flag(options, "binary_data", f"{where}.parameters")
        classes = options.get("classification", 0)
        if type(classes) is not int or classes < 0:
            place = f"{where}.parameters.classification"
            raise InvalidRequest(
                f"{place}: got {describe(classes)}, expected a whole number >= 0", code="invalid_parameter", field=place
            )
        if classes:
            form.classes_of[name] = classes
    return tuple(names), form


def _name(entry: dict[str, Any], where: str) -> str:
    name = entry.get("name")
    if type(name) is not str or not name:
        raise InvalidRequest(
            f"{where}.name: got {describe(name)}, expected text", code="invalid_name", field=f"{where}.name"
        )
    return name


def _mapping(parent: dict[str, Any], key: str, where: str) -> dict[str, Any]:
    value = parent.get(key)
    if value is None:
        return _NO_PARAMETERS
    if type(value) is not dict:
        place = f"{where}.{key}" if where else key
        raise InvalidRequest(f"{place}: got {describe(value)}, expected an object", code="invalid_request", field=place)
    return value


def _list_of_objects(message: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = message.get(key)
    if type(value) is not list or not all(type(entry) is dict for entry in value):
        came = "nothing" if key not in message else f"{describe(value)}"
        raise InvalidRequest(f"{key}: got {came}, expected a list of objects", code="invalid_request", field=key)
    return value


def _flag(parameters: dict[str, Any], key: str, where: str) -> bool:
    value = parameters.get(key, False)
    if type(value) is not bool:
        place = f"{where}.{key}"
        raise InvalidRequest(
            f"{place}: got {describe(value)}, expected true or false", code="invalid_parameter", field=place
        )
    return value
