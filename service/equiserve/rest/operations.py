"""What a monitoring system reads."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

_TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


def operations_routes(render_metrics: Callable[[], bytes]) -> APIRouter:
    """Return the routes.

    Args:
        render_metrics: Returns all metrics in Prometheus's text format.
    """
    routes = APIRouter(tags=["operations"])

    @routes.get("/metrics")
    async def metrics() -> Response:
        """Counters, gauges and histograms in Prometheus's text format."""
        return Response(render_metrics(), headers={"content-type": _TEXT_FORMAT})

    @routes.get("/", include_in_schema=False)
    async def start() -> Response:
        """Where a newcomer looks first."""
        return RedirectResponse("/docs")

    return routes
