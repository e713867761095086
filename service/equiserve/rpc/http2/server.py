"""A gRPC server over our own HTTP/2: handlers in the form of `grpc.GenericRpcHandler`, one event loop, no threads."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

import grpc

from equiserve.rpc.http2.connection import Connection
from equiserve.rpc.http2.limits import Limits


class _Details(NamedTuple):
    """What a generic handler is asked with."""

    method: str
    invocation_metadata: tuple[()] = ()


class Http2Server:
    """A server of gRPC calls.

    Args:
        limits: What their calls may take.
        offload: Runs a function off the loop: compressed messages are inflated there.
    """

    def __init__(
        self,
        limits: Limits,
        offload: Callable[..., Awaitable[Any]],
    ) -> None:
        self.limits = limits
        self.offload = offload
        self.connections: set[Connection] = set()
        self.calls = 0
        self.held_bytes = 0
        self._handlers: list[grpc.GenericRpcHandler] = []
        self._listeners: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._idle: asyncio.Event | None = None

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Serve these as well."""
        self._handlers += handlers

    def add_registered_method_handlers(self, service: str, handlers: object) -> None:
        """Pass over what generated code adds a second time, for gRPC's own server."""

    def lookup(self, path: str) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Return what serves a path, or None."""
        for handler in self._handlers:
            found = handler.service(_Details(path))  # type: ignore[arg-type]
            if found is not None:
                return found
        return None

    def add_insecure_port(self, address: str) -> int:
        """Bind an address (`host:port`, `[host]:port` for IPv6; port 0: a free one) and return its port.

        Raises:
            OSError: It cannot be bound.
        """
        host, _, port = address.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        # Not to share a port with a second process: that one must fail, not take half of the calls.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, int(port)))
        except OSError:
            listener.close()
            raise
        self._listeners.append(listener)
        return int(listener.getsockname()[1])

    async def start(self) -> None:
        """Take connections on every port that was added."""
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            self._servers.append(await loop.create_server(lambda: Connection(self), sock=listener, backlog=2048))

    def connection_ended(self, connection: Connection) -> None:
        """Take note that a connection is gone."""
        self.connections.discard(connection)
        if self._idle is not None and not self.connections:
            self._idle.set()

    async def stop(self, grace_s: float | None) -> None:
        """Take no more connections and calls; let what is under way end for so long, then end it."""
        for server in self._servers:
            server.close()
        self._idle = asyncio.Event()
        if self.connections and grace_s:
            for connection in tuple(self.connections):
                connection.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), grace_s)
        for connection in tuple(self.connections):
            connection.stop()
        if self.connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), 1)
