"""`grpc.health.v1.Health`: ready exactly when the data plane is."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import grpc
from grpc_health.v1 import health_pb2

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.errors import NotFound
from equiserve.rpc.calls import parse, unary
from equiserve.rpc.http2.call import Call
from equiserve.rpc.http2.handler import Handler

SERVICE = "grpc.health.v1.Health"

# How soon a watcher learns of a change. Readiness changes twice in a server's life.
_WATCH_S = 0.5

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


def health_handler(plane: DataPlane, services: Collection[str]) -> grpc.GenericRpcHandler:
    """Return the health service for the whole server (the empty name) and for each of `services`."""

    def status(service: str) -> int:
        if service and service not in services:
            return int(_UNKNOWN)
        return int(_SERVING if plane.ready() else _NOT_SERVING)

    async def check(raw: bytes, context: RequestContext) -> bytes:
        service = parse(health_pb2.HealthCheckRequest, raw).service
        found = status(service)
        if found == _UNKNOWN:
            raise NotFound(
                f"unknown service {service!r}: served are {sorted(services)}", code="unknown_service", field="service"
            )
        return _answer(found)

    async def watch(raw: bytes, rpc: Call) -> None:
        service, told = parse(health_pb2.HealthCheckRequest, raw).service, None
        while True:
            # Asked first: a drain that begins while an answer is written is still told.
            draining = plane.admission.draining
            found = status(service)
            if found != told:
                await rpc.write(_answer(found))
                told = found
            if draining:
                return  # a watcher must not hold up the shut-down
            await asyncio.sleep(_WATCH_S)

    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Check": unary(plane, f"{SERVICE}/Check", "open", check),
            "Watch": Handler(watch, streams_out=True),
        },
    )


def _answer(status: int) -> bytes:
    serialised: bytes = health_pb2.HealthCheckResponse(status=status).SerializeToString()
    return serialised
