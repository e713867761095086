"""The model repository extension: which models there are, loading and unloading them."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from equiserve.dataplane import DataPlane
from equiserve.errors import InvalidRequest
from equiserve.rest.openapi import json_body
from equiserve.rest.replies import json_reply


def repository_routes(plane: DataPlane) -> APIRouter:
    """Return the routes over a data plane."""
    routes = APIRouter(prefix="/v2/repository", tags=["model repository"])

    @routes.post("/index", openapi_extra=json_body({"ready": {"type": "boolean"}}))
    async def index(request: Request) -> Response:
        """Every model version of the repository with its state; `{"ready": true}` lists only those that serve."""
        ready = (await _object(request)).get("ready", False)
        if type(ready) is not bool:
            raise InvalidRequest(f"ready: got {ready!r:.40}, expected true or false", field="ready")
        return json_reply(plane.repository_index(ready_only=ready))

    @routes.post("/models/{model}/load", openapi_extra=json_body({"parameters": {"type": "object"}}))
    async def load(model: str, request: Request) -> Response:
        """Load a model, or load it anew: the new version serves once it is ready, the old one until then."""
        await plane.load_model(model, await _parameters(request))
        return json_reply({})

    @routes.post("/models/{model}/unload", openapi_extra=json_body({"parameters": {"type": "object"}}))
    async def unload(model: str, request: Request) -> Response:
        """Stop serving a model; what is under way ends first. `unload_dependents` is accepted: no model has any."""
        parameters = await _parameters(request)
        unknown = sorted(set(parameters) - {"unload_dependents"})
        if unknown:
            raise InvalidRequest(f"unknown parameters {unknown}", field=f"parameters.{unknown[0]}")
        await plane.unload_model(model)
        return json_reply({})

    return routes


async def _object(request: Request) -> dict[str, Any]:
    body = await request.body()
    try:
        message = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is no JSON: {error}", code="invalid_json", field="body") from None
    if type(message) is not dict:
        raise InvalidRequest("the body is no JSON object", code="invalid_json", field="body")
    return message


async def _parameters(request: Request) -> dict[str, Any]:
    parameters = (await _object(request)).get("parameters") or {}
    if type(parameters) is not dict:
        raise InvalidRequest("parameters: expected an object", field="parameters")
    return parameters
