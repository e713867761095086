"""What a peer cannot make the server do: keep bytes or calls without bound, work for nothing without end, hang."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import replace

import pytest
from http2_peer import (
    ACK,
    CALM,
    CANCEL,
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW,
    GOAWAY,
    HEADERS,
    LIMITS,
    NO_ERROR,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Frame,
    Peer,
    frame,
    head,
    message,
)

from equiserve.rpc.http2.head import header_block
from equiserve.rpc.http2.vigil import TICK_S

RESOURCE_EXHAUSTED, UNIMPLEMENTED, DEADLINE, INVALID = "8", "12", "4", "3"


def initial_window(size: int) -> bytes:
    return b"\0\4" + size.to_bytes(4, "big")


def widen(stream: int, more: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, more.to_bytes(4, "big"))


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


async def test_a_message_over_the_limit_is_refused_when_it_is_announced() -> None:
    peer = Peer().shake_hands()
    peer.send(peer.headers(1) + frame(DATA, 0, 1, b"\0" + (LIMITS.max_message_bytes + 1).to_bytes(4, "big")))
    refusal, reset = peer.frames()
    assert peer.fields(refusal)["grpc-status"] == RESOURCE_EXHAUSTED
    assert (reset.kind, reset.number) == (RST_STREAM, NO_ERROR)
    peer.send(frame(DATA, 0, 1, bytes(16384)) * 10)  # what was on its way is passed over
    assert peer.frames() == []
    await peer.lose()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_message_is_inflated_and_a_bomb_is_not(encoding: str) -> None:
    wbits = 31 if encoding == "gzip" else 15
    for size, status in ((1000, "0"), (LIMITS.max_message_bytes + 1, RESOURCE_EXHAUSTED)):
        deflater = zlib.compressobj(wbits=wbits)
        packed = deflater.compress(bytes(size)) + deflater.flush()
        peer = Peer().shake_hands()
        data = b"\1" + len(packed).to_bytes(4, "big") + packed
        peer.send(peer.headers(1, head(grpc_encoding=encoding)) + frame(DATA, END_STREAM, 1, data))
        answer = await peer.answers()
        assert peer.fields(answer[0]).get("grpc-status", "0") == status
        assert peer.service.asked == ([bytes(size)] if status == "0" else [])
        await peer.lose()


async def test_a_compressed_message_of_another_coding_or_cut_off_is_invalid() -> None:
    gzip = zlib.compressobj(wbits=31)
    whole = gzip.compress(b"hello") + gzip.flush()
    for packed, fields in (
        (b"no gzip", {"grpc_encoding": "gzip"}),
        (whole[:-9], {"grpc_encoding": "gzip"}),
        (whole, {}),
    ):
        peer = Peer().shake_hands()
        data = b"\1" + len(packed).to_bytes(4, "big") + packed
        peer.send(peer.headers(1, head(**fields)) + frame(DATA, END_STREAM, 1, data))
        assert peer.fields((await peer.answers())[0])["grpc-status"] == INVALID
        await peer.lose()


async def test_bytes_of_all_connections_are_bounded_together() -> None:
    first = Peer().shake_hands()
    half = b"\0" + LIMITS.max_message_bytes.to_bytes(4, "big") + bytes(16000)
    refused = 0
    peers = [first]
    while not refused and len(peers) < 20:
        peer = Peer(server=first.server).shake_hands()
        peers.append(peer)
        for stream in range(1, 21, 2):
            peer.send(peer.headers(stream) + frame(DATA, 0, stream, half))
            for _ in range(20):
                peer.send(frame(DATA, 0, stream, bytes(16000)))
            assert peer.server.held_bytes <= LIMITS.max_held_bytes + 16384
        refused = sum(one.kind == HEADERS for one in peer.frames())
    assert refused
    for peer in peers:
        peer.transport.close()
    await first.lose()


async def test_calls_of_all_connections_are_bounded_together() -> None:
    first, second = Peer(), None
    first.shake_hands()
    for stream in range(1, 2 * LIMITS.max_calls, 2):
        first.call(stream, "/test.Echo/Held", b"x")
    second = Peer(server=first.server).shake_hands()
    second.call(1, "/test.Echo/Unary", b"x")
    assert second.fields(second.frames()[0])["grpc-status"] == RESOURCE_EXHAUSTED
    second.transport.close()
    await first.lose()


async def test_an_answer_goes_out_as_the_client_takes_it_and_no_further() -> None:
    peer = Peer().shake_hands(initial_window(100))
    peer.call(1, "/test.Echo/Count", b"1000")
    data = [one for one in await peer.answers() if one.kind == DATA]
    assert (sum(len(one.payload) for one in data), peer.service.written) == (100, 1)
    for _ in range(1000):
        peer.send(widen(1, 1005))
        data += [one for one in await peer.answers(6) if one.kind == DATA]
        assert peer.service.written * 1005 <= sum(len(one.payload) for one in data) + 2 * 1005
        if sum(len(one.payload) for one in data) >= 60_000:
            break
    peer.send(widen(1, 10_000_000) + widen(0, 10_000_000))
    rest = await peer.answers(4000)
    assert rest[-1].flags & END_STREAM
    whole = b"".join(one.payload for one in [*data, *rest] if one.kind == DATA)
    assert whole == message(bytes(1000)) * 1000
    await peer.lose()


async def test_one_call_whose_window_is_shut_does_not_hold_up_the_others() -> None:
    peer = Peer().shake_hands(initial_window(100))
    peer.call(1, "/test.Echo/Unary", bytes(200))
    assert [len(one.payload) for one in peer.frames() if one.kind == DATA] == [100]
    peer.call(3, "/test.Echo/Unary", b"hello")
    assert [(one.kind, one.stream) for one in peer.frames()] == [(HEADERS, 3), (DATA, 3), (HEADERS, 3)]
    peer.send(widen(1, 1000))
    rest, end = peer.frames()
    assert (rest.kind, rest.stream, len(rest.payload), end.flags) == (DATA, 1, 105, END_HEADERS | END_STREAM)
    await peer.lose()


async def test_settings_move_the_windows_of_calls_under_way_both_ways() -> None:
    peer = Peer().shake_hands(initial_window(10))
    peer.call(1, "/test.Echo/Unary", bytes(100))
    assert [len(one.payload) for one in peer.frames() if one.kind == DATA] == [10]
    peer.send(frame(SETTINGS, 0, 0, initial_window(4)))  # now 6 bytes in debt
    assert [one.kind for one in peer.frames()] == [SETTINGS]
    peer.send(widen(1, 7))
    assert [len(one.payload) for one in peer.frames()] == [1]
    peer.send(frame(SETTINGS, 0, 0, initial_window(1000)))
    assert [one.kind for one in peer.frames()] == [SETTINGS, DATA, HEADERS]
    await peer.lose()


async def test_a_streamed_request_that_nobody_reads_is_not_asked_for_more() -> None:
    limits = replace(LIMITS, window=65_535)
    peer = Peer(limits).shake_hands(initial_window(0))  # so the first answer waits, and with it the handler
    peer.send(peer.headers(1, head("/test.Echo/Chat")))
    granted = 65_535
    for _ in range(100):
        if granted < 1005:
            break
        peer.send(frame(DATA, 0, 1, message(bytes(1000))))
        granted -= 1005
        granted += sum(one.number for one in await peer.answers(5) if one.kind == WINDOW_UPDATE and one.stream == 1)
    assert granted < 1005
    assert len(peer.service.asked) == 1
    peer.send(frame(DATA, 0, 1, message(bytes(1000))) + frame(DATA, 0, 1, message(bytes(1000))))
    assert [(one.kind, one.number) for one in peer.frames()] == [(RST_STREAM, FLOW)]
    await peer.lose()


async def test_a_streamed_message_larger_than_the_window_arrives() -> None:
    limits = replace(LIMITS, window=65_535)
    peer = Peer(limits).shake_hands()
    peer.send(peer.headers(1, head("/test.Echo/Chat")))
    whole, granted = message(bytes(500_000)), 65_535
    while whole:
        size = min(granted, 16_384, len(whole))
        assert size > 0
        peer.send(frame(DATA, 0, 1, whole[:size]))
        whole, granted = whole[size:], granted - size
        granted += sum(one.number for one in await peer.answers(5) if one.kind == WINDOW_UPDATE and one.stream == 1)
    await peer.answers()
    assert [len(raw) for raw in peer.service.asked] == [500_000]
    await peer.lose()


async def test_a_peer_that_asks_and_does_not_read_is_not_read_either() -> None:
    peer = Peer().shake_hands()
    peer.connection.pause_writing()
    peer.transport.unread = 2 << 20
    peer.send(frame(PING, 0, 0, bytes(8)))
    assert not peer.transport.reading
    peer.transport.unread = 0
    peer.connection.resume_writing()
    assert peer.transport.reading
    await peer.lose()


async def test_an_answer_waits_while_the_peer_does_not_read() -> None:
    peer = Peer().shake_hands()
    peer.connection.pause_writing()
    peer.call(1, "/test.Echo/Unary", b"hello")
    assert DATA not in [one.kind for one in peer.frames()]
    peer.connection.resume_writing()
    assert [one.kind for one in peer.frames()] == [DATA, HEADERS]
    await peer.lose()


class Clock:
    """Turns the connection's own timer by hand."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    def pass_s(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK_S)):
            if self.peer.open:
                self.peer.connection._tick_timer.cancel()  # type: ignore[union-attr]
                self.peer.connection._tick()


