"""The catalogues: groups that a check can run over, metrics that it can report."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from equiserve.dataplane import DataPlane
from equiserve.rest.replies import json_reply


def symmetry_routes(plane: DataPlane) -> APIRouter:
    """Return the routes over a data plane."""
    routes = APIRouter(prefix="/v2/symmetry", tags=["equivariance"])

    @routes.get("/groups")
    async def groups() -> Response:
        """Groups by name, with their parameters."""
        return json_reply({"groups": plane.group_catalogue()})

    @routes.get("/metrics")
    async def metrics() -> Response:
        """Metrics by name, with what each measures."""
        return json_reply({"metrics": plane.metric_catalogue()})

    return routes
