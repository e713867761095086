"""What a peer may not do, and which error code RFC 9113 has for it. Bytes by hand: no library would send them."""

from __future__ import annotations

import pytest
from hpack import Encoder
from http2_peer import (
    ACK,
    CALM,
    CLOSED,
    COMPRESSION,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PROTOCOL,
    PUSH_PROMISE,
    REFUSED,
    RST_STREAM,
    SETTINGS,
    SIZE,
    WINDOW_UPDATE,
    Peer,
    frame,
    head,
    message,
)

BLOCK = Encoder().encode(head())
OPEN = frame(HEADERS, END_HEADERS, 1, BLOCK)
WHOLE = OPEN + frame(DATA, END_STREAM, 1, message(b"x"))
ZERO = bytes(4)
MOST = (0x7FFFFFFF).to_bytes(4, "big")


def setting(name: int, value: int) -> bytes:
    return frame(SETTINGS, 0, 0, name.to_bytes(2, "big") + value.to_bytes(4, "big"))


CONNECTION_FAULTS = {
    "DATA of the connection": (frame(DATA, 0, 0, b"x"), PROTOCOL),
    "DATA of a stream that has not begun": (frame(DATA, 0, 1, b"x"), PROTOCOL),
    "DATA that is all padding": (OPEN + frame(DATA, PADDED, 1, b"\x05abc"), PROTOCOL),
    "DATA without the length of its padding": (OPEN + frame(DATA, PADDED, 1), PROTOCOL),
    "HEADERS of the connection": (frame(HEADERS, END_HEADERS, 0, BLOCK), PROTOCOL),
    "HEADERS of an even stream": (frame(HEADERS, END_HEADERS, 2, BLOCK), PROTOCOL),
    "HEADERS that are all padding": (frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff" + BLOCK), PROTOCOL),
    "HEADERS without their priority": (frame(HEADERS, END_HEADERS | 0x20, 1, b"abc"), SIZE),
    "a block that HPACK does not know": (frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff"), COMPRESSION),
    "a reference to an entry that is not there": (frame(HEADERS, END_HEADERS, 1, b"\xbf"), COMPRESSION),
    "a table larger than allowed": (frame(HEADERS, END_HEADERS, 1, b"\x3f\xe1\x7f" + BLOCK), COMPRESSION),
    "a block cut off": (frame(HEADERS, END_HEADERS, 1, BLOCK[:-3]), COMPRESSION),
    "a frame within a block": (frame(HEADERS, 0, 1, BLOCK) + frame(PING, 0, 0, bytes(8)), PROTOCOL),
    "DATA within a block": (frame(HEADERS, 0, 1, BLOCK) + frame(DATA, 0, 1, b"x"), PROTOCOL),
    "an unknown frame within a block": (frame(HEADERS, 0, 1, BLOCK) + frame(200, 0, 1), PROTOCOL),
    "a block continued on another stream": (
        frame(HEADERS, 0, 1, BLOCK) + frame(CONTINUATION, END_HEADERS, 3),
        PROTOCOL,
    ),
    "a continuation of nothing": (OPEN + frame(CONTINUATION, END_HEADERS, 1, BLOCK), PROTOCOL),
    "PRIORITY of the connection": (frame(PRIORITY, 0, 0, bytes(5)), PROTOCOL),
    "RST_STREAM of the connection": (frame(RST_STREAM, 0, 0, ZERO), PROTOCOL),
    "RST_STREAM of a stream that has not begun": (frame(RST_STREAM, 0, 1, ZERO), PROTOCOL),
    "RST_STREAM of another length": (OPEN + frame(RST_STREAM, 0, 1, bytes(3)), SIZE),
    "SETTINGS of a stream": (frame(SETTINGS, 0, 1), PROTOCOL),
    "SETTINGS of another length": (frame(SETTINGS, 0, 0, bytes(5)), SIZE),
    "an acknowledgement of settings that says something": (frame(SETTINGS, ACK, 0, bytes(6)), SIZE),
    "push neither on nor off": (setting(2, 2), PROTOCOL),
    "an initial window beyond all bounds": (setting(4, 1 << 31), FLOW),
    "frames smaller than allowed": (setting(5, 16383), PROTOCOL),
    "frames larger than allowed": (setting(5, 1 << 24), PROTOCOL),
    "PUSH_PROMISE from a client": (OPEN + frame(PUSH_PROMISE, END_HEADERS, 1, ZERO + BLOCK), PROTOCOL),
    "PING of a stream": (frame(PING, 0, 1, bytes(8)), PROTOCOL),
    "PING of another length": (frame(PING, 0, 0, bytes(7)), SIZE),
    "GOAWAY of a stream": (frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL),
    "GOAWAY without a code": (frame(GOAWAY, 0, 0, ZERO), PROTOCOL),
    "WINDOW_UPDATE of nothing": (frame(WINDOW_UPDATE, 0, 0, ZERO), PROTOCOL),
    "WINDOW_UPDATE beyond all bounds": (frame(WINDOW_UPDATE, 0, 0, MOST), FLOW),
    "WINDOW_UPDATE of another length": (frame(WINDOW_UPDATE, 0, 0, bytes(5)), SIZE),
    "WINDOW_UPDATE of a stream that has not begun": (frame(WINDOW_UPDATE, 0, 1, MOST), PROTOCOL),
    "a frame larger than was offered": (frame(DATA, 0, 1, bytes(16385)), SIZE),
}


@pytest.mark.parametrize("what", CONNECTION_FAULTS)
async def test_a_broken_rule_of_the_connection_ends_it(what: str) -> None:
    data, code = CONNECTION_FAULTS[what]
    peer = Peer().shake_hands()
    peer.send(data)
    last = peer.frames()[-1]
    assert (last.kind, last.number) == (GOAWAY, code)
    assert not peer.open
    await peer.lose()


def malformed(*more: tuple[str, str], path: str = "/test.Echo/Unary", **replaced: str) -> bytes:
    return frame(HEADERS, END_HEADERS, 1, Encoder().encode(head(path, *more, **replaced)))


STREAM_FAULTS = {
    "DATA after the end": (OPEN + frame(DATA, END_STREAM, 1) + frame(DATA, 0, 1, b"x"), CLOSED),
    "DATA after the answer": (WHOLE + frame(DATA, 0, 1, b"x"), CLOSED),
    "HEADERS after the answer": (WHOLE + frame(HEADERS, END_HEADERS, 1, BLOCK), CLOSED),
    "a second head": (OPEN + frame(HEADERS, END_HEADERS, 1, BLOCK), PROTOCOL),
    "WINDOW_UPDATE of nothing": (OPEN + frame(WINDOW_UPDATE, 0, 1, ZERO), PROTOCOL),
    "WINDOW_UPDATE beyond all bounds": (OPEN + frame(WINDOW_UPDATE, 0, 1, MOST), FLOW),
    "PRIORITY of another length": (OPEN + frame(PRIORITY, 0, 1, bytes(4)), SIZE),
    "a name in capitals": (malformed(("X-Name", "1")), PROTOCOL),
    "a name with a space": (malformed(("x name", "1")), PROTOCOL),
    "a value with a line break": (malformed(("x-name", "1\r\nx: 2")), PROTOCOL),
    "a field of the connection": (malformed(("connection", "close")), PROTOCOL),
    "te that is not trailers": (malformed(te="gzip"), PROTOCOL),
    "an unknown pseudo-field": (malformed((":protocol", "x")), PROTOCOL),
    "a pseudo-field after the others": (malformed((":path", "/x")), PROTOCOL),
    "no path": (malformed(path=""), PROTOCOL),
    "a timeout that is none": (malformed(("grpc-timeout", "1.5S")), PROTOCOL),
    "a timeout of nine digits": (malformed(("grpc-timeout", "123456789S")), PROTOCOL),
    "a length that is none": (malformed(("content-length", "-1")), PROTOCOL),
    "more DATA than announced": (malformed(("content-length", "3")) + frame(DATA, 0, 1, message(b"x")), PROTOCOL),
    "less DATA than announced": (
        malformed(("content-length", "30")) + frame(DATA, END_STREAM, 1, message(b"x")),
        PROTOCOL,
    ),
}


@pytest.mark.parametrize("what", STREAM_FAULTS)
async def test_a_broken_rule_of_a_stream_ends_the_stream_alone(what: str) -> None:
    data, code = STREAM_FAULTS[what]
    peer = Peer().shake_hands()
    peer.send(data)
    resets = [one for one in peer.frames() if one.kind == RST_STREAM]
    assert [(one.stream, one.number) for one in resets] == [(1, code)]
    untabled = Encoder()  # refers to nothing that the blocks above may have put into the table
    untabled.header_table_size = 0
    peer.send(frame(HEADERS, END_HEADERS, 3, untabled.encode(head())) + frame(DATA, END_STREAM, 3, message(b"alive")))
    assert b"alive" in peer.transport.sent
    await peer.lose()


async def test_padding_and_priority_are_passed_over() -> None:
    peer = Peer().shake_hands()
    padded_head = frame(HEADERS, END_HEADERS | PADDED | 0x20, 1, b"\x03" + bytes(5) + BLOCK + bytes(3))
    peer.send(padded_head + frame(DATA, END_STREAM | PADDED, 1, b"\x02" + message(b"hello") + bytes(2)))
    assert peer.service.asked == [b"hello"]
    await peer.lose()


async def test_padding_takes_nothing_of_a_calls_window_for_long() -> None:
    peer = Peer().shake_hands()
    peer.send(peer.headers(1, head("/test.Echo/Chat")))
    for _ in range(3):
        peer.send(frame(DATA, PADDED, 1, b"\xff" + message(b"hello") + bytes(255)))
        back = [one.number for one in await peer.answers() if one.kind == WINDOW_UPDATE and one.stream == 1]
        assert back == [256]
    assert peer.service.asked == [b"hello"] * 3
    await peer.lose()


async def test_a_head_in_pieces_is_put_together() -> None:
    peer = Peer().shake_hands()
    peer.send(frame(HEADERS, 0, 1, BLOCK[:3]) + frame(CONTINUATION, 0, 1, BLOCK[3:9]))
    peer.send(frame(CONTINUATION, END_HEADERS, 1, BLOCK[9:]) + frame(DATA, END_STREAM, 1, message(b"hello")))
    assert peer.service.asked == [b"hello"]
    await peer.lose()


async def test_unknown_frames_settings_and_reserved_bits_are_passed_over() -> None:
    peer = Peer().shake_hands()
    peer.send(frame(200, 0xFF, 77, b"whatever") + setting(0x99, 12345) + frame(PING, 0, 1 << 31, b"12345678"))
    found = peer.frames()
    assert [(one.kind, one.flags) for one in found] == [(SETTINGS, ACK), (PING, ACK)]
    assert found[1].payload == b"12345678"
    await peer.lose()


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", PREFACE[:-1] + b"x"])
async def test_what_is_no_http2_is_told_so(data: bytes) -> None:
    peer = Peer()
    peer.send(data)
    assert peer.frames()[-1].kind == GOAWAY
    await peer.lose()


async def test_the_first_frame_must_be_settings() -> None:
    for data in (OPEN, frame(PING, 0, 0, bytes(8)), frame(DATA, 0, 1, b"x")):
        peer = Peer()
        peer.send(PREFACE + data)
        assert (peer.frames()[-1].kind, peer.open) == (GOAWAY, False)
        await peer.lose()


async def test_more_calls_than_offered_are_refused_and_may_be_tried_again() -> None:
    peer = Peer().shake_hands()
    for stream in range(1, 2 * 50, 2):
        peer.call(stream, "/test.Echo/Held", b"x")
    peer.frames()
    peer.call(101, "/test.Echo/Unary", b"one too many")
    assert [(one.kind, one.stream, one.number) for one in peer.frames()] == [(RST_STREAM, 101, REFUSED)]
    assert peer.service.asked == [b"x"] * 50
    await peer.lose()
    assert peer.service.cancelled == 50


async def test_header_blocks_without_end_end_the_connection() -> None:
    endless = frame(HEADERS, 0, 1, BLOCK) + frame(CONTINUATION, 0, 1) * 1000
    bomb = Encoder().encode([("a", "v" * 3000)]) + b"\xbe" * 1000  # a thousand references to one entry of 3 kB
    for data in (endless, frame(HEADERS, END_HEADERS, 1, bomb)):
        peer = Peer().shake_hands()
        peer.send(data)
        last = peer.frames()[-1]
        assert (last.kind, last.number, peer.open) == (GOAWAY, CALM, False)
        await peer.lose()
