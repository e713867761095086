"""`POST .../classify`: pictures in, class names and probabilities out."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from equiserve.dataplane import DataPlane
from equiserve.rest.openapi import picture_body
from equiserve.rest.replies import context_of, json_reply
from equiserve.rest.submission import read_submission
from equiserve.tasks.classify import ClassifyRequest

_OPTIONS = {
    "top_k": {"type": "integer", "minimum": 1, "default": 5, "description": "classes to return for each picture"},
    "runtime": {"type": "string", "description": "`onnx` or `torchscript`; the model's first by default"},
    "priority": {"type": "integer", "minimum": 0, "default": 0, "description": "1 is the most urgent"},
}


def classify_routes(plane: DataPlane) -> APIRouter:
    """Return the routes over a data plane."""
    routes = APIRouter(tags=["tasks"])

    @routes.post("/v2/models/{model}/classify", openapi_extra=picture_body(_OPTIONS, several=True))
    @routes.post("/v2/models/{model}/versions/{version}/classify", openapi_extra=picture_body(_OPTIONS, several=True))
    async def classify(request: Request, model: str, version: str = "") -> Response:
        """Classify one or more pictures: for each the most probable classes, and what the model guarantees."""
        pictures, options = await read_submission(request, plane.compute)
        asked = ClassifyRequest(model, version, runtime=options.text("runtime"), pictures=pictures)
        asked.top_k = options.whole("top_k", asked.top_k)
        asked.priority = options.whole("priority", asked.priority)
        options.require_none_left()
        return json_reply((await plane.classify(asked, context_of(request))).to_json())

    return routes
