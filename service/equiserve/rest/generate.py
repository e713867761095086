"""`POST .../generate`: a class, an angle and a seed in, a picture out; `generate_stream` shows it forming."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple, get_args
from urllib.parse import parse_qsl

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from equiserve.dataplane import DataPlane
from equiserve.errors import InvalidRequest
from equiserve.numerics.rotation import RotationMode
from equiserve.numerics.solvers import PRESETS, SOLVERS
from equiserve.rest.decoding import parse_object
from equiserve.rest.event_stream import EventStream
from equiserve.rest.options import Options
from equiserve.rest.replies import context_of, json_reply
from equiserve.rest.tensors import describe
from equiserve.tasks.generate import GenerateEvent, GenerateRequest, Progress, encode, entity_tag, wanted_format
from equiserve.tasks.generate.encoding import MEDIA_TYPES
from equiserve.tasks.generate.parameters import DEFAULT_PRESET, MAX_ANGLE, MAX_GUIDANCE, MAX_STEPS

#: Previews of a stream that names no number.
PREVIEWS = 4
# Pictures of more numbers than this are encoded on a thread: five digits take half a millisecond.
_QUICK = 4_096

_OPTIONS: dict[str, Any] = {
    "label": {
        "oneOf": [{"type": "integer"}, {"type": "string"}],
        "description": "class, by index or name",
    },
    "angle": {
        "type": "number",
        "minimum": -MAX_ANGLE,
        "maximum": MAX_ANGLE,
        "default": 0,
        "description": "degrees, counter-clockwise as seen",
    },
    "mode": {
        "type": "string",
        "enum": list(get_args(RotationMode)),
        "description": "how the angle comes about; `conditioned` where the model can, else `exact`",
    },
    "seed": {"type": "integer", "minimum": 0, "maximum": 2**64 - 1, "description": "drawn and echoed where not given"},
    "steps": {"type": "integer", "minimum": 1, "maximum": MAX_STEPS},
    "solver": {"type": "string", "enum": list(SOLVERS)},
    "preset": {
        "type": "string",
        "enum": list(PRESETS),
        "default": DEFAULT_PRESET,
        "description": "what solver and steps are where they are not given",
    },
    "guidance": {
        "type": "number",
        "minimum": 0,
        "maximum": MAX_GUIDANCE,
        "description": "weight of the class, by default the model's; other than 1 it costs two rows a picture",
    },
    "n": {"type": "integer", "minimum": 1, "default": 1, "description": "pictures, of seeds seed, seed + 1, ..."},
    "runtime": {"type": "string", "description": "`onnx` or `torchscript`; the model's first by default"},
    "priority": {"type": "integer", "minimum": 0, "default": 0, "description": "1 is the most urgent"},
}
_STREAM_OPTIONS: dict[str, Any] = {
    **_OPTIONS,
    "previews": {"type": "integer", "minimum": 0, "default": PREVIEWS, "description": "the first within three steps"},
}


def generate_routes(plane: DataPlane) -> APIRouter:
    """Return the routes over a data plane."""
    routes = APIRouter(tags=["tasks"])
    forms: dict[str, Any] = {media_type: {} for media_type in MEDIA_TYPES}
    unchanged = {"description": "The caller has them"}
    drawn = {"responses": {"200": {"description": "The pictures", "content": forms}, "304": unchanged}}

    @routes.post("/v2/models/{model}/generate", openapi_extra=_body(_OPTIONS) | drawn)
    @routes.post("/v2/models/{model}/versions/{version}/generate", openapi_extra=_body(_OPTIONS) | drawn)
    async def generate(request: Request, model: str, version: str = "") -> Response:
        """Draw pictures: a pure function of the model's file, the seed and the parameters.

        JSON with each picture as a PNG in base64 (Triton's generate extension, flat), or what `Accept` asks for: one
        PNG or WebP (several pictures are a contact sheet), NumPy's npz, the raw FP32 tensor. A PNG carries all of its
        parameters as JSON in a text chunk. `ETag` names the pictures before they are drawn, so that `If-None-Match`
        answers 304 without drawing them.
        """
        context = context_of(request)
        generation = await plane.plan_generation(_asked(request, await request.body(), model, version))
        form = wanted_format(request.headers.get("accept", ""))
        tag = entity_tag(generation.parameters, generation.identity, form)
        headers = {"etag": tag, "x-equiserve-seed": str(generation.parameters.seed), "vary": "accept"}
        if tag in (known.strip() for known in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        completed = await plane.generate(generation, context)
        quick = completed.pictures.size <= _QUICK
        encoded = encode(completed, form) if quick else await plane.compute.run(encode, completed, form)
        return Response(encoded.body, media_type=encoded.media_type, headers=headers | encoded.headers)

    told = {"responses": {"200": {"description": "Server-sent events", "content": {"text/event-stream": {}}}}}

    @routes.post("/v2/models/{model}/generate_stream", openapi_extra=_body(_STREAM_OPTIONS) | told)
    @routes.post("/v2/models/{model}/versions/{version}/generate_stream", openapi_extra=_body(_STREAM_OPTIONS) | told)
    async def generate_stream(request: Request, model: str, version: str = "") -> Response:
        """Draw pictures and show them forming, as server-sent events with JSON data.

        `progress` (step, of, sigma, eta_ms; the first one before the first step, with the id that cancels), `preview`
        (the clean estimate as a PNG in base64, the first within three steps), `completed` (as `generate` answers), or
        `error`. Hanging up frees the rows within one step.
        """
        context = context_of(request)
        asked = _asked(request, await request.body(), model, version, previews=PREVIEWS)
        generation = await plane.plan_generation(asked)
        events = _rendered(plane, plane.generate_events(generation, context, progress=True))
        return await EventStream.of(events, context.request_id)

    @routes.delete("/v2/generations/{id}")
    async def cancel(request: Request, id: str) -> Response:
        """End the generations under way of a request's id, which was sent or answered as `x-request-id`."""
        return json_reply({"id": id, "cancelled": plane.cancel_generation(id, context_of(request))})

    return routes


class _Rendered(NamedTuple):
    """An event whose content is there already."""

    name: str
    content: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return self.content


async def _rendered(
    plane: DataPlane, events: AsyncGenerator[GenerateEvent, None]
) -> AsyncGenerator[GenerateEvent | _Rendered, None]:
    """Yield the events, their pictures encoded off the event loop where that takes long."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Progress) or event.pictures.size <= _QUICK:
                yield event
            else:
                yield _Rendered(event.name, await plane.compute.run(event.to_json))


def _asked(request: Request, body: bytes, model: str, version: str, previews: int | None = None) -> GenerateRequest:
    options = Options(_values(request.headers, request.scope["query_string"], body))
    options.text("id")  # a field of the generate extension; x-request-id is what counts
    asked = generate_request(options, model, version)
    if previews is not None:
        asked.previews = options.whole("previews", previews)
    options.require_none_left()
    return asked


def generate_request(options: Options, model: str, version: str) -> GenerateRequest:
    """Take the options of a generation; raises InvalidRequest."""
    return GenerateRequest(
        model,
        version,
        runtime=options.text("runtime"),
        label=options.any_of("label", int, str),
        angle=options.real("angle"),
        mode=options.text("mode"),
        seed=options.any_of("seed", int, float),
        steps=options.any_of("steps", int, float),
        solver=options.text("solver"),
        preset=options.text("preset"),
        guidance=options.real("guidance"),
        n=options.whole("n", 1),
        priority=options.whole("priority", 0),
    )


def _values(headers: Mapping[str, str], query: bytes, body: bytes) -> dict[str, Any]:
    """Return the options: keys of a JSON object and of its `parameters`, or a form's fields, and the query's."""
    values: dict[str, Any] = {}
    if body[:1] == b"{" or "json" in headers.get("content-type", ""):
        values = parse_object(body)
        _merge(values, values.pop("parameters", None) or {})
    elif body:
        _merge(values, dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True)))
    _merge(values, dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)))
    return values


def _merge(values: dict[str, Any], more: object) -> None:
    if type(more) is not dict:
        raise InvalidRequest(
            f"parameters: got {describe(more)}, expected an object", code="invalid_request", field="parameters"
        )
    for name, value in more.items():
        if name in values:
            raise InvalidRequest(f"option {name[:80]!r} came twice", code="duplicate_option", field=name[:80])
        values[name] = value


def _body(options: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI extra of a route whose options come as JSON, as a form, or in the query."""
    schema = {"schema": {"type": "object", "properties": options}}
    return {
        "requestBody": {
            "required": False,
            "content": {"application/json": schema, "application/x-www-form-urlencoded": schema},
        },
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": one} for name, one in options.items()
        ],
    }
