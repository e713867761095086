"""What gRPC's own server would cost a call: a bare grpc.aio one that answers a constant, under the same load.

python -m bench.grpc_floor    # serves, prints its port, ends with its standard input
"""

from __future__ import annotations

import asyncio
import subprocess
import sys

import grpc
import numpy as np
import uvloop
from bench.load import Window
from bench.load_process import LoadProcess
from bench.report import Figure, median_interval
from tritonclient.grpc import service_pb2  # type: ignore[import-untyped]


async def serve_constant() -> None:
    """Answer every ModelInfer with the same ten numbers, until the standard input ends."""
    response = service_pb2.ModelInferResponse(
        model_name="tiny", model_version="1", raw_output_contents=[np.zeros(10, np.float32).tobytes()]
    )
    response.outputs.add(name="y", datatype="FP32", shape=(1, 10))
    answer = response.SerializeToString()

    async def constant(raw: bytes, rpc: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return answer

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handlers = {"ModelInfer": grpc.unary_unary_rpc_method_handler(constant)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("inference.GRPCInferenceService", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(0)


def measure_grpc_floor(rounds: int, seconds: float) -> Figure:
    """Return the CPU of such a server a call, at 32 in flight."""
    command = [sys.executable, "-m", "bench.grpc_floor"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        address = f"127.0.0.1:{int(server.stdout.readline())}"
        with LoadProcess("", address, server.pid) as load:
            windows: list[Window] = [load.window("grpc", "tiny", 32, seconds) for _ in range(rounds + 1)]
        server.stdin.close()
        # The first one is warm-up.
        spent = median_interval([window.server_cpu_ms for window in windows[1:]])
    return Figure("CPU of a bare grpc.aio call that computes nothing, 32 in flight", spent, "ms")


if __name__ == "__main__":
    uvloop.run(serve_constant())
