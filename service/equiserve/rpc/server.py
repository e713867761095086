"""The gRPC server: which services it has, and the limits of its transport."""

from __future__ import annotations

import grpc
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from equiserve.dataplane import DataPlane
from equiserve.rpc import candidates, classifier, equivariance, health, jobs, protocol, regressor
from equiserve.rpc.inference import InferenceService

# What a message carries beside the tensors that `max_body_bytes` is meant for.
_MESSAGE_SLACK = 64 << 10
# Calls beyond admission's own limit that still get its answer, and health checks, instead of the transport's refusal.
_CALL_SLACK = 64


def build_server(plane: DataPlane) -> grpc.aio.Server:
    """Return a server of all services over a data plane; neither started nor bound to a port.

    Needs the event loop that it will run on. It and every other asyncio object of gRPC must share one loop a process.
    """
    settings = plane.settings
    server = grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", settings.max_body_bytes + _MESSAGE_SLACK),
            # What a model gives is as large as it is; only what comes in is bounded.
            ("grpc.max_send_message_length", -1),
            # A second process on the same port must fail, not take half of the calls.
            ("grpc.so_reuseport", 0),
            # Peers that vanished without a word are found out within two minutes.
            ("grpc.keepalive_time_ms", 90_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            # Clients behind proxies ping to keep a quiet connection; the default hangs up on them.
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ),
        maximum_concurrent_rpcs=settings.max_inflight_requests + _CALL_SLACK,
    )
    services = (
        protocol.SERVICE,
        classifier.SERVICE,
        equivariance.SERVICE,
        candidates.SERVICE,
        regressor.SERVICE,
        jobs.SERVICE,
    )
    server.add_generic_rpc_handlers(
        (
            InferenceService(plane).handler(),
            classifier.classifier_handler(plane),
            equivariance.equivariance_handler(plane),
            candidates.candidates_handler(plane),
            regressor.regressor_handler(plane),
            jobs.jobs_handler(plane),
            health.health_handler(plane, services),
        )
    )
    reflection.enable_server_reflection(
        (*services, health.SERVICE, reflection.SERVICE_NAME), server, pool=_reflection_pool()
    )
    return server


def _reflection_pool() -> DescriptorPool:
    """Return a pool with every service: the v2 protocol is missing in the default pool, or is somebody else's there."""
    pool = DescriptorPool()
    seen: set[str] = set()
    ours = (protocol.FILE, classifier.FILE, equivariance.FILE, candidates.FILE, regressor.FILE, jobs.FILE)
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