async def test_a_silent_client_is_pinged_and_one_that_does_not_answer_is_cut_off() -> None:
    peer = Peer().shake_hands()
    clock = Clock(peer)
    clock.pass_s(100)
    assert peer.frames()[-1].kind == PING
    peer.send(frame(PING, ACK, 0, bytes(8)))
    clock.pass_s(90)
    assert peer.open
    clock.pass_s(40)
    assert not peer.open
    await peer.lose()


async def test_a_connection_on_which_nothing_begins_is_cut_off() -> None:
    for begun in (b"", PREFACE[:10], PREFACE):
        peer = Peer()
        if begun:
            peer.send(begun)
        Clock(peer).pass_s(20)
        assert not peer.open
        await peer.lose()


async def test_a_peer_that_takes_nothing_of_what_waits_is_cut_off_and_a_slow_one_is_not() -> None:
    slow, dead = Peer().shake_hands(), Peer().shake_hands()
    for minute in range(20):
        slow.transport.unread, dead.transport.unread = 1000 - minute, 1000
        slow.send(frame(PING, ACK, 0, bytes(8)))
        if dead.open:
            dead.send(frame(PING, ACK, 0, bytes(8)))
        Clock(slow).pass_s(10)
        Clock(dead).pass_s(10)
    assert (slow.open, dead.open) == (True, False)
    await slow.lose()
    await dead.lose()


