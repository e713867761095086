"""Laws of the connection, for any bytes: it never raises, keeps nothing, and how the bytes were cut changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any

import h2.config
import h2.connection
import h2.events
from hpack import Decoder, Encoder
from http2_peer import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    SETTINGS,
    Peer,
    frame,
    head,
    message,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from equiserve.rpc.http2.frames import ConnectionFault, StreamFault
from equiserve.rpc.http2.head import HeadDecoder, header_block, percent_encoded

PATHS = ["/test.Echo/Unary", "/test.Echo/Task", "/test.Echo/Count", "/test.Echo/Chat", "/test.Echo/Fails", "/no/such"]

payloads = st.binary(max_size=40)
some_frames = st.builds(
    frame,
    st.integers(0, 11),
    st.integers(0, 255),
    st.integers(0, 9),
    st.one_of(
        payloads,
        st.builds(message, payloads),
        st.builds(lambda path: Encoder().encode(head(path)), st.sampled_from(PATHS)),
        st.integers(0, 2**32 - 1).map(lambda number: number.to_bytes(4, "big")),
        st.builds(
            lambda name, value: bytes((0, name)) + value.to_bytes(4, "big"), st.integers(0, 7), st.integers(0, 70_000)
        ),
    ),
)
calls = st.builds(
    lambda stream, path, data: (
        frame(HEADERS, END_HEADERS, 2 * stream + 1, Encoder().encode(head(path)))
        + frame(DATA, END_STREAM, 2 * stream + 1, message(data))
    ),
    st.integers(0, 4),
    st.sampled_from(PATHS),
    st.sampled_from([b"x", b"3", b"typed", b"aborted"]),
)
conversations = st.lists(st.one_of(some_frames, calls, st.binary(max_size=12)), max_size=12).map(b"".join)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def talk(pieces: list[bytes]) -> tuple[bytes, list[bytes]]:
    """Return what the server said and what its handlers were asked; checks that nothing of it is left."""

    async def run() -> tuple[bytes, list[bytes]]:
        peer = Peer()
        for piece in pieces:
            peer.send(piece)
        await peer.answers(60)
        said = bytes(peer.transport.sent)
        peer._read = 0
        peer.frames()  # whole frames only
        await peer.lose()
        await asyncio.sleep(0)
        assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        return said, peer.service.asked

    return asyncio.run(run())


@settings(deadline=None, max_examples=150)
@given(conversations, st.lists(st.integers(0, 10_000), max_size=6))
def test_any_bytes_are_taken_without_raising_and_however_they_are_cut(data: bytes, places: list[int]) -> None:
    data = PREFACE + frame(SETTINGS, 0, 0) + data
    assert sorted(talk([data])[1]) == sorted(talk(cut(data, places))[1])


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=200), st.booleans())
def test_noise_is_taken_without_raising(data: bytes, after_preface: bool) -> None:
    talk([PREFACE + data if after_preface else data])


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.sampled_from(["Unary", "Task"]), min_size=1, max_size=6), st.lists(st.integers(0, 10_000), max_size=8)
)
def test_well_formed_calls_are_answered_byte_for_byte_however_they_are_cut(names: list[str], places: list[int]) -> None:
    encoder = Encoder()
    data = PREFACE + frame(SETTINGS, 0, 0)
    for position, name in enumerate(names):
        data += frame(HEADERS, END_HEADERS, 2 * position + 1, encoder.encode(head(f"/test.Echo/{name}")))
        data += frame(DATA, END_STREAM, 2 * position + 1, message(name.encode()))
    whole, pieces = talk([data]), talk(cut(data, places))
    assert sorted(whole[1]) == sorted(pieces[1]) == sorted(name.encode() for name in names)
    assert len(whole[0]) == len(pieces[0])


names = st.text("abcdefgh-", min_size=1, max_size=8).filter(lambda name: not name.endswith("-bin"))
fields = st.tuples(names, st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from(PATHS), st.lists(fields, max_size=4), st.integers(1, 3)), max_size=12),
    st.sampled_from([None, 0, 100, 200, 4096]),
)
def test_a_block_that_is_known_already_says_what_it_would_say_decoded_anew(
    heads: list[tuple[str, list[tuple[str, str]], int]], table: int | None
) -> None:
    encoder, known = Encoder(), HeadDecoder(lambda path: path)
    reference = Decoder()
    if table is not None:
        encoder.header_table_size = table
    for path, more, times in heads:
        for _ in range(times):
            block = encoder.encode(head(path, *more))
            expected = dict(reference.decode(block))
            found = known.request(block)
            assert (found.path, found.handler) == (expected[":path"], path)
            assert found.metadata == {
                name: value for name, value in expected.items() if name[0] != ":" and name not in ("te", "content-type")
            }


@given(st.binary(max_size=60))
def test_any_block_is_a_head_or_a_fault(block: bytes) -> None:
    with contextlib.suppress(ConnectionFault, StreamFault):
        HeadDecoder(lambda path: None).request(block)


@given(st.text(max_size=300))
def test_a_message_survives_its_header_block(text: str) -> None:
    from urllib.parse import unquote

    block = header_block([("grpc-message", percent_encoded(text))])
    ((name, value),) = Decoder().decode(block)
    assert (name, unquote(value)) == ("grpc-message", text.encode("utf-8", "replace").decode())


async def test_an_independent_http2_client_finds_nothing_wrong_with_the_answers() -> None:
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    client.initiate_connection()
    peer = Peer()
    read = 0
    events: list[Any] = []

    async def exchange() -> None:
        nonlocal read
        peer.send(client.data_to_send())
        for _ in range(40):
            await asyncio.sleep(0)
            heard, read = bytes(peer.transport.sent[read:]), len(peer.transport.sent)
            events.extend(client.receive_data(heard))
            if answer := client.data_to_send():
                peer.send(answer)

    await exchange()
    client.update_settings({h2.settings.SettingCodes.HEADER_TABLE_SIZE: 0})
    asked = [
        ("Unary", b"a"),
        ("Task", b"b"),
        ("Count", b"3"),
        ("Fails", b"aborted"),
        ("Fails", b"typed"),
        ("Fails", b"?"),
    ]
    for position, (name, data) in enumerate(asked):
        client.send_headers(2 * position + 1, head(f"/test.Echo/{name}"))
        client.send_data(2 * position + 1, message(data), end_stream=True)
    await exchange()
    for position, (name, data) in enumerate(asked):
        mine = [event for event in events if getattr(event, "stream_id", 0) == 2 * position + 1]
        body = b"".join(event.data for event in mine if isinstance(event, h2.events.DataReceived))
        ends = [
            dict(event.headers)
            for event in mine
            if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived))
        ]
        assert isinstance(mine[-1], h2.events.StreamEnded)
        assert ends[0][":status"] == "200"
        status = {b"aborted": "15", b"typed": "5", b"?": "13"}.get(data, "0")
        assert ends[-1]["grpc-status"] == status
        assert (
            body
            == {"Unary": message(data), "Task": message(data), "Count": message(bytes(1000)) * 3, "Fails": b""}[name]
        )
        if data == b"aborted":
            assert ends[-1]["grpc-message"] == "lost: 100 %25 %E2%80%94 all"
            assert ends[-1]["why"] == "a test"
        if data == b"?":
            assert "secret" not in str(ends)
    await peer.lose()
