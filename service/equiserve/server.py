"""The process: settings -> engine -> repository -> data plane -> both edges, on one event loop.

Shut-down: unready at once, keep serving while load balancers notice, then stop accepting, finish what is under way,
stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn

from equiserve.dataplane import DataPlane
from equiserve.engine import Admission, CalibrationCache, ComputePool, Scheduler
from equiserve.engine.threads import cpu_budget, one_thread_a_product
from equiserve.errors import Unavailable
from equiserve.observe.logs import configure_logs
from equiserve.observe.loop_lag import LoopLag
from equiserve.observe.metrics import metrics_renderer
from equiserve.repository import Repository
from equiserve.rest.app import build_app
from equiserve.rest.protocol import DirectHttp
from equiserve.rpc.server import build_server
from equiserve.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = logging.getLogger("equiserve.server")

# Longer than proxies keep an idle connection (commonly 60 s): whoever closes first must be the one that sends.
KEEP_ALIVE_S = 75

_TRACE_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class _Edge(uvicorn.Server):
    """uvicorn without its own signal handlers: the drain decides when it stops."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Leave the signals to `serve`."""
        yield


def build_plane(settings: Settings) -> tuple[DataPlane, Scheduler]:
    """Return the data plane of these settings, with nothing loaded yet. Needs a running event loop."""
    one_thread_a_product()
    threads = cpu_budget(settings.threads)
    scheduler = Scheduler(threads)
    repository = Repository(
        settings.models,
        scheduler,
        CalibrationCache(settings.cache),
        device=settings.device,
        max_queued_rows=settings.max_queued_rows,
    )
    admission = Admission(
        token=settings.token,
        admin_token=settings.admin_token,
        admin=settings.admin,
        max_body_bytes=settings.max_body_bytes,
        max_inflight_bytes=settings.max_inflight_bytes,
        max_inflight_requests=settings.max_inflight_requests,
        max_deadline_s=settings.max_deadline_s,
    )
    compute = ComputePool(threads)
    provider = _tracer_provider()
    if provider is None:
        return DataPlane(repository, admission, compute, settings), scheduler
    from equiserve.observe.tracing import TracedDataPlane

    return TracedDataPlane(repository, admission, compute, settings, scheduler, provider), scheduler


async def serve(settings: Settings, announce: Callable[[str, int, int | None], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    Args:
        settings: The configuration.
        announce: Called with host, HTTP port and gRPC port (None: no gRPC) once requests are taken.
    """
    configure_logs(settings.log_level, settings.log_format)
    # Handlers first: a signal during loading must end the process in order, too.
    stop = _stop_event()
    began = time.perf_counter()
    plane, scheduler = build_plane(settings)
    loop_lag = LoopLag()
    render = metrics_renderer(
        plane.repository.models, scheduler, plane.admission, plane.checker.statistics, loop_lag, plane.generations
    )

    listener = _listen(settings.host, settings.http_port)
    config = uvicorn.Config(
        build_app(plane, render),
        http=DirectHttp,
        loop="uvloop",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=max(1, round(settings.grace_s)),
        timeout_keep_alive=KEEP_ALIVE_S,
        backlog=2048,
    )
    rest = _Edge(config)
    rest_task = asyncio.create_task(rest.serve(sockets=[listener]))
    rpc, rpc_port = None, None
    if settings.grpc_port >= 0:
        rpc = build_server(plane)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        try:
            rpc_port = rpc.add_insecure_port(f"{host}:{settings.grpc_port}")
        except OSError as error:
            raise OSError(
                f"cannot listen on {host}:{settings.grpc_port} for gRPC ({error.strerror}): choose another --grpc-port"
            ) from None
        await rpc.start()

    loading = asyncio.create_task(plane.repository.load_all(settings.load))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({loading, stopping, rest_task}, return_when=asyncio.FIRST_COMPLETED)
        if loading.done():
            loading.result()
            await plane.jobs.start()
            # What was imported and loaded stays: a full collection that went through it would hold up every request.
            gc.freeze()
            http_port = int(listener.getsockname()[1])
            log.log(
                logging.INFO if plane.ready() else logging.ERROR,
                "ready" if plane.ready() else "not ready: what was to be served did not load",
                extra={
                    "host": settings.host,
                    "http_port": http_port,
                    "grpc_port": rpc_port,
                    "models": [f"{model.name}/{model.version}" for model in plane.repository.models()],
                    "threads": scheduler.threads,
                    "seconds": round(time.perf_counter() - began, 3),
                },
            )
            if announce is not None and plane.ready():
                announce(settings.host, http_port, rpc_port)
            await asyncio.wait({stopping, rest_task}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loading.cancel()
        stopping.cancel()
        plane.admission.draining = True
        if settings.drain_s and stop.is_set():
            log.info("draining; a second signal shortens it", extra={"seconds": settings.drain_s})
            stop.clear()
            with contextlib.suppress(TimeoutError):
                # A second signal shortens the drain.
                await asyncio.wait_for(stop.wait(), settings.drain_s)
        rest.should_exit = True
        if rpc is not None:
            await rpc.stop(settings.grace_s)
        await rest_task
        loop_lag.stop()
        await plane.close()
        plane.repository.close()
        plane.compute.stop()
        scheduler.stop(timeout_s=settings.grace_s)
        listener.close()
        log.info("stopped")


def _tracer_provider() -> TracerProvider | None:
    """Return where spans go; None unless an `OTEL_EXPORTER_OTLP_*ENDPOINT` asks for traces and the extra is there."""
    if not any(os.environ.get(name) for name in _TRACE_ENDPOINTS):
        return None
    try:
        from equiserve.observe.tracing import provider_from_environment
    except ModuleNotFoundError as error:
        log.warning("no traces: the extra `otel` is not installed", extra={"missing": error.name})
        return None
    return provider_from_environment()


def run(settings: Settings, announce: Callable[[str, int, int | None], None] | None = None) -> None:
    """Run `serve` on the fastest event loop that is installed."""
    try:
        from uvloop import new_event_loop
    except ImportError:  # Windows
        from asyncio import new_event_loop  # type: ignore[assignment]
    # 5 ms by default: a worker that comes back from native code would wait that long for the loop's thread.
    sys.setswitchinterval(0.001)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(settings, announce))


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise Unavailable(f"cannot listen on {host}:{port}: {error.strerror}", code="port_taken") from None
    return listener
