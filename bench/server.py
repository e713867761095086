"""A real `equiserve serve` process on free loopback ports, for the benchmark and the end-to-end tests."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HOST = "127.0.0.1"


class ServerProcess:
    """A running server; use as a context manager, which stops it with SIGTERM.

    Args:
        models: The model repository.
        log: File that takes its output.
        cache: Calibration cache; one folder for two starts makes the second one warm.
        environment: More settings, as `EQUISERVE_*` variables.

    Raises:
        RuntimeError: It ended, or was not ready in 60 s; the message holds the end of its log.
    """

    def __init__(self, models: Path, *, log: Path, cache: Path, environment: Mapping[str, str] | None = None) -> None:
        self.models = models
        self.log = log
        self.http_port, self.grpc_port = free_port(), free_port()
        command = [str(Path(sys.executable).with_name("equiserve")), "serve", "--models", str(models)]
        command += ["--http-port", str(self.http_port), "--grpc-port", str(self.grpc_port)]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("EQUISERVE_")}
        variables = inherited | {"EQUISERVE_CACHE": str(cache)} | dict(environment or {})
        began = time.perf_counter()
        with log.open("wb") as stream:
            self._process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=variables)
        self.pid = self._process.pid
        try:
            self._wait_until(self.is_ready, "ready", seconds=60)
        except BaseException:
            self.kill()
            raise
        #: Seconds from the start of the process to the first 200 of `/v2/health/ready`.
        self.seconds_to_ready = time.perf_counter() - began

    @property
    def http(self) -> str:
        """Host and port of the REST edge."""
        return f"{HOST}:{self.http_port}"

    @property
    def grpc(self) -> str:
        """Host and port of the gRPC edge."""
        return f"{HOST}:{self.grpc_port}"

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process.poll() is None

    def get(self, path: str) -> Any:
        """Return the JSON that a GET answers; raises urllib's HTTPError for a status of 400 and above."""
        with urllib.request.urlopen(f"http://{self.http}{path}", timeout=30) as answer:
            return json.load(answer)

    def is_ready(self) -> bool:
        """Return whether the server says that requests should be sent to it."""
        try:
            self.get("/v2/health/ready")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True

    def wait_until_calibrated(self, seconds: float = 120) -> None:
        """Wait until no loaded model's measurement is outstanding: threads and padding change with it."""
        self._wait_until(self._calibrated, "calibrated", seconds=seconds)

    def properties(self, model: str) -> dict[str, str]:
        """Return what the server measured of a model: `threads`, `padded_to`, `batch_invariance`, ..."""
        properties: dict[str, str] = self.get(f"/v2/models/{model}")["properties"]
        return properties

    def loaded(self) -> list[str]:
        """Return the names of the loaded models."""
        return sorted({entry["name"] for entry in self.get("/v2/models/stats")["model_stats"]})

    def tail(self, characters: int = 2000) -> str:
        """Return the end of its log."""
        return self.log.read_text("utf-8", "replace")[-characters:]

    def terminate(self) -> None:
        """Ask it to drain and end (SIGTERM)."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 60) -> int:
        """Return its exit code; a server that does not end in time is killed and TimeoutExpired raised."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def stop(self) -> int:
        """Terminate it if it runs and return its exit code."""
        if self.running:
            self.terminate()
        return self.wait()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _calibrated(self) -> bool:
        return not any("not measured" in self.properties(model)["batch_invariance"] for model in self.loaded())

    def _wait_until(self, condition: Callable[[], bool], what: str, *, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not condition():
            if not self.running:
                raise RuntimeError(f"the server ended with code {self._process.returncode}:\n{self.tail()}")
            if time.monotonic() > until:
                raise RuntimeError(f"the server was not {what} after {seconds:.0f} s:\n{self.tail()}")
            time.sleep(0.02)


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
