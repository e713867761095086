"""`/v2/jobs`: checks of long orbits and of data sets, that outlive their request."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from equiserve.checks.job_store import Job
from equiserve.checks.jobs import KIND, JobRequest, Jobs
from equiserve.dataplane import DataPlane
from equiserve.errors import InvalidRequest
from equiserve.pictures.arrays import unpack_arrays
from equiserve.rest.equivariance import CHECK_OPTIONS, check_request, tensor_check_request
from equiserve.rest.openapi import picture_body
from equiserve.rest.replies import context_of, json_reply
from equiserve.rest.report_formats import render
from equiserve.rest.submission import read_submission
from equiserve.rest.tensor_submission import read_tensors
from equiserve.rest.tensors import describe

_JOB_OPTIONS: dict[str, Any] = {
    "kind": {"type": "string", "enum": [KIND], "default": KIND},
    "model": {"type": "string"},
    "version": {"type": "string", "description": "the newest by default"},
    "labels": {"type": "array", "items": {}, "description": "the right class of each picture, for reference `label`"},
}


def jobs_routes(plane: DataPlane) -> APIRouter:
    """Return the routes over a data plane."""
    routes = APIRouter(prefix="/v2/jobs", tags=["jobs"])
    jobs = plane.jobs

    @routes.post("", openapi_extra=picture_body({**_JOB_OPTIONS, **CHECK_OPTIONS}, several=True), status_code=202)
    async def submit(request: Request) -> Response:
        """Submit a check of one or several pictures: files, or uint8 arrays [N, C, H, W] as .npy or .npz; or of the
        rows of named tensors, as `inputs` of a JSON body.

        The answer names the job; `Location` is where its state, its progress and at last its result are.
        """
        body, query = await request.body(), request.scope["query_string"]
        tensors = await read_tensors(request.headers, query, body, plane.compute)
        if tensors is None:
            submitted, options = await read_submission(request.headers, query, body, plane.compute)
            pictures, labels = await plane.compute.run(unpack_arrays, submitted, plane.admission.max_body_bytes)
        else:
            inputs, options = tensors
        kind, model = options.text("kind", KIND), options.text("model")
        if kind != KIND:
            raise InvalidRequest(f"kind: got {describe(kind)}, expected {KIND!r}", field="kind")
        if not model:
            raise InvalidRequest("model: got nothing, expected a model's name", field="model")
        version = options.text("version", "") or ""
        if tensors is None:
            given = options.any_of("labels", list)
            check = check_request(options, model, version, pictures[0])
            asked = JobRequest(check, pictures, labels if given is None else given)
        else:
            asked = JobRequest(tensor_check_request(options, model, version, inputs))
        options.require_none_left()
        job = await jobs.submit(context_of(request).credential, asked)
        reply = json_reply(_status(jobs, job), 202)
        reply.headers["location"] = f"/v2/jobs/{job.id}"
        return reply

    @routes.get("")
    async def list_jobs(request: Request) -> Response:
        """Return the jobs that were submitted with this request's credential, oldest first, without results."""
        return json_reply({"jobs": [_status(jobs, job) for job in await jobs.list(context_of(request).credential)]})

    @routes.get("/{id}")
    async def get(request: Request, id: str) -> Response:
        """Return a job's state and progress, and its result once it has ended.

        With `Accept` as for a check, the result alone in that form, once it is there.
        """
        job, result = await jobs.get(context_of(request).credential, id)
        accepted = request.headers.get("accept", "")
        if result is not None and accepted not in ("", "*/*", "application/json"):
            media_type, content = await plane.compute.run(_render, result, accepted)
            if media_type != "application/json":
                return Response(content, media_type=media_type)
        return json_reply(_status(jobs, job) | {"result": None if result is None else orjson.Fragment(result)})

    @routes.delete("/{id}")
    async def delete(request: Request, id: str) -> Response:
        """Cancel a job, which keeps what it has found; or remove one that has ended."""
        job = await jobs.delete(context_of(request).credential, id)
        return json_reply(_status(jobs, job))

    return routes


def _render(result: bytes, accepted: str) -> tuple[str, bytes]:
    return render(orjson.loads(result), accepted)


def _status(jobs: Jobs, job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "model": job.request["model"],
        "progress": {
            "done": job.done,
            "planned": job.planned,
            "pictures_done": job.pictures_done,
            "pictures": job.pictures,
        },
        "request": {key: value for key, value in job.request.items() if value is not None},
        "created": _time(job.created),
        "started": _time(job.started),
        "ended": _time(job.ended),
        "expires": _time(jobs.expires(job)),
        "error": job.error,
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
