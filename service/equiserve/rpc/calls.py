"""What happens around every call, whichever service it is for: admission, errors, the request's id, the log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext, RouteGroup
from equiserve.errors import Cancelled, EquiServeError, InternalError, InvalidRequest
from equiserve.rpc.errors import OUR_FAULTS, details_of, status_of, trailers_of
from equiserve.rpc.http2.call import Call
from equiserve.rpc.http2.handler import Handler

log = logging.getLogger("equiserve.rpc")

#: A call's bytes and context in, the answer's bytes out.
Method = Callable[[bytes, RequestContext], Awaitable[bytes]]


def unary(
    plane: DataPlane, name: str, group: RouteGroup, method: Method, *, direct: bool = False
) -> grpc.RpcMethodHandler[bytes, bytes]:
    """Return the handler of a unary call.

    The request's id goes back with errors only: trailing metadata on every answer is a measurable part of a small call.

    The bytes reach `method` as they came: admission must see a request before any of it is decoded, and the tensor
    route reads and writes its messages without objects.

    Args:
        plane: The data plane.
        name: Full name of the method, for the log.
        group: The route group that admission knows it by.
        method: The call itself; may raise any EquiServeError.
        direct: Whether it runs without a task; see `engine.driven` for what it may not do then.
    """
    admission = plane.admission
    log_all = plane.settings.access_log

    async def handle(raw: bytes, rpc: Call) -> bytes:
        began = time.perf_counter()
        headers = rpc.metadata
        context: RequestContext | None = None
        try:
            context = admission.admit(group, headers, len(raw), timeout_s=rpc.time_remaining())
            answer = await method(raw, context)
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
        return answer

    return Handler(handle, direct=direct)


def known_error(error: BaseException, name: str, request_id: str) -> EquiServeError:
    """Return an error that may be shown to the caller; what is unexpected goes to the log and shows nothing of us."""
    if isinstance(error, EquiServeError):
        return error
    if isinstance(error, asyncio.CancelledError):
        return Cancelled("the client went away, or its deadline passed")
    log.error("unexpected error", exc_info=error, extra={"request_id": request_id, "method": name})
    return InternalError(f"internal error; the log has it under request id {request_id}", code="internal")


def log_call(name: str, request_id: str, began: float, error: EquiServeError | None = None) -> None:
    """Write a call's line: a warning for a fault of ours, information otherwise.

    Args:
        name: Full name of the method.
        request_id: The call's id.
        began: `time.perf_counter` at its begin.
        error: Why it failed; None where it did not.
    """
    status = grpc.StatusCode.OK if error is None else status_of(error)
    extra: dict[str, object] = {
        "request_id": request_id,
        "method": name,
        "status": status.name,
        "ms": round((time.perf_counter() - began) * 1e3, 3),
    }
    if error is not None:
        extra |= {"code": error.code, "error": error.message}
    log.log(logging.WARNING if status in OUR_FAULTS else logging.INFO, "request", extra=extra)


def parse(message: Any, raw: bytes) -> Any:
    """Parse a message of class `message`; raises InvalidRequest for bytes that are none."""
    try:
        return message.FromString(raw)
    except DecodeError:
        raise InvalidRequest(
            f"got {len(raw)} bytes that are no {message.DESCRIPTOR.full_name}", code="malformed_message"
        ) from None
