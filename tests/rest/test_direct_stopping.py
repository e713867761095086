"""What outlasts the grace of a server that stops, and peers that do not read: both end, and nothing is held."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest
from direct_peer import BODY, PATH, Hold, request, serving

from equiserve.rest import transport
from planes import until

CHUNKED = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{len(BODY):x}\r\n".encode()


@pytest.mark.parametrize(
    "sent",
    [
        request(BODY[:10], length=len(BODY)),
        request(),
        CHUNKED + BODY[:10],
        CHUNKED + BODY + b"\r\n0\r\n\r\n",
        b"POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
    ],
    ids=["direct upload", "direct call", "upload", "call", "upload behind the router"],
)
async def test_what_outlasts_the_grace_is_told_so_and_the_log_shows_no_fault(
    hold: Hold, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    held = hold()
    async with serving(held, timeout_graceful_shutdown=1) as peer:
        peer.send(sent)
        await until(lambda: held.admission.inflight_requests == 1)
        peer.server.should_exit = True
        status, fields, text = await peer.answer()
        assert (status, json.loads(text)["code"], fields["connection"]) == (503, "stopping", "close")
        await until(lambda: held.admission.inflight_requests == 0)
        assert await asyncio.wait_for(peer.reader.read(), 20) == b""
    assert held.admission.inflight_bytes == 0
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


async def test_a_request_that_ends_within_the_grace_is_not_given_up(hold: Hold) -> None:
    held = hold()
    async with serving(held, timeout_graceful_shutdown=20) as peer:
        peer.send(request())
        await until(lambda: held.runtime.calls == 1)
        peer.server.should_exit = True
        await until(lambda: not peer.server.servers[0].is_serving())
        held.runtime.gate.set()
        assert (await peer.answer())[0] == 200


@pytest.mark.parametrize("body", [BODY, b"{"], ids=["answers", "refusals"])
async def test_a_client_that_never_reads_is_not_read_from_and_is_cut_off(
    hold: Hold, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold()
    held.runtime.gate.set()
    async with serving(held) as peer:
        connections = peer.server.server_state.connections
        await until(lambda: len(connections) == 1)
        (deaf,) = connections
        # Else the system's buffers take megabytes.
        deaf.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        monkeypatch.setattr(transport, "_UNREAD_S", 0.3)
        sent = queued = 0
        async with asyncio.timeout(30):
            while deaf in connections and sent < 64 << 20:
                if peer.writer.transport.get_write_buffer_size() < 1 << 20:
                    peer.send(request(body) * 200)
                    sent += 200 * len(request(body))
                queued = max(queued, len(deaf.pipeline))  # type: ignore[union-attr]
                await asyncio.sleep(0.001)
        assert queued < 10_000
        assert sent < 64 << 20, "the server took it all"
        peer.writer.transport.abort()
        await until(lambda: held.admission.inflight_requests == 0)


class Slow(asyncio.Transport):
    """A transport whose peer leaves so many bytes unread, each time that it is asked."""

    aborted = False

    def __init__(self, *unread: int) -> None:
        super().__init__()
        self.unread = list(unread)

    def get_write_buffer_size(self) -> int:
        return self.unread.pop(0)

    def close(self) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True


@pytest.mark.parametrize(("unread", "cut_off"), [((9, 8, 7, 1, 0), False), ((9, 8, 8), True)])
async def test_a_peer_is_cut_off_only_where_it_takes_nothing_more(
    unread: tuple[int, ...], cut_off: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_UNREAD_S", 0.001)
    below = Slow(*unread)
    transport.CoalescingTransport(below).close()
    await until(lambda: not below.unread)
    assert below.aborted == cut_off
