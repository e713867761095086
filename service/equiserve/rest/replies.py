"""How the routes behind FastAPI reach the request's context and write their answers."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from equiserve.engine import RequestContext
from equiserve.rest.gate import CONTEXT


def context_of(request: Request) -> RequestContext:
    """Return what admission found out about a request."""
    context: RequestContext = request.scope[CONTEXT]
    return context


def json_reply(content: Any, status: int = 200) -> Response:
    """Return JSON; NaN and infinity become null."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return Response(body, status, media_type="application/json")
