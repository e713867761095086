"""`POST .../equivariance`: does this model's answer move with this picture, over a whole group?"""

from __future__ import annotations

from typing import Any, Literal, cast, get_args

import numpy as np
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from equiserve.checks import AnyCheckRequest, CheckRequest, TensorCheckRequest
from equiserve.checks.named_tensors.request import TensorReference
from equiserve.checks.request import DEFAULT_BUDGET
from equiserve.dataplane import DataPlane
from equiserve.errors import InvalidRequest
from equiserve.rest.cloud_submission import read_cloud_submission
from equiserve.rest.event_stream import EventStream
from equiserve.rest.generator_check import generator_check_reply, refuse_stream
from equiserve.rest.openapi import TENSOR_SCHEMA, picture_body
from equiserve.rest.options import Options
from equiserve.rest.replies import context_of, json_reply
from equiserve.rest.report_formats import MEDIA_TYPES, render
from equiserve.rest.submission import read_submission
from equiserve.rest.tensor_submission import read_tensors
from equiserve.rest.tensors import describe

_PNG = "image/png"
Reference = Literal["consensus", "identity", "label"]

#: The options of a check, for the OpenAPI document.
CHECK_OPTIONS: dict[str, Any] = {
    "group": {
        "oneOf": [{"type": "string"}, {"type": "object"}],
        "description": "a group of the model's manifest, or one of GET /v2/symmetry/groups with its parameters; "
        "the first symmetry that the model declares by default",
    },
    "elements": {
        "oneOf": [{"type": "integer", "minimum": 1}, {"type": "array"}, {"type": "object"}],
        "description": 'how many elements, spread over the group, which ones, or `{"random": n, "seed": s}`; all of a '
        "finite group by default",
    },
    "reference": {
        "type": "string",
        "enum": list(get_args(Reference)),
        "description": "what each answer is compared with; by default the consensus for a picture, the identity's "
        "answer for tensors",
    },
    "label": {
        "oneOf": [{"type": "integer"}, {"type": "string"}],
        "description": "the right class, for reference `label`",
    },
    "metrics": {"type": "array", "items": {"type": "string"}, "description": "some of GET /v2/symmetry/metrics"},
    "outputs": {"type": "boolean", "default": False, "description": "report the raw output for each element"},
    "runtime": {"type": "string", "description": "`onnx` or `torchscript`; the model's first by default"},
    "compare_with": {
        "type": "string",
        "description": "another model, `name` or `name:version`, to run on the same elements",
    },
    "search": {"type": "boolean", "default": False, "description": "look for the worst element"},
    "search_budget": {
        "type": "integer",
        "minimum": 5,
        "default": 60,
        "description": "elements that a search may try, the uniform ones that it starts from included",
    },
    "gate": {
        "oneOf": [{"type": "string"}, {"type": "array"}, {"type": "object"}],
        "description": "what metrics must reach, `orbit_consistency=0.95` or "
        '`{"orbit_consistency": {"min": 0.95, "confidence": 0.99}}`; then it decides the verdict',
    },
}
_ASIDE: dict[str, Any] = {
    "estimate": {"type": "boolean", "default": False, "description": "say what the check would cost and run nothing"},
    "preview": {
        "type": "integer",
        "minimum": 1,
        "maximum": 64,
        "description": "show so many of the moved pictures, and run nothing; with `Accept: image/png` as one sheet",
    },
}


