"""From an HTTP answer that is no success, or none at all, to the error that the server raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import httpx
import orjson

from equiserve.client.exchange import Answer
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

_OF_STATUS: dict[int, type[EquiServeError]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: PermissionDenied,
    404: NotFound,
    413: TooLarge,
    429: Overloaded,
    499: Cancelled,
    500: InternalError,
    501: Unsupported,
    # 502 comes from a proxy whose server is away.
    502: Unavailable,
    503: Unavailable,
    504: DeadlineExceeded,
}


def raise_error(answer: Answer) -> NoReturn:
    """Raise the error that an answer stands for; the request's id is a note of the exception.

    Raises:
        EquiServeError: The class by status; message, code and field from the body. `Overloaded` has `retry_after_s`.
    """
    content = _content(answer)
    kind = _OF_STATUS.get(answer.status) or (InvalidRequest if answer.status < 500 else InternalError)
    message = content.get("error") or f"HTTP status {answer.status} without a reason"
    details: dict[str, Any] = {"code": content.get("code"), "field": content.get("field")}
    if kind is Overloaded:
        pause_s = retry_after(answer)
        details |= {} if pause_s is None else {"retry_after_s": pause_s}
    error = kind(str(message), **details)
    if request_id := answer.headers.get("x-request-id"):
        error.add_note(f"request id {request_id}")
    raise error


def retry_after(answer: Answer) -> float | None:
    """Return the seconds of an answer's `Retry-After`; None where it has none (or a date, which we never send)."""
    try:
        seconds = float(answer.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


@contextmanager
def transport_errors() -> Iterator[None]:
    """Turn what httpx raises where no answer came into our errors: DeadlineExceeded or Unavailable."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise DeadlineExceeded(f"no answer in time: {_reason(error)}", code="client_timeout") from error
    except httpx.RequestError as error:
        raise Unavailable(f"no answer: {_reason(error)}", code="unreachable") from error


def _content(answer: Answer) -> dict[str, Any]:
    try:
        content = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
