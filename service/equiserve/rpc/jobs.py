"""`equiserve.v1.Jobs`: checks of long orbits and of data sets, that outlive their call."""

from __future__ import annotations

import grpc

from equiserve.checks.job_store import Job
from equiserve.checks.jobs import JobRequest
from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.errors import InvalidRequest
from equiserve.pictures.arrays import unpack_arrays
from equiserve.rpc.calls import parse, unary
from equiserve.rpc.equivariance import check_request
from equiserve.rpc.generated import jobs_pb2
from equiserve.rpc.pictures import picture_of
from equiserve.rpc.tensor_check import tensor_check_request

SERVICE = "equiserve.v1.Jobs"
FILE = jobs_pb2.DESCRIPTOR


def jobs_handler(plane: DataPlane) -> grpc.GenericRpcHandler:
    """Return what a server needs to serve the jobs."""

    async def submit(raw: bytes, context: RequestContext) -> bytes:
        message = parse(jobs_pb2.SubmitJobRequest, raw)
        job = await plane.jobs.submit(context.credential, await asked(message))
        return _serialised(jobs_pb2.SubmitJobResponse(job=message_of(job)))

    async def asked(message: jobs_pb2.SubmitJobRequest) -> JobRequest:
        submitted = [picture_of(picture, f"pictures[{index}]") for index, picture in enumerate(message.pictures)]
        if message.check.inputs:
            if submitted or message.labels:
                field = "pictures" if submitted else "labels"
                raise InvalidRequest(f"{field}: got check.inputs as well, expected one of them", field=field)
            return JobRequest(tensor_check_request(message.check))
        if not submitted:
            raise InvalidRequest("pictures: got none, expected at least one", code="no_picture", field="pictures")
        pictures, labels = await plane.compute.run(unpack_arrays, submitted, plane.admission.max_body_bytes)
        check = check_request(message.check, picture=pictures[0])
        return JobRequest(check, pictures, list(message.labels) or labels)

    async def get(raw: bytes, context: RequestContext) -> bytes:
        job, result = await plane.jobs.get(context.credential, parse(jobs_pb2.GetJobRequest, raw).id)
        return _serialised(jobs_pb2.GetJobResponse(job=message_of(job), result_json=result))

    async def list_jobs(raw: bytes, context: RequestContext) -> bytes:
        own = await plane.jobs.list(context.credential)
        return _serialised(jobs_pb2.ListJobsResponse(jobs=[message_of(job) for job in own]))

    async def delete(raw: bytes, context: RequestContext) -> bytes:
        job = await plane.jobs.delete(context.credential, parse(jobs_pb2.DeleteJobRequest, raw).id)
        return _serialised(jobs_pb2.DeleteJobResponse(job=message_of(job)))

    def message_of(job: Job) -> jobs_pb2.Job:
        message = jobs_pb2.Job(
            id=job.id,
            kind=job.kind,
            model=job.request["model"],
            state=f"JOB_STATE_{job.state.upper()}",
            progress={
                "done": job.done,
                "planned": job.planned,
                "pictures_done": job.pictures_done,
                "pictures": job.pictures,
            },
            error=job.error,
        )
        for name, seconds in (
            ("created", job.created),
            ("started", job.started),
            ("ended", job.ended),
            ("expires", plane.jobs.expires(job)),
        ):
            if seconds is not None:
                getattr(message, name).FromNanoseconds(round(seconds * 1e9))
        return message

    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "SubmitJob": unary(plane, f"{SERVICE}/SubmitJob", "check", submit),
            "GetJob": unary(plane, f"{SERVICE}/GetJob", "check", get),
            "ListJobs": unary(plane, f"{SERVICE}/ListJobs", "check", list_jobs),
            "DeleteJob": unary(plane, f"{SERVICE}/DeleteJob", "check", delete),
        },
    )


def _serialised(message: object) -> bytes:
    answer: bytes = message.SerializeToString()  # type: ignore[attr-defined]
    return answer
