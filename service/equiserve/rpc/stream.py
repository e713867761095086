"""ModelStreamInfer: many inference requests over one call.

Requests run side by side, so that those of one stream share batches; answers go out in the order of the requests. A
request that fails is answered with `error_message` and the stream goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc

from equiserve.dataplane import DataPlane
from equiserve.engine import Admission, RequestContext
from equiserve.errors import EquiServeError, Unavailable
from equiserve.rpc import protocol
from equiserve.rpc.calls import known_error, log_call, parse
from equiserve.rpc.errors import details_of, status_of, trailers_of
from equiserve.rpc.http2.call import Call
from equiserve.rpc.http2.handler import Handler
from equiserve.rpc.wire import varint

_NAME = f"{protocol.SERVICE}/ModelStreamInfer"

# Requests of one stream that may be under way: enough to fill a batch, and one stream cannot fill the queue.
_WINDOW = 64
# How often a stream looks whether the server wants to stop.
_LOOK_S = 0.5
# Tag of ModelStreamInferResponse.infer_response.
_RESPONSE = bytes([2 << 3 | 2])

#: A parsed ModelInferRequest, its size in bytes and its context in, a serialised ModelInferResponse out.
Infer = Callable[[Any, int, RequestContext], Awaitable[bytes]]


def infer_stream(plane: DataPlane, infer: Infer) -> grpc.RpcMethodHandler[bytes, bytes]:
    """Return the handler of ModelStreamInfer. Admission sees the stream first, then each of its requests."""
    admission = plane.admission

    async def handle(requests: AsyncIterator[bytes], rpc: Call) -> None:
        began, headers = time.perf_counter(), rpc.metadata
        context: RequestContext | None = None
        try:
            context = admission.admit("inference", headers, timeout_s=rpc.time_remaining())
            await _Stream(admission, infer, headers, rpc).run(requests)
        except EquiServeError as error:
            request_id = admission.request_id(headers) if context is None else context.request_id
            log_call(_NAME, request_id, began, error)
            await rpc.abort(status_of(error), details_of(error), trailers_of(error, request_id))
        finally:
            if context is not None:
                admission.release(context)

    return Handler(handle, streams_in=True, streams_out=True)


class _Stream:
    """One stream: a task reads, a task a request, and `run` writes."""

    def __init__(self, admission: Admission, infer: Infer, headers: Mapping[str, str], rpc: Call) -> None:
        self._admission = admission
        self._infer = infer
        self._headers = headers
        self._rpc = rpc
        self._answers: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue(_WINDOW)
        self._unanswered = 0
        self._stopping = False

    async def run(self, requests: AsyncIterator[bytes]) -> None:
        """Answer until the client has no more requests; raises Unavailable where the server stops before that."""
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._read(requests, group))
            watching = group.create_task(self._watch_for_stop())
            while (answer := await self._answers.get()) is not None:
                await self._rpc.write(await answer)
                self._unanswered -= 1
            reading.cancel()
            watching.cancel()
        if self._stopping:
            raise Unavailable("the server is stopping; open the stream anew", code="draining")

    async def _read(self, requests: AsyncIterator[bytes], group: asyncio.TaskGroup) -> None:
        async for raw in requests:
            self._unanswered += 1
            await self._answers.put(group.create_task(self._answer(raw)))
        await self._answers.put(None)

    async def _watch_for_stop(self) -> None:
        """End the stream when the server drains and nothing is under way: idle streams must not hold it up."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._admission.draining and not self._unanswered:
                self._stopping = True
                await self._answers.put(None)
                return

    async def _answer(self, raw: bytes) -> bytes:
        """Return a serialised ModelStreamInferResponse, whatever goes wrong."""
        began, headers, admission = time.perf_counter(), self._headers, self._admission
        context: RequestContext | None = None
        identifier = ""
        try:
            context = admission.admit("inference", headers, len(raw), timeout_s=self._rpc.time_remaining())
            message = parse(protocol.ModelInferRequest, raw)
            identifier = message.id
            response = await self._infer(message, len(raw), context)
        except Exception as error:  # noqa: BLE001 - one bad request must not end the stream
            request_id = admission.request_id(headers) if context is None else context.request_id
            known = known_error(error, _NAME, request_id)
            log_call(_NAME, request_id, began, known)
            failure = protocol.ModelStreamInferResponse(error_message=known.message)
            failure.infer_response.id = identifier
            serialised: bytes = failure.SerializeToString()
            return serialised
        finally:
            if context is not None:
                admission.release(context)
        return b"".join((_RESPONSE, varint(len(response)), response))
