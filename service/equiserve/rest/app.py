"""The REST edge as one ASGI application: the gate, and behind it FastAPI for every route but the direct ones."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from equiserve import __version__
from equiserve.dataplane import DataPlane
from equiserve.errors import EquiServeError, InvalidRequest
from equiserve.rest.candidates import candidates_routes
from equiserve.rest.classify import classify_operation
from equiserve.rest.equivariance import equivariance_routes
from equiserve.rest.errors import error_reply, from_framework, unexpected
from equiserve.rest.fit import fit_routes
from equiserve.rest.gate import ERROR, Gate
from equiserve.rest.generate import generate_routes
from equiserve.rest.jobs import jobs_routes
from equiserve.rest.openapi import DESCRIPTION, ERROR_RESPONSES, add_direct_routes, infer_operation
from equiserve.rest.operations import operations_routes
from equiserve.rest.regress import regress_routes
from equiserve.rest.replies import context_of
from equiserve.rest.repository import repository_routes
from equiserve.rest.symmetry import symmetry_routes
from equiserve.rest.v2 import v2_routes


def build_app(plane: DataPlane, render_metrics: Callable[[], bytes]) -> ASGIApp:
    """Return the REST edge.

    Args:
        plane: The data plane.
        render_metrics: Returns all metrics in Prometheus's text format.
    """
    api = FastAPI(
        title="EquiServe",
        version=__version__,
        description=DESCRIPTION,
        redoc_url=None,
        # A redirect would lose the body, and the gate has judged the path as it came.
        redirect_slashes=False,
        responses=ERROR_RESPONSES,
    )
    for routes in (
        v2_routes(plane),
        generate_routes(plane),
        equivariance_routes(plane),
        candidates_routes(plane),
        regress_routes(plane),
        fit_routes(plane),
        symmetry_routes(plane),
        jobs_routes(plane),
        repository_routes(plane),
        operations_routes(render_metrics),
    ):
        api.include_router(routes)
    add_direct_routes(api, {"infer": infer_operation, "classify": classify_operation})
    _map_errors(api)
    return Gate(plane, api)


def _map_errors(api: FastAPI) -> None:
    @api.exception_handler(EquiServeError)
    async def ours(request: Request, error: EquiServeError) -> Response:
        # The gate writes the log line of every request and wants the reason in it.
        request.scope[ERROR] = error
        status, headers, body = error_reply(error)
        return Response(body, status, {name.decode(): value.decode() for name, value in headers})

    @api.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> Response:
        return await ours(request, from_framework(error, request.method, request.url.path))

    @api.exception_handler(RequestValidationError)
    async def validation(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return await ours(request, InvalidRequest(f"{place}: {first['msg']}", field=place))

    @api.exception_handler(Exception)
    async def fault(request: Request, _: Exception) -> Response:
        # Starlette raises it again after this answer; the gate logs it.
        return await ours(request, unexpected(context_of(request).request_id))
