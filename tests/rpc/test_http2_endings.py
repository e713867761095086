"""Nothing hangs: silent and deaf peers, requests and answers that stop half-way, deadlines, a server that stops."""

from __future__ import annotations

import asyncio

import pytest
from http2_peer import (
    ACK,
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    Frame,
    Peer,
    frame,
    initial_window,
    message,
)

from equiserve.rpc.http2.vigil import TICK_S

DEADLINE, UNAVAILABLE = "4", "14"


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
    assert service_peer.fields(next(one for one in found if one.kind == HEADERS))["grpc-status"] == UNAVAILABLE
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
