"""A peer cannot make the server work for nothing without end, nor take all turns of its loop."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from http2_peer import (
    CALM,
    CANCEL,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    LIMITS,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Peer,
    frame,
    head,
    initial_window,
    message,
    widen,
)

from equiserve.rpc.http2.head import header_block


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass that would make the server patient again."""
    monkeypatch.setattr("equiserve.rpc.http2.patience.monotonic", lambda: 0.0)


FLOODS = {
    "pings": frame(PING, 0, 0, bytes(8)),
    "settings": frame(SETTINGS, 0, 0),
    "settings with parameters": frame(SETTINGS, 0, 0, initial_window(1000) * 100),
    "empty DATA": frame(DATA, 0, 1),
    "unknown frames": frame(99, 0, 0),
    "windows of one byte": frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"),
    "priorities": frame(2, 0, 1, bytes(5)),
}


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("what", FLOODS)
async def test_a_flood_of_frames_that_ask_for_nothing_ends_the_connection(what: str) -> None:
    peer = Peer().shake_hands()
    peer.send(peer.headers(1))
    sent = 0
    while peer.open and sent < 500_000:
        peer.send(FLOODS[what] * 500)
        sent += 500
    last = peer.frames()[-1]
    assert (last.kind, last.number) == (GOAWAY, CALM)
    await peer.lose()


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("path", ["/test.Echo/Held", "/test.Echo/HeldTask", "/test.Echo/Chat"])
async def test_calls_that_are_begun_and_given_up_again_and_again_end_the_connection(path: str) -> None:
    peer = Peer().shake_hands()
    stream = 1
    while peer.open and stream < 100_000:
        peer.call(stream, path, b"x")
        peer.send(frame(RST_STREAM, 0, stream, bytes(3) + bytes((CANCEL,))))
        assert peer.server.calls <= LIMITS.max_calls
        stream += 2
    assert not peer.open
    await peer.lose()


@pytest.mark.usefixtures("still")
async def test_a_client_that_asks_for_work_may_ping_and_give_up_a_call_now_and_then() -> None:
    peer = Peer().shake_hands()
    for stream in range(1, 40_001, 2):
        peer.call(stream, "/test.Echo/Unary", b"x")
        peer.send(frame(PING, 0, 0, bytes(8)) + widen(0, 6))
        if stream % 8 == 1:
            peer.send(frame(RST_STREAM, 0, stream, bytes(3) + bytes((CANCEL,))))
    assert peer.open
    assert len(peer.service.asked) == 20_000
    await peer.lose()


@pytest.mark.usefixtures("still")
async def test_a_client_that_takes_a_large_answer_piece_by_piece_may_say_so_each_time() -> None:
    peer = Peer(replace(LIMITS, max_held_bytes=1 << 30)).shake_hands(initial_window(0))
    patience = peer.connection.patience
    peer.call(1, "/test.Echo/Count", b"2000")
    patience.spend(19_000)
    taken = 0
    while taken < 2000 * 1005:
        peer.send(widen(1, 4096) + widen(0, 4096))
        taken += sum(len(one.payload) for one in await peer.answers(12) if one.kind == DATA)
    assert peer.open
    await peer.lose()


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("fields", [head("/no/such"), head(x_long="v" * 15_000)], ids=["unknown method", "long"])
async def test_heads_that_lead_to_nothing_end_the_connection(fields: list[tuple[str, str]]) -> None:
    peer = Peer().shake_hands()
    block, stream = header_block(fields), 1
    while peer.open and stream < 100_000:
        peer.send(frame(HEADERS, END_HEADERS, stream, block) + frame(RST_STREAM, 0, stream, bytes(4)))
        await asyncio.sleep(0)
        stream += 2
    assert not peer.open
    await peer.lose()


async def test_calls_that_come_all_at_once_begin_turn_by_turn_and_nothing_more_is_read_meanwhile() -> None:
    peer = Peer(replace(LIMITS, max_calls=1000)).shake_hands()
    calls = [peer.headers(2 * n + 1) + frame(DATA, END_STREAM, 2 * n + 1, message(b"%d" % n)) for n in range(500)]
    peer.send(b"".join(calls))
    first = len(peer.service.asked)
    assert 0 < first < 100
    assert not peer.transport.reading
    peer.send(peer.headers(1001) + frame(DATA, END_STREAM, 1001, message(b"500")))
    await peer.answers(50)
    assert peer.service.asked == [b"%d" % n for n in range(501)]
    assert peer.transport.reading
    await peer.lose()
