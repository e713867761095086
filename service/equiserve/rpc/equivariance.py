"""`equiserve.v1.Equivariance`: orbit checks, and which groups and metrics there are."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing

import grpc
import numpy as np
from google.protobuf.json_format import ParseDict

from equiserve.checks import AnyCheckEvent, AnyCheckRequest, CheckReport, CheckRequest, Completed
from equiserve.checks.request import DEFAULT_BUDGET, ReferenceKind
from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.errors import InvalidRequest
from equiserve.rpc.calls import parse, unary
from equiserve.rpc.check_fields import elements_of, gate_of, group_of
from equiserve.rpc.check_response import check_response, element_message, judged, progress, started
from equiserve.rpc.generated import equivariance_pb2
from equiserve.rpc.pictures import picture_of
from equiserve.rpc.server_stream import server_stream
from equiserve.rpc.tensor_check import tensor_check_request

SERVICE = "equiserve.v1.Equivariance"
FILE = equivariance_pb2.DESCRIPTOR

_PREVIEW = 16

_REFERENCES: dict[int, ReferenceKind] = {
    equivariance_pb2.REFERENCE_UNSPECIFIED: "consensus",
    equivariance_pb2.REFERENCE_CONSENSUS: "consensus",
    equivariance_pb2.REFERENCE_IDENTITY: "identity",
    equivariance_pb2.REFERENCE_LABEL: "label",
}


def equivariance_handler(plane: DataPlane) -> grpc.GenericRpcHandler:
    """Return what a server needs to serve the checks and the catalogues."""

    async def check(raw: bytes, context: RequestContext) -> bytes:
        message = parse(equivariance_pb2.CheckRequest, raw)
        report = await plane.check(_asked(message), context)
        return await plane.compute.run(_serialised, report, message.include_svg)

    async def check_stream(raw: bytes, context: RequestContext) -> AsyncGenerator[bytes, None]:
        message = parse(equivariance_pb2.CheckStreamRequest, raw).check
        async with aclosing(plane.check_events(_asked(message), context)) as events:
            async for event in events:
                response = _event(event)
                if message.include_svg and isinstance(event, Completed):
                    response.completed.svg = await plane.compute.run(event.report.to_svg)
                yield response.SerializeToString()

    async def estimate_check(raw: bytes, context: RequestContext) -> bytes:
        message = parse(equivariance_pb2.EstimateCheckRequest, raw).check
        content = await plane.estimate_check(_asked(message))
        response = equivariance_pb2.EstimateCheckResponse(plan=started(content))
        if "comparison" in content:
            response.comparison.CopyFrom(started(content["comparison"]))
        answer: bytes = response.SerializeToString()
        return answer

    async def preview_check(raw: bytes, context: RequestContext) -> bytes:
        message = parse(equivariance_pb2.PreviewCheckRequest, raw)
        preview = await plane.preview_check(check_request(message.check), message.count or _PREVIEW)
        content = await plane.compute.run(preview.to_json)
        response = equivariance_pb2.PreviewCheckResponse(
            group=content["group"], planned=content["planned"], prepared=content["prepared"]
        )
        for shown in content["pictures"]:
            png, element = base64.b64decode(shown.pop("png")), element_message(shown.pop("element"))
            response.pictures.add(**shown, element=element, png=png)
        answer: bytes = response.SerializeToString()
        return answer

    async def list_groups(raw: bytes, context: RequestContext) -> bytes:
        catalogue = {"groups": plane.group_catalogue()}
        answer: bytes = ParseDict(catalogue, equivariance_pb2.ListGroupsResponse()).SerializeToString()
        return answer

    async def list_metrics(raw: bytes, context: RequestContext) -> bytes:
        catalogue = {"metrics": plane.metric_catalogue()}
        answer: bytes = ParseDict(catalogue, equivariance_pb2.ListMetricsResponse()).SerializeToString()
        return answer

    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Check": unary(plane, f"{SERVICE}/Check", "check", check),
            "CheckStream": server_stream(plane, f"{SERVICE}/CheckStream", "check", check_stream),
            "EstimateCheck": unary(plane, f"{SERVICE}/EstimateCheck", "check", estimate_check),
            "PreviewCheck": unary(plane, f"{SERVICE}/PreviewCheck", "check", preview_check),
            "ListGroups": unary(plane, f"{SERVICE}/ListGroups", "metadata", list_groups),
            "ListMetrics": unary(plane, f"{SERVICE}/ListMetrics", "metadata", list_metrics),
        },
    )


def check_request(message: equivariance_pb2.CheckRequest, *, picture: bytes | np.ndarray | None = None) -> CheckRequest:
    """Turn the message into the check's request; raises InvalidRequest for a field that cannot be read.

    Args:
        message: The request.
        picture: The picture to check; None = the message's.
    """
    if message.inputs:
        raise InvalidRequest("inputs: got tensors, expected a picture", field="inputs")
    if message.reference not in _REFERENCES:
        raise InvalidRequest(
            f"reference: got {message.reference}, expected a value of equiserve.v1.Reference", field="reference"
        )
    request = CheckRequest(
        model=message.model,
        version=message.version,
        runtime=message.runtime or None,
        picture=picture_of(message.picture, "picture") if picture is None else picture,
        group=group_of(message),
        elements=elements_of(message),
        reference=_REFERENCES[message.reference],
        metrics=list(message.metrics) or None,
        outputs=message.include_outputs,
        compare_with=message.compare_with or None,
        search=message.search,
        search_budget=message.search_budget or DEFAULT_BUDGET,
        gate=gate_of(message),
    )
    label = message.WhichOneof("label")
    if label is not None:
        request.label = getattr(message, label)
    return request


def _asked(message: equivariance_pb2.CheckRequest) -> AnyCheckRequest:
    return tensor_check_request(message) if message.inputs else check_request(message)


def _event(event: AnyCheckEvent) -> equivariance_pb2.CheckStreamResponse:
    content = event.to_json()
    if event.name == "started":
        return equivariance_pb2.CheckStreamResponse(started=started(content))
    if event.name == "progress":
        return equivariance_pb2.CheckStreamResponse(progress=progress(content))
    if event.name == "verdict":
        return equivariance_pb2.CheckStreamResponse(verdict=judged(content))
    return equivariance_pb2.CheckStreamResponse(completed=check_response(content))


def _serialised(report: CheckReport, include_svg: bool) -> bytes:
    response = check_response(report.to_json())
    if include_svg:
        response.svg = report.to_svg()
    answer: bytes = response.SerializeToString()
    return answer
