"""Every error that a caller can meet, in one hierarchy.

A subclass names a *condition*; the edges map each condition once, to an HTTP status (`rest/errors.py`) and to a
gRPC status (`rpc/errors.py`). `code` is a stable identifier for programs, `field` names what was wrong.
"""

from __future__ import annotations

from typing import Any


class EquiServeError(Exception):
    """Base of all errors that EquiServe raises on purpose.

    Args:
        message: One sentence: what was wrong, what came, what was expected.
        code: Stable identifier in snake_case, for programs.
        field: Path of the offending field, e.g. ``inputs[0].shape``; None where no single field is at fault.
    """

    default_code = "error"

    def __init__(self, message: str, *, code: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.field = field

    def body(self) -> dict[str, Any]:
        """Return the JSON body that every edge sends for this error."""
        return {"error": self.message, "code": self.code, "field": self.field}


class InvalidRequest(EquiServeError):
    """Malformed or invalid input (HTTP 400, INVALID_ARGUMENT)."""

    default_code = "invalid_request"


class Unauthenticated(EquiServeError):
    """No or wrong credential (HTTP 401, UNAUTHENTICATED)."""

    default_code = "unauthenticated"


class PermissionDenied(EquiServeError):
    """The credential does not allow this (HTTP 403, PERMISSION_DENIED)."""

    default_code = "permission_denied"


class NotFound(EquiServeError):
    """Unknown model, version, route or job (HTTP 404, NOT_FOUND)."""

    default_code = "not_found"


class TooLarge(EquiServeError):
    """A body, picture or orbit over its limit (HTTP 413, RESOURCE_EXHAUSTED)."""

    default_code = "too_large"


class Overloaded(EquiServeError):
    """Queue full, quota used up, or the deadline cannot be met (HTTP 429, RESOURCE_EXHAUSTED).

    Args:
        retry_after_s: Seconds after which a retry has a fair chance, from the learned cost of the queue.
    """

    default_code = "overloaded"

    def __init__(
        self, message: str, *, code: str | None = None, field: str | None = None, retry_after_s: float = 1.0
    ) -> None:
        super().__init__(message, code=code, field=field)
        self.retry_after_s = retry_after_s


class Cancelled(EquiServeError):
    """The client went away (HTTP 499 in the log only, CANCELLED)."""

    default_code = "cancelled"


class InternalError(EquiServeError):
    """A fault of the server or of the model (HTTP 500, INTERNAL)."""

    default_code = "internal"


class Unsupported(EquiServeError):
    """This build or this model cannot do it (HTTP 501, UNIMPLEMENTED)."""

    default_code = "unsupported"


class Unavailable(EquiServeError):
    """Not ready, draining, or a worker died (HTTP 503, UNAVAILABLE)."""

    default_code = "unavailable"


class DeadlineExceeded(EquiServeError):
    """The request's deadline passed (HTTP 504, DEADLINE_EXCEEDED)."""

    default_code = "deadline_exceeded"