async def test_a_request_of_which_nothing_more_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equiserve.rpc.http2.call._UPLOAD_S", -1.0)
    peer = Peer().shake_hands()
    peer.send(peer.headers(1) + frame(DATA, 0, 1, message(b"hello")[:7]))
    Clock(peer).pass_s(10)
    assert peer.fields(peer.frames()[0])["grpc-status"] == DEADLINE
    await peer.lose()


async def test_an_answer_of_which_nothing_more_is_taken_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equiserve.rpc.http2.call._UNREAD_S", -1.0)
    peer = Peer().shake_hands(initial_window(0))
    peer.call(1, "/test.Echo/Count", b"5")
    await peer.answers()
    assert peer.server.held_bytes > 0
    Clock(peer).pass_s(10)
    assert peer.fields(peer.frames()[-1])["grpc-status"] == DEADLINE
    await peer.lose()


async def test_a_deadline_in_the_middle_of_an_answer_ends_it() -> None:
    peer = Peer().shake_hands(initial_window(0))
    peer.call(1, "/test.Echo/Unary", b"hello", grpc_timeout="10m")
    found: list[Frame] = []
    async with asyncio.timeout(10):
        while not found or not found[-1].flags & END_STREAM:
            await asyncio.sleep(0.005)
            found += peer.frames()
    assert peer.fields(found[-1])["grpc-status"] == DEADLINE
    await peer.lose()


async def test_a_server_that_stops_ends_what_does_not_end_by_itself() -> None:
    service_peer = Peer().shake_hands()
    service_peer.call(1, "/test.Echo/Held", b"x")
    service_peer.frames()
    await service_peer.server.stop(0.01)
    found = service_peer.frames()
    assert next(one.kind for one in found if one.kind in (GOAWAY, HEADERS)) == GOAWAY
    assert service_peer.fields(next(one for one in found if one.kind == HEADERS))["grpc-status"] == "14"
    assert service_peer.service.cancelled == 1
    await service_peer.lose()


async def test_a_draining_connection_takes_what_the_client_began_before_it_heard_of_it() -> None:
    peer = Peer().shake_hands()
    peer.call(1, "/test.Echo/Held", b"x")
    peer.frames()
    stopping = asyncio.ensure_future(peer.server.stop(20))
    goaway, ping = await peer.answers()
    assert (goaway.kind, goaway.payload[:4], ping.kind) == (GOAWAY, b"\x7f\xff\xff\xff", PING)
    peer.call(3, "/test.Echo/Unary", b"in time")
    peer.send(frame(PING, ACK, 0, ping.payload))
    assert [one.payload[:4] for one in peer.frames() if one.kind == GOAWAY] == [b"\0\0\0\3"]
    peer.call(5, "/test.Echo/Unary", b"too late")
    assert [one.kind for one in peer.frames()] == [RST_STREAM]
    assert peer.open
    peer.service.release.set()
    await stopping
    assert not peer.open
    assert peer.service.asked == [b"x", b"in time"]
    await peer.lose()
