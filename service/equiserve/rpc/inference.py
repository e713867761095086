"""`inference.GRPCInferenceService`: the v2 protocol and its extensions."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.json_format import ParseDict

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext, RouteGroup
from equiserve.errors import NotFound, Unsupported
from equiserve.rpc import protocol
from equiserve.rpc.calls import Method, parse, unary
from equiserve.rpc.decoding import classes_wanted, decode_request, parameter_value
from equiserve.rpc.encoding import encode_response, encode_typed_response, with_classes
from equiserve.rpc.stream import infer_stream

# Typed contents beyond this take more than a millisecond to convert: not on the event loop.
_OFF_LOOP_BYTES = 64 << 10


class InferenceService:
    """The methods, each from the bytes of its request to the bytes of its answer."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane

    def handler(self) -> grpc.GenericRpcHandler:
        """Return what a server needs to serve the methods."""
        groups: dict[str, tuple[RouteGroup, Method]] = {
            "ServerLive": ("open", self.server_live),
            "ServerReady": ("open", self.server_ready),
            "ServerMetadata": ("metadata", self.server_metadata),
            "ModelReady": ("metadata", self.model_ready),
            "ModelMetadata": ("metadata", self.model_metadata),
            "ModelConfig": ("metadata", self.model_config),
            "ModelStatistics": ("metadata", self.model_statistics),
            "ModelInfer": ("inference", self.model_infer),
            "RepositoryIndex": ("metadata", self.repository_index),
            "RepositoryModelLoad": ("admin", self.repository_model_load),
            "RepositoryModelUnload": ("admin", self.repository_model_unload),
        }
        handlers = {
            name: unary(self._plane, f"{protocol.SERVICE}/{name}", group, method, direct=name == "ModelInfer")
            for name, (group, method) in groups.items()
        }
        handlers["ModelStreamInfer"] = infer_stream(self._plane, self.infer)
        return grpc.method_handlers_generic_handler(protocol.SERVICE, handlers)

    async def model_infer(self, raw: bytes, context: RequestContext) -> bytes:
        """Run one inference request."""
        return await self.infer(parse(protocol.ModelInferRequest, raw), len(raw), context)

    async def infer(self, message: Any, size: int, context: RequestContext) -> bytes:
        """Run a parsed ModelInferRequest of `size` bytes; the answer is raw or typed as the request was."""
        plane = self._plane
        raw = bool(message.raw_input_contents)
        encode = encode_response if raw else encode_typed_response
        off_loop = size > _OFF_LOOP_BYTES and not raw
        request = await plane.compute.run(decode_request, message) if off_loop else decode_request(message)
        classes = classes_wanted(message) if request.outputs else None
        response = await plane.infer(request, context)
        if classes:
            response = with_classes(response, classes)
        return await plane.compute.run(encode, response) if off_loop else encode(response)

    async def server_live(self, raw: bytes, context: RequestContext) -> bytes:
        """Answer that the process runs."""
        return _serialised(protocol.ServerLiveResponse, {"live": True})

    async def server_ready(self, raw: bytes, context: RequestContext) -> bytes:
        """Answer whether requests should be sent here."""
        return _serialised(protocol.ServerReadyResponse, {"ready": self._plane.ready()})

    async def server_metadata(self, raw: bytes, context: RequestContext) -> bytes:
        """Answer name, version and extensions."""
        return _serialised(protocol.ServerMetadataResponse, self._plane.server_metadata())

    async def model_ready(self, raw: bytes, context: RequestContext) -> bytes:
        """Answer whether a model takes requests."""
        request = parse(protocol.ModelReadyRequest, raw)
        try:
            ready = await self._plane.model_ready(request.name, request.version)
        except NotFound:
            # The Open Inference Protocol's clients ask this of models that are yet to be loaded.
            ready = False
        return _serialised(protocol.ModelReadyResponse, {"ready": ready})

    async def model_metadata(self, raw: bytes, context: RequestContext) -> bytes:
        """Answer a model's inputs and outputs."""
        request = parse(protocol.ModelMetadataRequest, raw)
        metadata = await self._plane.model_metadata(request.name, request.version)
        return _serialised(protocol.ModelMetadataResponse, metadata)

    async def model_config(self, raw: bytes, context: RequestContext) -> bytes:
        """Answer a model's configuration."""
        request = parse(protocol.ModelConfigRequest, raw)
        config = await self._plane.model_config(request.name, request.version)
        return _serialised(protocol.ModelConfigResponse, {"config": config})

    async def model_statistics(self, raw: bytes, context: RequestContext) -> bytes:
        """Answer what one model, or all, did so far."""
        request = parse(protocol.ModelStatisticsRequest, raw)
        statistics = self._plane.model_statistics(request.name, request.version)
        return _serialised(protocol.ModelStatisticsResponse, statistics)

    async def repository_index(self, raw: bytes, context: RequestContext) -> bytes:
        """Answer which models there are, loaded or not."""
        request = parse(protocol.RepositoryIndexRequest, raw)
        _only_repository(request)
        models = self._plane.repository_index(ready_only=request.ready)
        return _serialised(protocol.RepositoryIndexResponse, {"models": models})

    async def repository_model_load(self, raw: bytes, context: RequestContext) -> bytes:
        """Load a model, or load it anew."""
        request = parse(protocol.RepositoryModelLoadRequest, raw)
        _only_repository(request)
        parameters = {key: parameter_value(key, value) for key, value in request.parameters.items()}
        await self._plane.load_model(request.model_name, parameters)
        return b""

    async def repository_model_unload(self, raw: bytes, context: RequestContext) -> bytes:
        """Stop serving a model. No model depends on another here, so `unload_dependents` changes nothing."""
        request = parse(protocol.RepositoryModelUnloadRequest, raw)
        _only_repository(request)
        await self._plane.unload_model(request.model_name)
        return b""


def _only_repository(request: Any) -> None:
    if request.repository_name:
        raise Unsupported(
            f"repository_name: got {request.repository_name!r}, expected nothing: there is one repository",
            code="unsupported_parameter",
            field="repository_name",
        )


def _serialised(message: Any, content: dict[str, Any]) -> bytes:
    # The REST forms say more than these messages can.
    serialised: bytes = ParseDict(content, message(), ignore_unknown_fields=True).SerializeToString()
    return serialised
