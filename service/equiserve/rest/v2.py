"""Health, metadata, configuration and statistics of the Open Inference Protocol v2."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from equiserve.dataplane import DataPlane
from equiserve.rest.replies import json_reply


def v2_routes(plane: DataPlane) -> APIRouter:
    """Return the routes over a data plane."""
    routes = APIRouter(tags=["Open Inference Protocol v2"])

    @routes.get("/v2/", include_in_schema=False)
    @routes.get("/v2")
    async def server_metadata() -> Response:
        """Name and version of the server, and the protocol extensions that it speaks."""
        return json_reply(plane.server_metadata())

    @routes.get("/v2/health/live", tags=["health"])
    async def live() -> Response:
        """Whether the process runs."""
        return json_reply({"live": True})

    @routes.get("/v2/health/ready", tags=["health"])
    async def ready() -> Response:
        """Whether requests should be sent here: models are loaded, no shut-down is under way; else 503."""
        is_ready = plane.ready()
        return json_reply({"ready": is_ready}, 200 if is_ready else 503)

    # Before the model routes: `stats` is no model there.
    @routes.get("/v2/models/stats")
    async def all_statistics() -> Response:
        """Counts and times of every loaded model version."""
        return json_reply(plane.model_statistics())

    @routes.get("/v2/models/{model}")
    @routes.get("/v2/models/{model}/versions/{version}")
    async def model_metadata(model: str, version: str = "") -> Response:
        """Inputs and outputs of a model, how each transforms, and what is known of its symmetries."""
        return json_reply(await plane.model_metadata(model, version))

    @routes.get("/v2/models/{model}/ready", tags=["health"])
    @routes.get("/v2/models/{model}/versions/{version}/ready", tags=["health"])
    async def model_ready(model: str, version: str = "") -> Response:
        """Whether a model version takes requests; else 503, or 404 where it is unknown."""
        is_ready = await plane.model_ready(model, version)
        return json_reply({"name": model, "ready": is_ready}, 200 if is_ready else 503)

    @routes.get("/v2/models/{model}/config")
    @routes.get("/v2/models/{model}/versions/{version}/config")
    async def model_config(model: str, version: str = "") -> Response:
        """Configuration in the terms of the model_configuration extension."""
        return json_reply(await plane.model_config(model, version))

    @routes.get("/v2/models/{model}/stats")
    @routes.get("/v2/models/{model}/versions/{version}/stats")
    async def model_statistics(model: str, version: str = "") -> Response:
        """Counts and times of a model, in the terms of the statistics extension."""
        return json_reply(plane.model_statistics(model, version))

    return routes
