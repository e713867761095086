"""Admission: who asks, may they, is there room. One object for both edges, before any decoding.

It is no FastAPI dependency: the tensor route never reaches FastAPI, and nothing may be missing there.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import os
from collections.abc import Mapping
from itertools import count
from typing import Literal

from pydantic import SecretStr

from equiserve.engine.core import RequestContext
from equiserve.errors import (
    DeadlineExceeded,
    InvalidRequest,
    Overloaded,
    PermissionDenied,
    TooLarge,
    Unauthenticated,
    Unsupported,
)

#: Groups of routes that share a rule: `open` needs no credential (health), `admin` needs the admin token.
RouteGroup = Literal["open", "metadata", "inference", "check", "admin"]

REQUEST_ID = "x-request-id"
TIMEOUT = "x-request-timeout-ms"
_MAX_ID = 128


class Admission:
    """Bounds and credentials of the whole server.

    Args:
        token: Bearer token for every route group but `open`; None = anybody may.
        admin_token: Bearer token for `admin`; None = `token`.
        admin: Whether `admin` routes exist at all.
        max_body_bytes: Largest body of one request.
        max_inflight_bytes: Bodies of all requests under way, together.
        max_inflight_requests: Requests under way at the same time.
        max_deadline_s: Longest deadline that a caller may set.
    """

    def __init__(
        self,
        *,
        token: SecretStr | None = None,
        admin_token: SecretStr | None = None,
        admin: bool = True,
        max_body_bytes: int = 64 << 20,
        max_inflight_bytes: int = 512 << 20,
        max_inflight_requests: int = 4096,
        max_deadline_s: float = 600.0,
    ) -> None:
        self.max_body_bytes = max_body_bytes
        self.draining = False
        self.inflight_requests = 0
        self.inflight_bytes = 0
        self._token = token
        self._admin_token = admin_token or token
        self._admin = admin
        self._max_inflight_bytes = max_inflight_bytes
        self._max_inflight_requests = max_inflight_requests
        self._max_deadline_s = max_deadline_s
        self._ids = count()
        self._id_prefix = os.urandom(4).hex()

    def admit(
        self,
        route: RouteGroup,
        headers: Mapping[str, str],
        content_length: int | None = None,
        *,
        timeout_s: float | None = None,
    ) -> RequestContext:
        """Let a request in; the caller must `release` what this returns.

        Args:
            route: The route's group.
            headers: Lower-case header or metadata names.
            content_length: Announced bytes of the body, where known.
            timeout_s: The protocol's own deadline (gRPC), seconds from now.

        Raises:
            Unauthenticated, PermissionDenied: The credential.
            TooLarge: The announced body.
            Overloaded: No room for another request or for its bytes.
            DeadlineExceeded: The deadline is in the past.
            InvalidRequest: A header that cannot be read.
        """
        if route != "open":
            self._authorise(route, headers)
            if self.inflight_requests >= self._max_inflight_requests:
                raise Overloaded(
                    f"{self.inflight_requests} requests are under way, at most {self._max_inflight_requests} may be",
                    code="too_many_requests",
                )
        context = RequestContext(
            request_id=self.request_id(headers),
            deadline=self._deadline(headers, timeout_s),
            traceparent=headers.get("traceparent"),
            credential=headers.get("authorization", ""),
        )
        if content_length:
            self._account(context, content_length)
        self.inflight_requests += 1
        return context

    def grow(self, context: RequestContext, body_bytes: int) -> None:
        """Account for a body as it comes in; raises TooLarge or Overloaded as soon as it is too much.

        Args:
            context: The request.
            body_bytes: Bytes of its body that came so far, in all.
        """
        if body_bytes > context.body_bytes:
            self._account(context, body_bytes - context.body_bytes)

    def release(self, context: RequestContext) -> None:
        """Give back what a request held."""
        self.inflight_requests -= 1
        self.inflight_bytes -= context.body_bytes
        context.body_bytes = 0

    def _account(self, context: RequestContext, more: int) -> None:
        total = context.body_bytes + more
        if total > self.max_body_bytes:
            raise TooLarge(
                f"the body has {total} bytes or more, at most {self.max_body_bytes} are taken",
                code="body_too_large",
                field="body",
            )
        if self.inflight_bytes + more > self._max_inflight_bytes:
            raise Overloaded(
                f"bodies under way hold {self.inflight_bytes} bytes and {more} more came; "
                f"at most {self._max_inflight_bytes} may be held",
                code="too_many_bytes",
            )
        context.body_bytes = total
        self.inflight_bytes += more

    def _authorise(self, route: RouteGroup, headers: Mapping[str, str]) -> None:
        if route == "admin" and not self._admin:
            raise Unsupported("loading and unloading models is switched off here", code="admin_off")
        expected = self._admin_token if route == "admin" else self._token
        if expected is None:
            return
        scheme, _, presented = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not presented:
            raise Unauthenticated("a bearer token is needed", code="token_missing", field="authorization")
        if _same(presented, expected) or (self._admin_token is not None and _same(presented, self._admin_token)):
            return
        if route == "admin" and self._token is not None and _same(presented, self._token):
            raise PermissionDenied("this token may not load or unload models", code="not_admin")
        raise Unauthenticated("the bearer token is wrong", code="token_wrong", field="authorization")

    def request_id(self, headers: Mapping[str, str]) -> str:
        """Return the caller's `x-request-id` where it is fit to be logged and echoed, else one made here."""
        given = headers.get(REQUEST_ID)
        if given and len(given) <= _MAX_ID and given.isascii() and given.isprintable():
            return given
        return f"{self._id_prefix}-{next(self._ids):x}"

    def _deadline(self, headers: Mapping[str, str], timeout_s: float | None) -> float:
        given = headers.get(TIMEOUT)
        if given is not None:
            try:
                asked = float(given) * 1e-3
            except ValueError:
                asked = math.nan
            if math.isnan(asked):
                raise InvalidRequest(
                    f"header {TIMEOUT}: got {given[:40]!r}, expected milliseconds", code="invalid_header", field=TIMEOUT
                )
            timeout_s = asked if timeout_s is None else min(asked, timeout_s)
        if timeout_s is None:
            return math.inf
        if timeout_s <= 0:
            raise DeadlineExceeded("the deadline had passed when the request came", code="deadline_exceeded")
        return asyncio.get_running_loop().time() + min(timeout_s, self._max_deadline_s)


def _same(presented: str, expected: SecretStr) -> bool:
    return hmac.compare_digest(presented.encode(), expected.get_secret_value().encode())
