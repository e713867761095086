"""What every HTTP request passes, whatever answers it: admission, its body under bounds, a watch over its client, one
form of error, a request id on the answer, a line in the log.

Plain ASGI in front of FastAPI: the direct routes are answered here and never reach FastAPI's router.
"""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext, RouteGroup
from equiserve.errors import Cancelled, EquiServeError
from equiserve.rest.direct import direct_route
from equiserve.rest.direct_cycle import answer_direct, inflated, stopping
from equiserve.rest.errors import MethodNotAllowed, unexpected
from equiserve.rest.exchange import Exchange
from equiserve.rest.tensors import Buffer

#: Key of the admitted `RequestContext` in the ASGI scope.
CONTEXT = "equiserve.context"
#: Key of the error that FastAPI's handlers answered.
ERROR = "equiserve.error"

log = logging.getLogger("equiserve.rest")

_OPEN = frozenset({"/metrics", "/docs", "/openapi.json"})


class Gate:
    """The whole REST edge as one ASGI application.

    Args:
        plane: The data plane.
        api: Answers every route but the direct ones.

    Attributes:
        plane: The data plane.
    """

    def __init__(self, plane: DataPlane, api: ASGIApp) -> None:
        self.plane = plane
        self._api = api
        self._log_all = plane.settings.access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._api(scope, receive, send)
            return
        began = time.perf_counter()
        exchange = Exchange(scope, receive, send)
        error = await self._answer(exchange)
        if error is not None and not exchange.started and not isinstance(error, Cancelled):
            await exchange.refuse(error)
        if error is not None or self._log_all or exchange.status >= 400:
            exchange.log(error, time.perf_counter() - began)

    async def _answer(self, exchange: Exchange) -> EquiServeError | None:
        """Answer a request; return the error of one that was not answered."""
        admission, watch, scope = self.plane.admission, exchange.watch, exchange.scope
        context: RequestContext | None = None
        try:
            route = direct_route(scope["path"])
            group = route_group(scope["path"]) if route is None else "inference"
            context = admission.admit(group, exchange.headers, exchange.announced)
            exchange.request_id = context.request_id
            body = await exchange.read_body(admission, context)
            if route is None:
                if "content-encoding" in exchange.headers:
                    body = await inflated(self.plane, exchange.headers, body, context)
                scope[CONTEXT] = context
                await self._api(scope, _replay(body), exchange.send)
                answered: EquiServeError | None = scope.get(ERROR)
                return answered
            else:
                if scope["method"] != "POST":
                    raise MethodNotAllowed(scope["method"], "POST")
                headers, reply = await answer_direct(
                    self.plane, route, exchange.headers, scope["query_string"], body, context
                )
                await exchange.reply(200, headers, reply)
        except EquiServeError as error:
            return error
        except asyncio.CancelledError:
            watch.acknowledge()
            # Whoever else cancels is the server, which has waited long enough for its last requests.
            return stopping() if watch.verdict is None else watch.verdict
        except Exception:
            request_id = exchange.identify(admission)
            log.exception("unexpected error", extra={"request_id": request_id, "path": scope["path"]})
            return unexpected(request_id)
        finally:
            watch.stop()
            exchange.identify(admission)
            if context is not None:
                admission.release(context)
        return None


def route_group(path: str) -> RouteGroup:
    """Return the admission group of a route behind FastAPI; whatever is not known here needs what metadata needs."""
    if path.startswith("/v2/health/") or path in _OPEN:
        return "open"
    if path.startswith("/v2/repository/models/"):
        return "admin"
    if path.startswith("/v2/models/") and path.endswith("/regress"):
        return "inference"
    checks = ("/equivariance", "/equivariance_stream", "/equivariance/candidates")
    if path.startswith("/v2/models/") and path.endswith(checks):
        return "check"
    if path.startswith("/v2/models/") and path.endswith(("/fit", "/generate", "/generate_stream")):
        return "inference"
    if path.startswith("/v2/generations/"):
        return "inference"
    if path == "/v2/jobs" or path.startswith("/v2/jobs/"):
        return "check"
    return "metadata"


def _replay(body: Buffer) -> Receive:
    """Return an ASGI channel that delivers a body that was read, and then nothing more."""
    message: Message | None = {"type": "http.request", "body": bytes(body), "more_body": False}

    async def receive() -> Message:
        nonlocal message
        if message is not None:
            delivered, message = message, None
            return delivered
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody completes this future")

    return receive
