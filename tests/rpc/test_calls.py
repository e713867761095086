"""Admission, statuses, deadlines and cancellation, the same for every call."""

from __future__ import annotations

import asyncio
import logging
import re
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
from pydantic import SecretStr
from raw_client import infer, refusal_of, tiny_request
from scripted_plane import Held, ScriptedPlane, served

from equiserve import errors
from equiserve.dataplane import InferRequest, InferResponse
from equiserve.engine import RequestContext
from equiserve.rpc import protocol
from equiserve.rpc.errors import STATUS
from equiserve.settings import Settings

# The table of the design: what each condition is in gRPC.
CONDITIONS = {
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.TooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Cancelled: grpc.StatusCode.CANCELLED,
    errors.InternalError: grpc.StatusCode.INTERNAL,
    errors.Unsupported: grpc.StatusCode.UNIMPLEMENTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
}


def failing(error: BaseException) -> ScriptedPlane:
    async def script(request: InferRequest, context: RequestContext) -> None:
        raise error

    return ScriptedPlane(script)


def test_every_condition_has_a_status() -> None:
    assert set(STATUS) == set(errors.EquiServeError.__subclasses__())


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.__name__)
async def test_a_condition_keeps_its_status_sentence_code_and_field(condition: type[errors.EquiServeError]) -> None:
    plane = failing(condition("what was wrong", code="a_code", field="inputs[0].naïve\n100%"))
    async with served(plane) as channel:
        refusal = await refusal_of(infer(channel, tiny_request(), metadata=(("x-request-id", "abc"),)))
    assert (refusal.status, refusal.message, refusal.code) == (CONDITIONS[condition], "what was wrong", "a_code")
    assert refusal.field == "inputs[0].na%C3%AFve%0A100%25"
    assert refusal.trailers["x-request-id"] == "abc"
    assert plane.admission.inflight_requests == 0


async def test_overload_says_when_to_come_back() -> None:
    async with served(failing(errors.Overloaded("queue full", retry_after_s=0.2501))) as channel:
        refusal = await refusal_of(infer(channel, tiny_request()))
    assert refusal.trailers["retry-after-ms"] == "251"


async def test_an_unexpected_error_shows_nothing_of_our_insides(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "equiserve.rpc"):
        async with served(failing(KeyError("secret path"))) as channel:
            refusal = await refusal_of(infer(channel, tiny_request()))
    assert (refusal.status, refusal.code) == (grpc.StatusCode.INTERNAL, "internal")
    assert "secret" not in refusal.message
    record = next(record for record in caplog.records if record.exc_info)
    assert record.__dict__["request_id"] == refusal.trailers["x-request-id"]
    assert "secret path" in str(record.exc_info)


async def test_a_message_longer_than_a_header_block_may_be_is_cut() -> None:
    async with served(failing(errors.InvalidRequest("long " * 10_000, field="f" * 10_000))) as channel:
        refusal = await refusal_of(infer(channel, tiny_request()))
    assert refusal.status is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.message.startswith("long long")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"model_name": "nobody"}, grpc.StatusCode.NOT_FOUND, "unknown_model"),
        ({"model_version": "9"}, grpc.StatusCode.NOT_FOUND, "unknown_version"),
        ({"model_version": "../1"}, grpc.StatusCode.NOT_FOUND, "unknown_version"),
    ],
)
async def test_an_unknown_model_or_version_is_not_found(
    channel: grpc.aio.Channel, change: dict[str, str], status: grpc.StatusCode, code: str
) -> None:
    message = tiny_request()
    for name, value in change.items():
        setattr(message, name, value)
    refusal = await refusal_of(infer(channel, message))
    assert (refusal.status, refusal.code) == (status, code)


@pytest.mark.parametrize(
    ("tensor", "code", "field"),
    [
        ({"name": "z"}, "missing_input", "inputs.x"),
        ({"datatype": "INT32"}, "wrong_datatype", "inputs.x.datatype"),
        ({"shape": [2, 2]}, "wrong_shape", "inputs.x.shape"),
        ({"shape": [4]}, "wrong_shape", "inputs.x.shape"),
    ],
)
async def test_an_input_that_does_not_fit_the_model_is_refused(
    channel: grpc.aio.Channel, tensor: dict[str, object], code: str, field: str
) -> None:
    message = protocol.ModelInferRequest(model_name="tiny")
    message.inputs.add(**{"name": "x", "datatype": "FP32", "shape": [1, 4], **tensor})
    message.raw_input_contents.append(bytes(16))
    refusal = await refusal_of(infer(channel, message))
    assert (refusal.status, refusal.code, refusal.field) == (grpc.StatusCode.INVALID_ARGUMENT, code, field)


