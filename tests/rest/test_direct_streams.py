"""Both ways of a request give the same bytes, however a stream of requests is cut into packets."""

from __future__ import annotations

import asyncio
import gzip
from itertools import pairwise

import pytest
import uvicorn
from direct_peer import BODY, PATH, Hold, request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from equiserve.rest.protocol import DirectHttp
from equiserve.rest.transport import CoalescingHttp
from planes import until


def plain(method: str, path: str, *fields: str, version: str = "1.1", body: bytes = b"") -> bytes:
    """Return a request with only these fields."""
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *fields, "", ""]).encode() + body


LENGTH = f"Content-Length: {len(BODY)}"
UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAB")
SMUGGLED = request(b"{", "X-Request-Id: smuggled")

#: Requests after which the connection goes on.
LASTING = {
    "usual": request(),
    "of a version": request(path="/v2/models/held/versions/1/infer"),
    "with a query": request(path=PATH + "?a=b"),
    "escaped": request(path="/v2/models/h%65ld/infer"),
    "a fragment": request(path="/v2/models/held#/infer"),
    "a fragment after a query": request(path=PATH + "?a#b"),
    "another host's": request(path="http://x" + PATH),
    "unknown model": request(path="/v2/models/other/infer"),
    "no model": request(path="/v2/models//infer"),
    "empty": request(b""),
    "without a length": plain("POST", PATH),
    "no JSON": request(b"{"),
    "missing input": request(b"{}"),
    "no UTF-8": request(BODY.replace(b'"x"', b'"\xff"')),
    "surrogate": request(BODY.replace(b'"x"', b'"\\ud800"')),
    "deep": request(b"[" * 100_000),
    "large": request(b" " * 300_000 + BODY),
    "compressed": request(gzip.compress(BODY, mtime=0), "Content-Encoding: gzip"),
    "not compressed": request(BODY, "Content-Encoding: gzip"),
    "unknown coding": request(BODY, "Content-Encoding: br"),
    "head too short": request(BODY, "Inference-Header-Content-Length: 5"),
    "late": request(BODY, "X-Request-Timeout-Ms: 0"),
    "expecting": request(BODY, "Expect: 100-continue"),
    "chunked": plain("POST", PATH, "Transfer-Encoding: chunked", body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "classify": request(b"x", "Content-Type: image/png", path="/v2/models/held/classify?top_k=%ff"),
    "a form": request(b"x", "Content-Type: multipart/form-data; boundary=a", path="/v2/models/held/classify"),
    "GET": plain("GET", PATH),
    "HEAD": plain("HEAD", PATH),
    "PUT": plain("PUT", PATH, LENGTH, body=BODY),
    "behind the router": plain("GET", "/v2/health/live"),
    "upgrade": request(SMUGGLED, *UPGRADE),
    "upgrade of a good one": request(BODY, *UPGRADE),
    "upgrade to a web socket": plain("GET", "/v2/health/live", "Connection: Upgrade", "Upgrade: websocket"),
}
#: Requests after which it does not.
LAST = {
    "close": request(BODY, "Connection: close"),
    "HTTP/1.0": plain("POST", PATH, LENGTH, version="1.0", body=BODY),
    "length and chunks": plain("POST", PATH, LENGTH, "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED),
    "two lengths": plain("POST", PATH, LENGTH, "Content-Length: 5", body=BODY),
    "the same length twice": plain("POST", PATH, LENGTH, LENGTH, body=BODY),
    "a list of lengths": plain("POST", PATH, f"{LENGTH}, {len(BODY)}", body=BODY),
    "length with a sign": plain("POST", PATH, f"Content-Length: +{len(BODY)}", body=BODY),
    "length without end": plain("POST", PATH, "Content-Length: 99999999999999999999999", body=BODY),
    "last coding not chunked": plain("POST", PATH, "Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "folded": request(BODY, "X-Field: a\r\n b"),
    "NUL": request(BODY, "X-Field: a\0b"),
    "bare CR": request(BODY, "X-Field: a\rb: c"),
    "space before the colon": plain("POST", PATH, f"Content-Length : {len(BODY)}", body=BODY),
    "beyond ASCII": plain("POST", "/v2/models/h\xe9ld/infer", LENGTH, body=BODY),
    "a tunnel": plain("CONNECT", "x:443"),
    "no HTTP": b"\x16\x03\x01\x02\x00\x01",
}


class Wire(asyncio.Transport):
    """A transport that keeps what was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = self.paused = False

    def write(self, data: bytes) -> None:  # type: ignore[override]
        assert not self.closed
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


async def answers(protocol: type[CoalescingHttp], hold: Hold, packets: list[bytes]) -> tuple[bytes, bool]:
    """Return what a connection answers, and whether it was closed; nothing of it is held afterwards."""
    held = hold()
    held.runtime.gate.set()
    config = uvicorn.Config(held.app, http=protocol, lifespan="off", log_config=None, access_log=False)
    config.load()
    connection, wire = protocol(config, ServerState(), {}, asyncio.get_running_loop()), Wire()
    connection.connection_made(wire)

    def busy() -> bool:
        cycle = connection.cycle
        return not wire.closed and cycle is not None and not cycle.response_complete

    for packet in packets:
        await until(lambda: not wire.paused or wire.closed)
        if not wire.closed:
            connection.data_received(packet)
        await asyncio.sleep(0)
    await until(lambda: not busy())
    await asyncio.sleep(0)
    closed = wire.closed
    connection.connection_lost(None)
    await until(lambda: not connection.tasks)
    assert (held.admission.inflight_requests, held.admission.inflight_bytes) == (0, 0)
    return wire.written, closed


def named(request: bytes, number: int) -> bytes:
    """Return a request with an id of its own, for it is part of the answer."""
    return request.replace(b"Host: x", b"Host: x\r\nX-Request-Id: %d" % number, 1)


@pytest.mark.parametrize("name", [*LASTING, *LAST])
async def test_both_ways_answer_alike_in_one_packet_and_in_many(hold: Hold, name: str) -> None:
    stream = named((LASTING | LAST)[name], 0)
    size = max(7, len(stream) // 50)
    parts = [stream[place : place + size] for place in range(0, len(stream), size)]
    expected = await answers(CoalescingHttp, hold, [stream])
    assert expected[0].startswith(b"HTTP/1.1 ")
    assert b"smuggled" not in expected[0]
    assert expected[1] == (name in LAST)
    for protocol, packets in ((DirectHttp, [stream]), (DirectHttp, parts), (CoalescingHttp, parts)):
        assert await answers(protocol, hold, packets) == expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.sampled_from([*LASTING]), min_size=1, max_size=6),
    cuts=st.lists(st.floats(0, 1, exclude_max=True), max_size=12),
    closing=st.booleans(),
)
async def test_a_stream_of_requests_is_answered_alike_however_it_is_cut(
    hold: Hold, names: list[str], cuts: list[float], closing: bool
) -> None:
    requests = [LASTING[name] for name in names] + ([LAST["close"]] if closing else [])
    stream = b"".join(named(request, number) for number, request in enumerate(requests))
    places = sorted({0, len(stream), *(int(cut * len(stream)) for cut in cuts)})
    packets = [stream[begin:end] for begin, end in pairwise(places)]
    written, closed = await answers(DirectHttp, hold, packets)
    assert (written, closed) == await answers(CoalescingHttp, hold, [stream])
    ids = [line for line in written.split(b"\r\n") if line.startswith(b"x-request-id: ")]
    assert ids == [b"x-request-id: %d" % number for number in range(len(requests))]
