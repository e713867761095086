"""`equiserve.v1.Generator`: a class, an angle and a seed in, pictures out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import grpc

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.errors import InvalidRequest
from equiserve.rpc.calls import parse, unary
from equiserve.rpc.generated import generator_pb2
from equiserve.rpc.server_stream import server_stream
from equiserve.tasks.generate import (
    Completed,
    GenerateEvent,
    GenerateRequest,
    Generation,
    Progress,
    encode,
    entity_tag,
)
from equiserve.tasks.generate.encoding import Format, png, sheet

SERVICE = "equiserve.v1.Generator"
FILE = generator_pb2.DESCRIPTOR

_PREVIEWS = 4
_FORMATS: dict[int, Format] = {
    generator_pb2.PICTURE_FORMAT_UNSPECIFIED: "png",
    generator_pb2.PICTURE_FORMAT_PNG: "png",
    generator_pb2.PICTURE_FORMAT_WEBP: "webp",
    generator_pb2.PICTURE_FORMAT_NPZ: "npz",
    generator_pb2.PICTURE_FORMAT_RAW: "raw",
}


def generator_handler(plane: DataPlane) -> grpc.GenericRpcHandler:
    """Return what a server needs to serve the generators."""

    async def generate(raw: bytes, context: RequestContext) -> bytes:
        message = parse(generator_pb2.GenerateRequest, raw)
        form = _format(message)
        generation = await plane.plan_generation(generate_request(message))
        completed = await plane.generate(generation, context)
        response = await plane.compute.run(_completed, completed, generation, form)
        answer: bytes = response.SerializeToString()
        return answer

    async def generate_stream(raw: bytes, context: RequestContext) -> AsyncGenerator[bytes, None]:
        message = parse(generator_pb2.GenerateStreamRequest, raw)
        form = _format(message.generate)
        asked = generate_request(message.generate)
        asked.previews = message.previews if message.HasField("previews") else _PREVIEWS
        generation = await plane.plan_generation(asked)
        async with aclosing(plane.generate_events(generation, context, progress=True)) as events:
            async for event in events:
                response = (
                    _progress(event)
                    if isinstance(event, Progress)
                    else await plane.compute.run(_event, event, generation, form)
                )
                yield response.SerializeToString()

    async def cancel_generation(raw: bytes, context: RequestContext) -> bytes:
        message = parse(generator_pb2.CancelGenerationRequest, raw)
        cancelled = plane.cancel_generation(message.id, context)
        answer: bytes = generator_pb2.CancelGenerationResponse(cancelled=cancelled).SerializeToString()
        return answer

    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Generate": unary(plane, f"{SERVICE}/Generate", "inference", generate),
            "GenerateStream": server_stream(plane, f"{SERVICE}/GenerateStream", "inference", generate_stream),
            "CancelGeneration": unary(plane, f"{SERVICE}/CancelGeneration", "inference", cancel_generation),
        },
    )


def generate_request(message: generator_pb2.GenerateRequest) -> GenerateRequest:
    """Turn the message into the task's request."""
    request = GenerateRequest(
        model=message.model,
        version=message.version,
        runtime=message.runtime or None,
        angle=message.angle,
        mode=message.mode or None,
        solver=message.solver or None,
        preset=message.preset or None,
        priority=message.priority,
    )
    label = message.WhichOneof("label")
    if label is not None:
        request.label = getattr(message, label)
    for name in ("seed", "steps", "guidance", "n"):
        if message.HasField(name):
            setattr(request, name, getattr(message, name))
    return request


def _format(message: generator_pb2.GenerateRequest) -> Format:
    if message.format not in _FORMATS:
        raise InvalidRequest(
            f"format: got {message.format}, expected a value of equiserve.v1.PictureFormat", field="format"
        )
    return _FORMATS[message.format]


def _event(event: GenerateEvent, generation: Generation, form: Format) -> generator_pb2.GenerateStreamResponse:
    if isinstance(event, Completed):
        return generator_pb2.GenerateStreamResponse(completed=_completed(event, generation, form))
    assert not isinstance(event, Progress)
    preview = generator_pb2.GeneratePreview(
        id=event.id, step=event.call, of=event.calls, png=png(sheet(event.pictures))
    )
    return generator_pb2.GenerateStreamResponse(preview=preview)


def _progress(event: Progress) -> generator_pb2.GenerateStreamResponse:
    return generator_pb2.GenerateStreamResponse(
        progress=generator_pb2.GenerateProgress(
            id=event.id, step=event.call, of=event.calls, sigma=event.sigma, eta_ms=event.remaining_s * 1e3
        )
    )


def _completed(completed: Completed, generation: Generation, form: Format) -> generator_pb2.GenerateResponse:
    encoded = encode(completed, form)
    return generator_pb2.GenerateResponse(
        id=completed.id,
        parameters=generator_pb2.GenerateParameters(**completed.parameters.to_json()),
        media_type=encoded.media_type,
        content=encoded.body,
        shape=completed.pictures.shape,
        etag=entity_tag(completed.parameters, generation.identity, form),
        calls=completed.calls,
        rows=completed.rows,
        seconds=completed.seconds,
        environment=completed.environment,
    )
