"""`POST .../equivariance/candidates`: every symmetry that a manifest declares, measured against what it declares."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from equiserve.checks.candidates import CandidatesRequest
from equiserve.checks.candidates.request import DEFAULT_ELEMENTS
from equiserve.dataplane import DataPlane
from equiserve.errors import InvalidRequest
from equiserve.rest.openapi import TENSOR_SCHEMA
from equiserve.rest.replies import context_of, json_reply
from equiserve.rest.tensor_submission import read_tensors


def candidates_routes(plane: DataPlane) -> APIRouter:
    """Return the routes over a data plane."""
    routes = APIRouter(tags=["equivariance"])
    properties: dict[str, Any] = {
        "inputs": {"type": "array", "items": TENSOR_SCHEMA, "description": "the model's inputs, an input a row"},
        "groups": {
            "type": "array",
            "items": {"type": "string"},
            "description": "keys of the manifest's groups; all of them by default",
        },
        "elements": {
            "type": "integer",
            "minimum": 1,
            "default": DEFAULT_ELEMENTS,
            "description": "independent elements of each group, each for one input in turn",
        },
        "seed": {"type": "integer", "minimum": 0, "default": 0, "description": "of the elements"},
        "runtime": {"type": "string", "description": "`onnx` or `torchscript`; the model's first by default"},
    }
    schema = {"type": "object", "required": ["inputs"], "properties": properties}
    extra = {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}

    @routes.post("/v2/models/{model}/equivariance/candidates", openapi_extra=extra)
    @routes.post("/v2/models/{model}/versions/{version}/equivariance/candidates", openapi_extra=extra)
    async def candidates(request: Request, model: str, version: str = "") -> Response:
        """Measure every declared candidate symmetry, and say of each whether it holds as declared.

        `holds`, `violated`, `more_symmetric` than declared, `inconclusive` (more elements would tell), `not_claimed`
        (nothing is declared that could be compared), or `refused` (the declaration is none). Inputs travel as for
        `infer`, in JSON or raw.
        """
        body = await request.body()
        submitted = await read_tensors(request.headers, request.scope["query_string"], body, plane.compute)
        if submitted is None:
            raise InvalidRequest("inputs: it is missing, expected a list of tensors", field="inputs")
        inputs, options = submitted
        asked = CandidatesRequest(
            model,
            inputs,
            version,
            options.text("runtime"),
            options.names("groups"),
            options.whole("elements", DEFAULT_ELEMENTS),
            options.whole("seed", 0),
        )
        options.require_none_left()
        return json_reply(await plane.check_candidates(asked, context_of(request)))

    return routes
