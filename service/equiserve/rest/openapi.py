"""What FastAPI cannot read off the routes: bodies that are no pydantic models, the direct routes, the errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI

from equiserve.artifact.datatypes import NUMPY_OF
from equiserve.rest.encoding import HEADER_LENGTH
from equiserve.rest.errors import ErrorBody

DESCRIPTION = """
Serves models whose outputs must move with their inputs, and proves it for every input that it is sent.

Tensors travel by the Open Inference Protocol v2 with its binary extension; tasks take pictures and return what a person
asks for; the equivariance check runs a model over the whole orbit of a picture. Every answer carries `x-request-id`;
`x-request-timeout-ms` sets a deadline.
"""

_CONDITIONS = {
    400: "Malformed or invalid request: `field` names what is wrong",
    401: "No credential, or a wrong one",
    403: "The credential does not allow this",
    404: "Unknown model, version or route",
    413: "Body, picture or orbit over its limit",
    429: "Queue full, or the deadline cannot be met; see `Retry-After`",
    500: "Fault of the server or of the model",
    501: "This build or this model cannot do it",
    503: "Not ready, or shutting down",
    504: "The deadline passed",
}

ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": text} for status, text in _CONDITIONS.items()
}

_PIXELS = {"type": "array", "items": {}, "description": "0 to 255 as [H, W] or [C, H, W]"}
_BASE64 = {"type": "string", "contentEncoding": "base64"}
_PARAMETERS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
#: A tensor of the v2 protocol.
TENSOR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "datatype": {"type": "string", "enum": list(NUMPY_OF)},
        "parameters": _PARAMETERS,
        "data": {"type": "array", "items": {}, "description": "nested as the shape says, or flat"},
    },
}


def json_body(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI extra of an optional JSON object."""
    schema = {"type": "object", "properties": properties}
    return {"requestBody": {"required": False, "content": {"application/json": {"schema": schema}}}}


def picture_body(options: dict[str, Any], *, several: bool) -> dict[str, Any]:
    """Return the OpenAPI extra of a route that takes pictures: three ways to send them, options in the query too."""
    file: dict[str, Any] = {"type": "string", "format": "binary"}
    picture_keys: dict[str, Any] = {"image": _BASE64, "pixels": _PIXELS}
    if several:
        picture_keys["images"] = {"type": "array", "items": _BASE64}
    form = {"file": {"type": "array", "items": file} if several else file, **options}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": {"type": "object", "properties": form, "required": ["file"]}},
                "image/*": {"schema": file},
                "application/octet-stream": {"schema": file},
                "application/json": {"schema": {"type": "object", "properties": {**picture_keys, **options}}},
            },
        },
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": schema} for name, schema in options.items()
        ],
    }


def add_direct_routes(api: FastAPI, operations: Mapping[str, Callable[[tuple[str, ...]], dict[str, Any]]]) -> None:
    """Describe the routes that are answered in front of FastAPI in the application's OpenAPI document.

    Args:
        api: The application.
        operations: For each verb what returns its operation, given the names of the path's parameters.
    """
    generate = api.openapi

    def with_direct_routes() -> dict[str, Any]:
        document = generate()
        for verb, operation in operations.items():
            for path, names in (
                (f"/v2/models/{{model}}/{verb}", ("model",)),
                (f"/v2/models/{{model}}/versions/{{version}}/{verb}", ("model", "version")),
            ):
                document["paths"].setdefault(path, {"post": operation(names)})
        return document

    api.openapi = with_direct_routes  # type: ignore[method-assign]


def direct_operation(
    verb: str,
    path_parameters: tuple[str, ...],
    *,
    tag: str,
    description: str,
    request: dict[str, Any],
    reply: dict[str, Any],
) -> dict[str, Any]:
    """Return the OpenAPI operation of a direct route.

    Args:
        verb: The path's last part.
        path_parameters: Their names.
        tag: The route's group in the document.
        description: What it does.
        request: `requestBody`, and `parameters` beside those of the path.
        reply: Content of the answer of status 200, by media type.
    """
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
    return {
        "tags": [tag],
        "summary": verb.capitalize(),
        "description": description,
        "operationId": "_".join((verb, *path_parameters)),
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in path_parameters),
            *request["parameters"],
        ],
        "requestBody": request["requestBody"],
        "responses": {
            "200": {"description": "The answer", "content": reply},
            **{str(status): {"description": text, "content": error} for status, text in _CONDITIONS.items()},
        },
    }


def infer_operation(path_parameters: tuple[str, ...]) -> dict[str, Any]:
    """Return the tensor route's OpenAPI operation."""
    named = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string"}, "parameters": _PARAMETERS},
    }
    request = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "parameters": _PARAMETERS,
            "inputs": {"type": "array", "items": TENSOR_SCHEMA},
            "outputs": {"type": "array", "items": named},
        },
    }
    response = {
        "type": "object",
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "parameters": _PARAMETERS,
            "outputs": {"type": "array", "items": TENSOR_SCHEMA},
        },
    }
    binary = {"schema": {"type": "string", "format": "binary"}}
    header_length = {
        "name": HEADER_LENGTH,
        "in": "header",
        "required": False,
        "schema": {"type": "integer", "minimum": 0},
        "description": "length of the JSON part of a body that carries raw tensors; 0: the body is one tensor",
    }
    content = {"application/json": {"schema": request}, "application/octet-stream": binary}
    return direct_operation(
        "infer",
        path_parameters,
        tag="Open Inference Protocol v2",
        description="Run a model on named tensors, as JSON or (far cheaper) with the binary tensor data extension. "
        "`parameters`: `priority`, `timeout` (microseconds in the queue), `runtime`, `symmetrize` (as in classify).",
        request={"parameters": [header_length], "requestBody": {"required": True, "content": content}},
        reply={"application/json": {"schema": response}, "application/octet-stream": binary},
    )
