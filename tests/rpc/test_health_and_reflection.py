"""What generic gRPC tools ask every server."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from scripted_plane import ScriptedPlane, served

SERVICES = (
    "",
    "inference.GRPCInferenceService",
    "equiserve.v1.Classifier",
    "equiserve.v1.BodyFitter",
    "equiserve.v1.Equivariance",
    "equiserve.v1.Candidates",
    "equiserve.v1.Generator",
    "equiserve.v1.Regressor",
    "equiserve.v1.Jobs",
)
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_health_follows_readiness_for_the_server_and_each_service() -> None:
    plane = ScriptedPlane()
    async with served(plane) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for draining, expected in ((False, SERVING), (True, NOT_SERVING)):
            plane.admission.draining = draining
            for service in SERVICES:
                answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
                assert answer.status == expected


async def test_health_of_an_unknown_service_is_not_found(channel: grpc.aio.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
        await stub.Check(health_pb2.HealthCheckRequest(service="nobody"))


async def test_a_watcher_is_told_of_the_drain_and_then_let_go() -> None:
    plane = ScriptedPlane()
    async with served(plane) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
        plane.admission.draining = True
        assert (await asyncio.wait_for(watch.read(), 10)).status == NOT_SERVING
        assert await asyncio.wait_for(watch.read(), 10) is grpc.aio.EOF


async def reflect(channel: grpc.aio.Channel, **request: str) -> reflection_pb2.ServerReflectionResponse:
    call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
        iter([reflection_pb2.ServerReflectionRequest(**request)])
    )
    return await call.read()


async def test_reflection_lists_every_service(channel: grpc.aio.Channel) -> None:
    answer = await reflect(channel, list_services="")
    names = {service.name for service in answer.list_services_response.service}
    assert names == {*SERVICES[1:], "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}


@pytest.mark.parametrize("service", SERVICES[1:])
async def test_a_client_without_proto_files_can_build_every_message(channel: grpc.aio.Channel, service: str) -> None:
    answer = await reflect(channel, file_containing_symbol=service)
    files = [FileDescriptorProto.FromString(raw) for raw in answer.file_descriptor_response.file_descriptor_proto]
    pool = DescriptorPool()
    added: set[str] = set()
    while files:  # in the order of their imports
        ready = next(file for file in files if added.issuperset(file.dependency))
        pool.AddSerializedFile(ready.SerializeToString())
        added.add(ready.name)
        files.remove(ready)
    methods = pool.FindServiceByName(service).methods
    assert methods
    for method in methods:
        assert method.input_type.full_name.endswith("Request")