def equivariance_routes(plane: DataPlane) -> APIRouter:
    """Return the routes over a data plane."""
    routes = APIRouter(tags=["equivariance"])
    forms: dict[str, Any] = {media_type: {} for media_type in MEDIA_TYPES}
    extra = _body({**CHECK_OPTIONS, **_ASIDE}) | {"responses": {"200": {"description": "The report", "content": forms}}}

    @routes.post("/v2/models/{model}/equivariance", openapi_extra=extra)
    @routes.post("/v2/models/{model}/versions/{version}/equivariance", openapi_extra=extra)
    async def check(request: Request, model: str, version: str = "") -> Response:
        """Run the model on the whole orbit of a picture, or of named tensors, and report how its answers move.

        `inputs` in a JSON body, as for `infer`, are the tensors of any model whose manifest says how they transform. A
        model that fits bodies takes a cloud as `fit` does, with `format` and `unit`.

        A model that draws pictures takes `{"generate": {...}, "group": "SO2", "elements": 24}`: the options of
        `generate`, with the group acting on the angle and on all noise. The report has the angle reached, and EQ-R in
        the inscribed disc.

        JSON, or what `Accept` asks for: the NERO plot (Zhao et al. 2023) as `image/svg+xml` or `image/png`, the whole
        report as one `text/html` page, a row an element as `text/csv`, and others. `estimate` and `preview` tell what
        would be done, without the model.
        """
        generated = await generator_check_reply(plane, request, await request.body(), model, version)
        if generated is not None:
            return generated
        submitted, options = await _submitted(plane, request, model, version)
        estimate, shown = options.flag("estimate"), options.whole("preview", 0)
        asked = _asked(options, model, version, submitted)
        options.require_none_left()
        accepted = request.headers.get("accept", "")
        if estimate:
            return json_reply(await plane.estimate_check(asked))
        if shown:
            if isinstance(asked, TensorCheckRequest):
                raise InvalidRequest("preview: it shows pictures, got tensors", code="invalid_option", field="preview")
            preview = await plane.preview_check(asked, shown)
            if _PNG in accepted:
                return Response(await plane.compute.run(preview.to_png), media_type=_PNG)
            return json_reply(await plane.compute.run(preview.to_json))
        report = await plane.check(asked, context_of(request))
        picture = None if isinstance(submitted, dict) else submitted
        media_type, content = await plane.compute.run(render, report.to_json(), accepted, picture)
        return Response(content, media_type=media_type)

    stream_extra = _body(CHECK_OPTIONS) | {
        "responses": {"200": {"description": "Server-sent events", "content": {"text/event-stream": {}}}}
    }

    @routes.post("/v2/models/{model}/equivariance_stream", openapi_extra=stream_extra)
    @routes.post("/v2/models/{model}/versions/{version}/equivariance_stream", openapi_extra=stream_extra)
    async def check_stream(request: Request, model: str, version: str = "") -> Response:
        """Run a check and tell how it goes, as server-sent events with JSON data.

        `started` (the plan and its cost), `progress` (the elements that were answered since the last one), `verdict`,
        `completed` (the whole report); `error` in place of what is missing. Hanging up stops the check.
        """
        refuse_stream(await request.body())
        submitted, options = await _submitted(plane, request, model, version)
        asked = _asked(options, model, version, submitted)
        options.require_none_left()
        context = context_of(request)
        return await EventStream.of(plane.check_events(asked, context), context.request_id)

    return routes


def check_request(options: Options, model: str, version: str, picture: bytes | np.ndarray) -> CheckRequest:
    """Take the options of a check; raises InvalidRequest."""
    return CheckRequest(
        model,
        picture,
        version,
        runtime=options.text("runtime"),
        group=options.any_of("group", str, dict),
        elements=options.any_of("elements", int, list, dict),
        reference=cast(Reference, _one_of(options, "reference", get_args(Reference))),
        label=options.any_of("label", int, str),
        metrics=options.names("metrics"),
        outputs=options.flag("outputs"),
        compare_with=options.text("compare_with"),
        search=options.flag("search"),
        search_budget=options.whole("search_budget", DEFAULT_BUDGET),
        gate=options.any_of("gate", str, list, dict),
    )


def _body(options: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI extra of a route that takes a picture, or named tensors as `inputs` of a JSON body."""
    body = picture_body(options, several=False)
    body["requestBody"]["content"]["application/json"]["schema"]["properties"]["inputs"] = {
        "type": "array",
        "items": TENSOR_SCHEMA,
        "description": "instead of a picture: the model's inputs, one row each",
    }
    return body


def _asked(
    options: Options, model: str, version: str, submitted: bytes | np.ndarray | dict[str, np.ndarray]
) -> AnyCheckRequest:
    if not isinstance(submitted, dict):
        return check_request(options, model, version, submitted)
    return tensor_check_request(options, model, version, submitted)


def tensor_check_request(
    options: Options, model: str, version: str, inputs: dict[str, np.ndarray]
) -> TensorCheckRequest:
    """Take the options of a check of named tensors; raises InvalidRequest."""
    return TensorCheckRequest(
        model,
        inputs,
        version,
        runtime=options.text("runtime"),
        group=options.any_of("group", str, dict),
        elements=options.any_of("elements", int, list, dict),
        reference=cast(TensorReference, _one_of(options, "reference", get_args(TensorReference))),
        metrics=options.names("metrics"),
        outputs=options.flag("outputs"),
        compare_with=options.text("compare_with"),
        gate=options.any_of("gate", str, list, dict),
    )


async def _submitted(
    plane: DataPlane, request: Request, model: str, version: str
) -> tuple[bytes | np.ndarray | dict[str, np.ndarray], Options]:
    body, query = await request.body(), request.scope["query_string"]
    tensors = await read_tensors(request.headers, query, body, plane.compute)
    if tensors is not None:
        return tensors
    if await plane.takes_clouds(model, version):
        content, options = await read_cloud_submission(request.headers, query, body, plane.compute)
        file_format, unit = options.text("format"), options.text("unit", "auto") or "auto"
        return await plane.cloud_inputs(model, version, content, file_format=file_format, unit=unit), options
    pictures, options = await read_submission(request.headers, query, body, plane.compute)
    if len(pictures) != 1:
        raise InvalidRequest(
            f"a check takes one picture, got {len(pictures)}; several make a job, POST /v2/jobs",
            code="too_many_pictures",
            field="image",
        )
    return pictures[0], options


def _one_of(options: Options, field: str, known: tuple[str, ...]) -> str:
    name = options.text(field, known[0])
    if name not in known:
        raise InvalidRequest(
            f"{field}: got {describe(name)}, expected one of {list(known)}", code="invalid_option", field=field
        )
    return name
