"""`POST .../equivariance` of a generator: a JSON body whose `generate` says what to draw at every angle."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from equiserve.checks.formats.png import to_png
from equiserve.dataplane import DataPlane
from equiserve.errors import InvalidRequest, Unsupported
from equiserve.generator_check import GeneratorCheckRequest
from equiserve.rest.decoding import parse_object
from equiserve.rest.generate import generate_request
from equiserve.rest.options import Options
from equiserve.rest.replies import context_of, json_reply
from equiserve.rest.tensors import describe


async def generator_check_reply(
    plane: DataPlane, request: Request, body: bytes, model: str, version: str
) -> Response | None:
    """Answer a check whose body has the key `generate`; None for any other body."""
    message = _message(body)
    if message is None:
        return None
    drawn = message.pop("generate")
    if type(drawn) is not dict:
        raise InvalidRequest(f"generate: got {describe(drawn)}, expected an object", field="generate")
    options, inner = Options(message), Options(drawn)
    asked = GeneratorCheckRequest(
        generate_request(inner, model, version),
        group=options.any_of("group", str, dict) or "SO2",
        elements=options.any_of("elements", int, list, dict),
    )
    inner.require_none_left()
    options.require_none_left()
    report = await plane.check_generator(asked, context_of(request))
    accepted = request.headers.get("accept", "")
    if "image/svg+xml" in accepted or "image/png" in accepted:
        svg = await plane.compute.run(report.to_svg)
        if "image/svg+xml" in accepted:
            return Response(svg, media_type="image/svg+xml")
        return Response(await plane.compute.run(to_png, svg), media_type="image/png")
    return json_reply(report.to_json())


def refuse_stream(body: bytes) -> None:
    """Raise Unsupported where a stream is asked for of what `generator_check_reply` answers in one piece."""
    if _message(body) is not None:
        raise Unsupported(
            "the check of a generator is not streamed: POST .../equivariance answers it in one piece",
            code="not_streamed",
            field="generate",
        )


def _message(body: bytes) -> dict[str, Any] | None:
    """Return a body whose outermost object has the key; text within a picture in base64 has no quotes."""
    if body[:1] != b"{" or b'"generate"' not in body:
        return None
    message = parse_object(body)
    return message if "generate" in message else None
