"""The load client as a process of its own, so that its start-up never falls into a window (see `bench.load`)."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Self

from bench.load import Window


class LoadProcess:
    """A load client that waits for orders.

    Args:
        http: Host and port of the REST edge; empty where there is none.
        grpc: Host and port of the gRPC edge.
        pid: The server's process.
    """

    def __init__(self, http: str, grpc: str, pid: int) -> None:
        command = [sys.executable, "-m", "bench.load", "--http", http, "--grpc", grpc, "--pid", str(pid)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def window(self, kind: str, model: str, concurrency: int, seconds: float) -> Window:
        """Measure one window; raises RuntimeError where an answer was not good."""
        order = {"kind": kind, "model": model, "concurrency": concurrency, "seconds": seconds}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the load client ended while it measured {order}")
        fields = json.loads(answer)
        fields["executions"] = {int(size): count for size, count in fields["executions"].items()}
        window = Window(**fields)
        if window.failures:
            raise RuntimeError(f"{window.failures} requests failed under {order}")
        return window

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(30)