async def test_every_refusal_carries_a_request_id(channel: grpc.aio.Channel) -> None:
    given = await refusal_of(infer(channel, b"no message", metadata=(("x-request-id", "mine"),)))
    assert given.trailers["x-request-id"] == "mine"
    made = await refusal_of(infer(channel, b"no message"))
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]+", made.trailers["x-request-id"])


async def test_the_callers_deadline_reaches_the_data_plane() -> None:
    left: list[float] = []

    async def script(request: InferRequest, context: RequestContext) -> None:
        left.append(context.deadline - asyncio.get_running_loop().time())
        raise errors.NotFound("enough seen")

    async with served(ScriptedPlane(script)) as channel:
        await refusal_of(infer(channel, tiny_request(), timeout=60))
        await refusal_of(infer(channel, tiny_request(), timeout=60, metadata=(("x-request-timeout-ms", "5000"),)))
        await refusal_of(infer(channel, tiny_request(), timeout=None))
    assert 5 < left[0] < 61  # gRPC rounds long timeouts up
    assert 0 < left[1] <= 5
    assert left[2] == float("inf")


async def test_a_deadline_in_the_past_is_refused_before_decoding(channel: grpc.aio.Channel) -> None:
    refusal = await refusal_of(infer(channel, b"no message", metadata=(("x-request-timeout-ms", "0"),)))
    assert (refusal.status, refusal.code) == (grpc.StatusCode.DEADLINE_EXCEEDED, "deadline_exceeded")


async def test_a_client_that_leaves_cancels_the_request_and_gives_back_its_bytes() -> None:
    held = Held()
    plane = ScriptedPlane(held)
    async with served(plane) as channel:
        call = asyncio.create_task(infer(channel, tiny_request()))
        await held.started.wait()
        assert plane.admission.inflight_bytes == len(tiny_request().SerializeToString())
        call.cancel()
        await asyncio.wait_for(held.cancelled.wait(), 10)
        await asyncio.sleep(0)
        assert (plane.admission.inflight_requests, plane.admission.inflight_bytes) == (0, 0)


async def test_a_passed_deadline_cancels_the_request() -> None:
    held = Held()
    async with served(ScriptedPlane(held)) as channel:
        refusal = await refusal_of(infer(channel, tiny_request(), timeout=0.2))
        await asyncio.wait_for(held.cancelled.wait(), 10)
    assert refusal.status is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_more_requests_than_admitted_are_refused_with_a_code() -> None:
    held = Held()
    async with served(ScriptedPlane(held, Settings(max_inflight_requests=1))) as channel:
        first = asyncio.create_task(infer(channel, tiny_request()))
        await held.started.wait()
        refusal = await refusal_of(infer(channel, tiny_request()))
        assert (refusal.status, refusal.code) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "too_many_requests")
        live = channel.unary_unary(f"/{protocol.SERVICE}/ServerLive")
        assert protocol.ServerLiveResponse.FromString(await live(b"")).live
        first.cancel()
        await asyncio.wait([first])


async def test_a_body_over_the_limit_is_refused_with_a_code_and_a_huge_one_by_the_transport() -> None:
    async with served(ScriptedPlane(settings=Settings(max_body_bytes=100_000))) as channel:
        rather = await refusal_of(infer(channel, bytes(100_001)))
        assert (rather.status, rather.code) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "body_too_large")
        huge = await refusal_of(infer(channel, bytes(1_000_000)))
        assert huge.status is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_small_message_that_inflates_beyond_the_limit_is_refused() -> None:
    async with served(ScriptedPlane(settings=Settings(max_body_bytes=100_000))) as channel:
        bomb = await refusal_of(infer(channel, bytes(10_000_000), compression=grpc.Compression.Gzip))
    assert bomb.status is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_refused_call_has_an_id_too() -> None:
    async with served(ScriptedPlane(settings=Settings(token=SecretStr("secret")))) as channel:
        refusal = await refusal_of(infer(channel, tiny_request(), metadata=(("x-request-id", "mine"),)))
    assert (refusal.code, refusal.trailers["x-request-id"]) == ("token_missing", "mine")


