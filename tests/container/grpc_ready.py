"""Run inside the container: the gRPC edge answers the standard health service."""

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

with grpc.insecure_channel("127.0.0.1:8001") as channel:
    reply = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
assert reply.status == health_pb2.HealthCheckResponse.SERVING, f"gRPC health says {reply}, expected SERVING"
print("grpc: serving")
