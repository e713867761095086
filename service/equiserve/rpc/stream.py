"""ModelStreamInfer: many inference requests over one call.

Requests run side by side, so that those of one stream share batches; answers go out in the order of the requests. A
request that fails is answered with `error_message` and the stream goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.errors import EquiServeError
from equiserve.rpc import protocol
from equiserve.rpc.calls import known_error, log_call, metadata_of, parse
from equiserve.rpc.errors import details_of, status_of, trailers_of
from equiserve.rpc.wire import varint

_NAME = f"{protocol.SERVICE}/ModelStreamInfer"

# Requests of one stream that may be under way: enough to fill a batch, and one stream cannot fill the queue.
_WINDOW = 64
# Tag of ModelStreamInferResponse.infer_response.
_RESPONSE = bytes([2 << 3 | 2])

#: A parsed ModelInferRequest, its size in bytes and its context in, a serialised ModelInferResponse out.
Infer = Callable[[Any, int, RequestContext], Awaitable[bytes]]


def infer_stream(plane: DataPlane, infer: Infer) -> grpc.RpcMethodHandler[bytes, bytes]:
    """Return the handler of ModelStreamInfer. Admission sees the stream first, then each of its requests."""
    admission = plane.admission

    async def handle(requests: AsyncIterator[bytes], rpc: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        headers = metadata_of(rpc)
        try:
            stream = admission.admit("inference", headers, timeout_s=rpc.time_remaining())
        except EquiServeError as error:
            request_id = admission.request_id(headers)
            log_call(_NAME, request_id, time.perf_counter(), error)
            await rpc.abort(status_of(error), details_of(error), trailers_of(error, request_id))

        async def answer(raw: bytes) -> bytes:
            began, identifier, request_id = time.perf_counter(), "", stream.request_id
            try:
                context = admission.admit("inference", headers, len(raw), timeout_s=rpc.time_remaining())
                request_id = context.request_id
                try:
                    message = parse(protocol.ModelInferRequest, raw)
                    identifier = message.id
                    response = await infer(message, len(raw), context)
                finally:
                    admission.release(context)
            except Exception as error:  # noqa: BLE001 - one bad request must not end the stream
                known = known_error(error, _NAME, request_id)
                log_call(_NAME, request_id, began, known)
                failure = protocol.ModelStreamInferResponse(error_message=known.message)
                failure.infer_response.id = identifier
                serialised: bytes = failure.SerializeToString()
                return serialised
            return b"".join((_RESPONSE, varint(len(response)), response))

        try:
            async with asyncio.TaskGroup() as group:
                under_way: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue(_WINDOW)

                async def read() -> None:
                    async for raw in requests:
                        await under_way.put(group.create_task(answer(raw)))
                    await under_way.put(None)

                group.create_task(read())
                while (task := await under_way.get()) is not None:
                    await rpc.write(await task)
        finally:
            admission.release(stream)

    return grpc.stream_stream_rpc_method_handler(handle)
