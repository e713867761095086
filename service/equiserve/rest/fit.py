"""`POST .../fit`: a point cloud of a person in, a posed body out; as JSON, as a mesh file, or as a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from equiserve.clouds import FORMATS, UNITS
from equiserve.dataplane import DataPlane
from equiserve.rest.cloud_submission import read_cloud_submission
from equiserve.rest.replies import context_of, json_reply
from equiserve.tasks.fit import BodyFit, FitRequest
from equiserve.tasks.fit.mesh_files import to_glb, to_npz, to_obj, to_ply
from equiserve.tasks.fit.picture import to_png

#: What `Accept` may name beside JSON.
_FILES: dict[str, Callable[[BodyFit], bytes]] = {
    "model/gltf-binary": to_glb,
    "model/obj": to_obj,
    "application/ply": to_ply,
    "application/x-npz": to_npz,
    "image/png": to_png,
}
_OPTIONS: dict[str, Any] = {
    "unit": {"type": "string", "enum": list(UNITS), "default": "auto", "description": "of the points"},
    "format": {"type": "string", "enum": list(FORMATS), "description": "of the file; told by its content by default"},
    "refine": {"type": "boolean", "default": False, "description": "draw the body onto the cloud: about half a second"},
    "labels": {"type": "boolean", "default": False, "description": "say which body part each point belongs to"},
    "mesh": {"type": "boolean", "default": False, "description": "vertices and faces in the JSON answer"},
    "body": {"type": "string", "description": "another body of the operator's folder; the model's own by default"},
    "runtime": {"type": "string", "description": "`onnx` or `torchscript`; the model's first by default"},
    "priority": {"type": "integer", "minimum": 0, "default": 0, "description": "1 is the most urgent"},
}


def fit_routes(plane: DataPlane) -> APIRouter:
    """Return the routes over a data plane."""
    routes = APIRouter(tags=["tasks"])
    extra = _description()

    @routes.post("/v2/models/{model}/fit", openapi_extra=extra)
    @routes.post("/v2/models/{model}/versions/{version}/fit", openapi_extra=extra)
    async def fit(request: Request, model: str, version: str = "") -> Response:
        """Fit a posed and shaped body to a point cloud of a person, in whatever orientation.

        The cloud comes as a file (PLY, OBJ, npy, npz, XYZ, CSV), as the body or as form field `file`, or as JSON or raw
        numbers. JSON goes back, or what `Accept` asks for: the mesh as GLB, OBJ or PLY, everything as npz, or a
        picture of cloud and fit. All lengths are metres in the frame of the cloud. `quality` says how far to believe
        it; beside files it is the header `x-fit-quality`.
        """
        cloud, options = await read_cloud_submission(
            request.headers, request.scope["query_string"], await request.body(), plane.compute
        )
        asked = FitRequest(
            model,
            cloud,
            version,
            runtime=options.text("runtime"),
            file_format=options.text("format"),
            unit=options.text("unit", "auto") or "auto",
            refine=options.flag("refine"),
            labels=options.flag("labels"),
            body=options.text("body"),
            priority=options.whole("priority", 0),
        )
        mesh = options.flag("mesh")
        options.require_none_left()
        found = await plane.fit(asked, context_of(request))
        media_type = _media_type(request.headers.get("accept", ""))
        if media_type is None:
            return await plane.compute.run(lambda: json_reply(found.to_json(mesh=mesh)))
        content = await plane.compute.run(_FILES[media_type], found)
        return Response(content, media_type=media_type, headers={"x-fit-quality": found.quality.level})

    return routes


def _media_type(accept: str) -> str | None:
    """Return the first type that `Accept` names and that there is; None: JSON."""
    named = (item.partition(";")[0].strip().lower() for item in accept.split(","))
    first = next((name for name in named if name in _FILES or name == "application/json"), None)
    return first if first in _FILES else None


def _description() -> dict[str, Any]:
    file = {"type": "string", "format": "binary"}
    points = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}, "description": "[x, y, z] each"}
    base64 = {"type": "string", "contentEncoding": "base64"}
    form = {"type": "object", "properties": {"file": file, **_OPTIONS}, "required": ["file"]}
    json = {"type": "object", "properties": {"points": points, "file": base64, **_OPTIONS}}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": form},
                "application/octet-stream": {"schema": file},
                "application/json": {"schema": json},
            },
        },
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": schema} for name, schema in _OPTIONS.items()
        ],
        "responses": {
            "200": {"description": "The body", "content": {"application/json": {}, **{name: {} for name in _FILES}}}
        },
    }
