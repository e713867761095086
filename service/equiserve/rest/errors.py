"""The one place where a condition becomes an HTTP status, and where every error body is made."""

from __future__ import annotations

import math

import orjson
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from equiserve.errors import (
    Cancelled,
    DeadlineExceeded,
    EquiServeError,
    InternalError,
    InvalidRequest,
    NotFound,
    Overloaded,
    PermissionDenied,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
)

STATUS: dict[type[EquiServeError], int] = {
    InvalidRequest: 400,
    Unauthenticated: 401,
    PermissionDenied: 403,
    NotFound: 404,
    TooLarge: 413,
    Overloaded: 429,
    Cancelled: 499,
    InternalError: 500,
    Unsupported: 501,
    Unavailable: 503,
    DeadlineExceeded: 504,
}

Headers = list[tuple[bytes, bytes]]


class ErrorBody(BaseModel):
    """The body of every answer that is no success."""

    error: str
    """One sentence: what was wrong, what came, what was expected."""
    code: str
    """A stable identifier for programs."""
    field: str | None = None
    """Path of the offending field, where a single one is at fault."""


class MethodNotAllowed(InvalidRequest):
    """The route exists, the method does not (HTTP 405; no counterpart in gRPC).

    Args:
        method: What came.
        allowed: The `allow` header.
    """

    default_code = "method_not_allowed"

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(f"method {method} is not served here, expected {allowed}", field="method")
        self.allowed = allowed


def status_of(error: EquiServeError) -> int:
    """Return the HTTP status of an error; a subclass has its parent's."""
    if isinstance(error, MethodNotAllowed):
        return 405
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def error_reply(error: EquiServeError) -> tuple[int, Headers, bytes]:
    """Return status, headers and body of an error's answer."""
    body = orjson.dumps(error.body())
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if isinstance(error, Overloaded):
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
    elif isinstance(error, Unavailable):
        headers.append((b"retry-after", b"1"))
    elif isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    elif isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allowed.encode()))
    return status_of(error), headers, body


def from_framework(error: HTTPException, method: str, path: str) -> EquiServeError:
    """Return what Starlette raises (unknown route, wrong method, broken form) as one of our errors."""
    if error.status_code == 404:
        return NotFound(f"there is no route {path[:200]!r}", code="unknown_route")
    if error.status_code == 405:
        return MethodNotAllowed(method, (error.headers or {}).get("Allow", "another one"))
    return InvalidRequest(str(error.detail))


def unexpected(request_id: str) -> InternalError:
    """Return what a caller hears of a fault of ours: nothing of its inside, only where it is logged."""
    return InternalError(f"the server failed on this request; its log has the cause under {request_id}")
