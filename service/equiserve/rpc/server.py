"""The gRPC server: which services it has, and the limits of its transport."""

from __future__ import annotations

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from equiserve.dataplane import DataPlane
from equiserve.rpc import (
    body_fitter,
    candidates,
    classifier,
    equivariance,
    generator,
    health,
    jobs,
    protocol,
    regressor,
)
from equiserve.rpc.http2.limits import Limits
from equiserve.rpc.http2.server import Http2Server
from equiserve.rpc.inference import InferenceService

# What a message carries beside the tensors that `max_body_bytes` is meant for.
_MESSAGE_SLACK = 64 << 10
# Calls beyond admission's own limit that still get its answer, and health checks, instead of the transport's refusal.
_CALL_SLACK = 64


def build_server(plane: DataPlane) -> Http2Server:
    """Return a server of all services over a data plane; neither started nor bound to a port."""
    settings = plane.settings
    limits = Limits(
        max_message_bytes=settings.max_body_bytes + _MESSAGE_SLACK,
        max_held_bytes=settings.max_inflight_bytes,
        max_calls=settings.max_inflight_requests + _CALL_SLACK,
    )
    server = Http2Server(limits, plane.compute.run)
    services = (
        protocol.SERVICE,
        classifier.SERVICE,
        body_fitter.SERVICE,
        generator.SERVICE,
        equivariance.SERVICE,
        candidates.SERVICE,
        regressor.SERVICE,
        jobs.SERVICE,
    )
    server.add_generic_rpc_handlers(
        (
            InferenceService(plane).handler(),
            classifier.classifier_handler(plane),
            body_fitter.body_fitter_handler(plane),
            generator.generator_handler(plane),
            equivariance.equivariance_handler(plane),
            candidates.candidates_handler(plane),
            regressor.regressor_handler(plane),
            jobs.jobs_handler(plane),
            health.health_handler(plane, services),
        )
    )
    names = (*services, health.SERVICE, reflection.SERVICE_NAME)
    servicer = reflection.aio.ReflectionServicer(names, pool=_reflection_pool())
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
    return server


def _reflection_pool() -> DescriptorPool:
    """Return a pool with every service: the v2 protocol is missing in the default pool, or is somebody else's there."""
    pool = DescriptorPool()
    seen: set[str] = set()
    ours = (
        protocol.FILE,
        classifier.FILE,
        body_fitter.FILE,
        generator.FILE,
        equivariance.FILE,
        candidates.FILE,
        regressor.FILE,
        jobs.FILE,
    )
    for file in (*ours, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
        _copy(file, pool, seen)
    return pool


def _copy(file: FileDescriptor, pool: DescriptorPool, seen: set[str]) -> None:
    if file.name in seen:
        return
    seen.add(file.name)
    for dependency in file.dependencies:
        _copy(dependency, pool, seen)
    pool.AddSerializedFile(file.serialized_pb)
