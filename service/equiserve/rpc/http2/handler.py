"""What serves a method, in the form of gRPC's own handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    _Handler = grpc.RpcMethodHandler[bytes, bytes]
else:  # generic in its stubs only
    _Handler = grpc.RpcMethodHandler


class Handler(_Handler):
    """A method from bytes to bytes.

    Args:
        behaviour: Called with the request (of `stream_stream`: an async iterator) and the call; returns a coroutine, or
            for a streamed answer also an async generator.
        streams_in: Whether the request is a stream.
        streams_out: Whether the answer is one.
        direct: Whether its coroutine runs without a task (see `engine.driven`).
    """

    request_deserializer = None
    response_serializer = None
    unary_unary: Callable[[bytes, Any], Any] | None = None
    unary_stream: Callable[[bytes, Any], Any] | None = None
    stream_unary: Callable[[Any, Any], Any] | None = None
    stream_stream: Callable[[Any, Any], Any] | None = None

    def __init__(
        self,
        behaviour: Callable[[Any, Any], Any],
        *,
        streams_in: bool = False,
        streams_out: bool = False,
        direct: bool = False,
    ) -> None:
        self.request_streaming = streams_in
        self.response_streaming = streams_out
        self.direct = direct
        if streams_in:
            self.stream_stream = behaviour
        elif streams_out:
            self.unary_stream = behaviour
        else:
            self.unary_unary = behaviour
