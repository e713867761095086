"""A peer cannot make the server keep bytes or calls without bound, and gets all that it takes."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest
from http2_peer import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW,
    HEADERS,
    LIMITS,
    NO_ERROR,
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

RESOURCE_EXHAUSTED, INVALID = "8", "3"


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
