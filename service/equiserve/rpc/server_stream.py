"""Calls that are answered by a stream of messages: admission, errors and the log as for `calls.unary`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import grpc

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext, RouteGroup
from equiserve.rpc.calls import known_error, log_call
from equiserve.rpc.errors import details_of, status_of, trailers_of
from equiserve.rpc.http2.call import Call
from equiserve.rpc.http2.handler import Handler

#: A call's bytes and context in, the answers' bytes out, one after the other.
StreamMethod = Callable[[bytes, RequestContext], AsyncGenerator[bytes, None]]


def server_stream(
    plane: DataPlane, name: str, group: RouteGroup, method: StreamMethod
) -> grpc.RpcMethodHandler[bytes, bytes]:
    """Return the handler of a call with many answers; arguments as in `calls.unary`.

    The stream of `method` is closed as soon as the client goes away: it is then at a `yield` or in an `await`.
    """
    admission = plane.admission
    log_all = plane.settings.access_log

    async def handle(raw: bytes, rpc: Call) -> None:
        began, headers = time.perf_counter(), rpc.metadata
        context: RequestContext | None = None
        try:
            context = admission.admit(group, headers, len(raw), timeout_s=rpc.time_remaining())
            async with aclosing(method(raw, context)) as answers:
                async for answer in answers:
                    await rpc.write(answer)
        except (Exception, asyncio.CancelledError) as error:
            request_id = admission.request_id(headers) if context is None else context.request_id
            known = known_error(error, name, request_id)
            log_call(name, request_id, began, known)
            if isinstance(error, asyncio.CancelledError):
                raise
            await rpc.abort(status_of(known), details_of(known), trailers_of(known, request_id))
        finally:
            if context is not None:
                admission.release(context)
        if log_all:
            log_call(name, context.request_id, began)

    return Handler(handle, streams_out=True)
