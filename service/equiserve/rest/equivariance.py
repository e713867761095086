"""`POST .../equivariance`: does this model's answer move with this picture, over a whole group?"""

from __future__ import annotations

from typing import Literal, cast, get_args

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from equiserve.checks import CheckRequest
from equiserve.dataplane import DataPlane
from equiserve.errors import InvalidRequest
from equiserve.rest.openapi import picture_body
from equiserve.rest.options import Options
from equiserve.rest.replies import context_of, json_reply
from equiserve.rest.submission import read_submission
from equiserve.rest.tensors import describe

SVG = "image/svg+xml"
Reference = Literal["consensus", "identity", "label"]
_OPTIONS = {
    "group": {
        "oneOf": [{"type": "string"}, {"type": "object"}],
        "description": "a group of the model's manifest, or one of GET /v2/symmetry/groups with its parameters; "
        "the first symmetry that the model declares by default",
    },
    "elements": {
        "oneOf": [{"type": "integer", "minimum": 1}, {"type": "array"}],
        "description": "how many elements, spread over the group, or which ones; all of a finite group by default",
    },
    "reference": {"type": "string", "enum": list(get_args(Reference)), "default": "consensus"},
    "label": {
        "oneOf": [{"type": "integer"}, {"type": "string"}],
        "description": "the right class, for reference `label`",
    },
    "metrics": {"type": "array", "items": {"type": "string"}, "description": "some of GET /v2/symmetry/metrics"},
    "outputs": {"type": "boolean", "default": False, "description": "report the raw output for each element"},
    "runtime": {"type": "string", "description": "`onnx` or `torchscript`; the model's first by default"},
}


def equivariance_routes(plane: DataPlane) -> APIRouter:
    """Return the routes over a data plane."""
    routes = APIRouter(tags=["equivariance"])
    extra = picture_body(_OPTIONS, several=False)

    @routes.post("/v2/models/{model}/equivariance", openapi_extra=extra)
    @routes.post("/v2/models/{model}/versions/{version}/equivariance", openapi_extra=extra)
    async def check(request: Request, model: str, version: str = "") -> Response:
        """Run the model on a picture's whole orbit and report how its answers move: JSON, or the plot as SVG.

        `Accept: image/svg+xml` gives the NERO plot (Zhao et al. 2023) instead of the report.
        """
        body, query = await request.body(), request.scope["query_string"]
        pictures, options = await read_submission(request.headers, query, body, plane.compute)
        if len(pictures) != 1:
            raise InvalidRequest(
                f"a check takes one picture, got {len(pictures)}", code="too_many_pictures", field="image"
            )
        asked = CheckRequest(
            model,
            pictures[0],
            version,
            runtime=options.text("runtime"),
            group=options.any_of("group", str, dict),
            elements=options.any_of("elements", int, list),
            reference=_reference(options),
            label=options.any_of("label", int, str),
            metrics=options.names("metrics"),
            outputs=options.flag("outputs"),
        )
        options.require_none_left()
        report = await plane.check(asked, context_of(request))
        if SVG in request.headers.get("accept", ""):
            return Response(await plane.compute.run(report.to_svg), media_type=SVG)
        return json_reply(report.to_json())

    return routes


def _reference(options: Options) -> Reference:
    name = options.text("reference", "consensus")
    for known in get_args(Reference):
        if name == known:
            return cast(Reference, known)
    raise InvalidRequest(
        f"reference: got {describe(name)}, expected one of {list(get_args(Reference))}",
        code="invalid_option",
        field="reference",
    )
