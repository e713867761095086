"""What the calls of a server may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What the calls of a server may take.

    Attributes:
        max_message_bytes: Of one message.
        max_held_bytes: Of messages that are not complete, or wait to be sent, over all connections.
        max_calls: At a time, of one connection and of all.
        window: Bytes of DATA that a client may send of one call before it is told to go on.
        connection_window: The same of all calls of one connection.
    """

    max_message_bytes: int
    max_held_bytes: int
    max_calls: int
    window: int = 4 << 20
    connection_window: int = 16 << 20
