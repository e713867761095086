"""Retries, deadlines and broken answers, against servers made up for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import httpx
import numpy as np
import pytest
from in_process import Ask

from equiserve import errors
from equiserve.rest.errors import STATUS, error_reply

BUSY = {"error": "queue full", "code": "queue_full", "field": None}


class Script(httpx.AsyncBaseTransport):
    """Answers with these responses in turn (an exception is raised), and keeps the requests."""

    def __init__(self, answers: Iterable[httpx.Response | Exception]) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def refusal(status: int, retry_after: str | None) -> httpx.Response:
    return httpx.Response(status, json=BUSY, headers={} if retry_after is None else {"retry-after": retry_after})


INDEX = [{"name": "tiny", "version": "1", "state": "READY", "reason": ""}]


@pytest.mark.parametrize("kind", STATUS, ids=lambda kind: kind.__name__)
async def test_each_condition_comes_back_as_the_class_that_the_server_raised(
    asker: Callable[..., Ask], kind: type[errors.EquiServeError]
) -> None:
    status, headers, body = error_reply(kind("a sentence", code="a_code", field="a.field"))
    server = Script([httpx.Response(status, headers=headers, content=body)])
    with pytest.raises(errors.EquiServeError) as caught:
        await asker(server)("models")
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.code, caught.value.field) == ("a sentence", "a_code", "a.field")


async def test_an_overloaded_server_says_when_to_come_back(asker: Callable[..., Ask]) -> None:
    with pytest.raises(errors.Overloaded) as caught:
        await asker(Script([refusal(429, "7")]))("models")
    assert caught.value.retry_after_s == 7


async def test_nothing_is_repeated_by_default(asker: Callable[..., Ask]) -> None:
    server = Script([refusal(429, "0")])
    with pytest.raises(errors.Overloaded):
        await asker(server)("models")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_a_refused_call_is_repeated_as_often_as_allowed(asker: Callable[..., Ask], status: int) -> None:
    server = Script([refusal(status, "0"), refusal(status, "0"), httpx.Response(200, json=INDEX)])
    assert await asker(server, retries=2)("models") == INDEX
    assert len(server.requests) == 3
    assert {request.content for request in server.requests} == {b""}

    server = Script([refusal(status, "0")] * 2)
    with pytest.raises((errors.Overloaded, errors.Unavailable)):
        await asker(server, retries=1)("models")
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [
        refusal(429, None),
        refusal(503, "Wed, 21 Oct 2026 07:28:00 GMT"),
        refusal(500, "0"),
        # Beyond the deadline of 60 s.
        refusal(429, "61"),
    ],
    ids=["no time named", "a date", "a fault", "too late"],
)
async def test_other_answers_are_never_repeated(asker: Callable[..., Ask], answer: httpx.Response) -> None:
    server = Script([answer])
    with pytest.raises(errors.EquiServeError):
        await asker(server, retries=5)("models")
    assert len(server.requests) == 1


async def test_a_connection_that_broke_is_not_repeated(asker: Callable[..., Ask]) -> None:
    server = Script([httpx.ReadError("reset by peer")])
    with pytest.raises(errors.Unavailable, match="reset by peer"):
        await asker(server, retries=5)("models")


async def test_the_server_is_told_what_is_left_of_the_deadline(asker: Callable[..., Ask]) -> None:
    server = Script([refusal(429, "0"), httpx.Response(200, json={})])
    await asker(server, retries=1)("load", "tiny", timeout_s=5)
    first, second = (float(request.headers["x-request-timeout-ms"]) for request in server.requests)
    assert 5000 >= first >= second > 0

    server = Script([httpx.Response(200, json=INDEX)])
    await asker(server, timeout_s=None)("models")
    assert "x-request-timeout-ms" not in server.requests[0].headers


async def test_silence_beyond_the_deadline_is_deadline_exceeded(asker: Callable[..., Ask]) -> None:
    with pytest.raises(errors.DeadlineExceeded) as caught:
        await asker(Script([httpx.ReadTimeout("")]))("models")
    assert caught.value.code == "client_timeout"
    assert not await asker(Script([httpx.ConnectTimeout("")]))("ready")


async def test_the_token_and_the_path_are_sent_as_the_server_wants_them(asker: Callable[..., Ask]) -> None:
    server = Script([httpx.Response(200, json={})])
    await asker(server, token="secret", url="http://host/prefix")("metadata", "a/b c", "1")
    (request,) = server.requests
    assert request.headers["authorization"] == "Bearer secret"
    assert request.url.raw_path == b"/prefix/v2/models/a%2Fb%20c/versions/1"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(502, errors.Unavailable), (404, errors.NotFound), (418, errors.InvalidRequest), (520, errors.InternalError)],
)
async def test_an_answer_of_a_proxy_is_an_error_too(
    asker: Callable[..., Ask], status: int, kind: type[errors.EquiServeError]
) -> None:
    with pytest.raises(kind, match=f"HTTP status {status}"):
        await asker(Script([httpx.Response(status, content=b"<html>")]))("models")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json={"outputs": [{"name": "y", "datatype": "FP32", "shape": [2], "data": [1.0]}]}),
        httpx.Response(200, json={"outputs": [{"name": "y", "datatype": "BF16", "shape": [1], "data": [1.0]}]}),
        httpx.Response(
            200,
            content=b'{"outputs":[{"name":"y","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}}]}1234',
            headers={"inference-header-content-length": "94"},
        ),
    ],
    ids=["no JSON", "too few numbers", "unknown datatype", "cut off"],
)
async def test_a_broken_inference_answer_is_an_internal_error(
    asker: Callable[..., Ask], answer: httpx.Response
) -> None:
    with pytest.raises(errors.InternalError) as caught:
        await asker(Script([answer]))("infer", "tiny", {"x": np.zeros((1, 4), np.float32)})
    assert caught.value.code == "malformed_answer"


async def test_outputs_that_another_server_sends_as_json_are_read(asker: Callable[..., Ask]) -> None:
    outputs = [
        {"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [1.5, None]},
        {"name": "n", "datatype": "UINT64", "shape": [1], "data": [2**64 - 1]},
        {"name": "s", "datatype": "BYTES", "shape": [2], "data": ["ä", ""]},
    ]
    server = Script([httpx.Response(200, json={"model_name": "tiny", "outputs": outputs})])
    got = await asker(server)("infer", "tiny", {"x": np.zeros((1, 4), np.float32)})
    np.testing.assert_array_equal(got["y"], np.array([[1.5, np.nan]], np.float32))
    assert got["n"][0] == 2**64 - 1
    assert got["s"].tolist() == ["ä".encode(), b""]
