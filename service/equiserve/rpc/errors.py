"""The one mapping of our errors to gRPC: a status, a sentence, and stable codes in the trailing metadata."""

from __future__ import annotations

import math

from grpc import StatusCode

from equiserve.engine.admission import REQUEST_ID
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
from equiserve.rpc.http2.head import percent_encoded

STATUS: dict[type[EquiServeError], StatusCode] = {
    InvalidRequest: StatusCode.INVALID_ARGUMENT,
    Unauthenticated: StatusCode.UNAUTHENTICATED,
    PermissionDenied: StatusCode.PERMISSION_DENIED,
    NotFound: StatusCode.NOT_FOUND,
    TooLarge: StatusCode.RESOURCE_EXHAUSTED,
    Overloaded: StatusCode.RESOURCE_EXHAUSTED,
    Cancelled: StatusCode.CANCELLED,
    InternalError: StatusCode.INTERNAL,
    Unsupported: StatusCode.UNIMPLEMENTED,
    Unavailable: StatusCode.UNAVAILABLE,
    DeadlineExceeded: StatusCode.DEADLINE_EXCEEDED,
}

#: What an operator should look at: the request was not at fault.
OUR_FAULTS = frozenset(
    {StatusCode.INTERNAL, StatusCode.UNIMPLEMENTED, StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED}
)

#: Trailing metadata: `EquiServeError.code`, `EquiServeError.field`, and when a retry has a fair chance.
CODE = "equiserve-code"
FIELD = "equiserve-field"
RETRY_AFTER = "retry-after-ms"

# Peers refuse a header block beyond 8 kB; a message may quote the caller's own names, of any length.
_MAX_MESSAGE = 2048
_MAX_FIELD = 256

Metadata = tuple[tuple[str, str], ...]


def status_of(error: EquiServeError) -> StatusCode:
    """Return the gRPC status of an error; UNKNOWN for a condition that the table lacks."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return StatusCode.UNKNOWN


def details_of(error: EquiServeError) -> str:
    """Return the sentence for the caller, cut to what fits a header block."""
    message = error.message
    return message if len(message) <= _MAX_MESSAGE else message[: _MAX_MESSAGE - 3] + "..."


def trailers_of(error: EquiServeError, request_id: str) -> Metadata:
    """Return the trailing metadata of a failed call."""
    trailers = [(CODE, error.code), (REQUEST_ID, request_id)]
    if error.field is not None:
        trailers.append((FIELD, percent_encoded(error.field[:_MAX_FIELD])))
    if isinstance(error, Overloaded):
        trailers.append((RETRY_AFTER, str(math.ceil(error.retry_after_s * 1e3))))
    return tuple(trailers)