async def test_a_failure_is_a_line_in_the_log_and_a_success_only_if_wanted(caplog: pytest.LogCaptureFixture) -> None:
    async def lines(access_log: bool) -> list[tuple[str, str]]:
        caplog.clear()
        with caplog.at_level(logging.INFO, "equiserve.rpc"):
            async with served(ScriptedPlane(settings=Settings(access_log=access_log))) as channel:
                await channel.unary_unary(f"/{protocol.SERVICE}/ServerLive")(b"")
                await refusal_of(infer(channel, b"no message"))
        return [(record.__dict__["method"].split("/")[1], record.__dict__["status"]) for record in caplog.records]

    assert await lines(access_log=False) == [("ModelInfer", "INVALID_ARGUMENT")]
    assert await lines(access_log=True) == [("ServerLive", "OK"), ("ModelInfer", "INVALID_ARGUMENT")]


async def test_messages_far_over_grpcs_own_4_mb_pass_both_ways() -> None:
    async def echo(request: InferRequest, context: RequestContext) -> InferResponse:
        model = SimpleNamespace(name="echo", version="1", runtime=SimpleNamespace(name="onnx"))
        return InferResponse(model, request.id, {"y": request.inputs["x"]})  # type: ignore[arg-type]

    x = np.arange(4 << 20, dtype=np.float32).reshape(-1, 4)
    async with served(ScriptedPlane(echo), options=[("grpc.max_receive_message_length", -1)]) as channel:
        response = await infer(channel, tiny_request(x))
    assert response.raw_output_contents[0] == x.tobytes()


async def test_a_stopping_server_answers_what_a_stream_has_under_way_and_ends_idle_streams() -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def script(request: InferRequest, context: RequestContext) -> None:
        started.set()
        await release.wait()
        raise errors.NotFound("an answer")

    plane = ScriptedPlane(script)
    async with served(plane) as channel:
        idle, busy = [channel.stream_stream(f"/{protocol.SERVICE}/ModelStreamInfer")() for _ in range(2)]
        await busy.write(tiny_request().SerializeToString())
        await started.wait()
        plane.admission.draining = True
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            await asyncio.wait_for(idle.read(), 10)
        release.set()
        answer = protocol.ModelStreamInferResponse.FromString(await asyncio.wait_for(busy.read(), 10))
        assert answer.error_message == "an answer"
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            await asyncio.wait_for(busy.read(), 10)
    assert plane.admission.inflight_requests == 0


async def test_a_token_is_asked_for_by_all_but_health() -> None:
    settings = Settings(token=SecretStr("caller"), admin_token=SecretStr("admin"))
    plane = ScriptedPlane(settings=settings)

    async with served(plane) as channel:

        def ask(method: str, message: object, token: str | None) -> grpc.aio.UnaryUnaryCall[bytes, bytes]:
            metadata = () if token is None else (("authorization", f"Bearer {token}"),)
            call = channel.unary_unary(f"/{protocol.SERVICE}/{method}")
            return call(message.SerializeToString(), metadata=metadata)  # type: ignore[attr-defined, no-any-return]

        await ask("ServerReady", protocol.ServerReadyRequest(), None)
        metadata = protocol.ServerMetadataRequest()
        assert (await refusal_of(ask("ServerMetadata", metadata, None))).code == "token_missing"
        assert (await refusal_of(ask("ServerMetadata", metadata, "guess"))).code == "token_wrong"
        await ask("ServerMetadata", metadata, "caller")
        load = protocol.RepositoryModelLoadRequest(model_name="tiny")
        refused = await refusal_of(ask("RepositoryModelLoad", load, "caller"))
        assert (refused.status, refused.code) == (grpc.StatusCode.PERMISSION_DENIED, "not_admin")
        await ask("RepositoryModelLoad", load, "admin")
        stream = channel.stream_stream(f"/{protocol.SERVICE}/ModelStreamInfer")()
        with pytest.raises(grpc.aio.AioRpcError, match="UNAUTHENTICATED"):
            await stream.read()
    assert plane.loaded == ["tiny"]


async def test_there_is_one_repository_only(channel: grpc.aio.Channel) -> None:
    message = protocol.RepositoryIndexRequest(repository_name="other")
    call = channel.unary_unary(f"/{protocol.SERVICE}/RepositoryIndex")
    refusal = await refusal_of(call(message.SerializeToString()))
    assert (refusal.status, refusal.field) == (grpc.StatusCode.UNIMPLEMENTED, "repository_name")
