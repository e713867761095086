"""The messages in a call's DATA: one byte that says whether it is compressed, four bytes of length, the message."""

from __future__ import annotations

import zlib

from equiserve.errors import InvalidRequest, TooLarge

PREFIX_BYTES = 5
#: Codings of messages that are understood; answers are never compressed.
ENCODINGS = ("identity", "deflate", "gzip")
# zlib's own word for "a gzip header, or a zlib one".
_EITHER = 32 + zlib.MAX_WBITS


class MessageReader:
    """Puts the messages of one direction of a call together, whatever frames they came in.

    What was not asked for yet stays as it came: a flood of tiny messages takes no more memory than its bytes.

    Args:
        max_bytes: Of one message.
    """

    __slots__ = ("_buffer", "_max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def __len__(self) -> int:
        """Return the bytes that wait."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take what came in a frame."""
        self._buffer += data

    def check(self) -> None:
        """Look at the beginning of the next message; raises as `take`, long before it is complete."""
        if len(self._buffer) >= PREFIX_BYTES:
            announced(self._buffer, self._max_bytes)

    def take(self) -> tuple[bool, bytes] | None:
        """Return whether the next message is compressed, and its bytes; None while it is not complete.

        Raises:
            TooLarge: It announces more than `max_bytes`.
            InvalidRequest: Its first byte is neither 0 nor 1.
        """
        buffer = self._buffer
        if len(buffer) < PREFIX_BYTES:
            return None
        end = PREFIX_BYTES + announced(buffer, self._max_bytes)
        if len(buffer) < end:
            return None
        with memoryview(buffer) as view:
            message = bytes(view[PREFIX_BYTES:end])
        compressed = buffer[0] == 1
        del buffer[:end]
        return compressed, message


def announced(data: bytes | bytearray, max_bytes: int) -> int:
    """Return the length of the message that begins here; raises as `MessageReader.take`."""
    if data[0] > 1:
        raise InvalidRequest(f"a message begins with byte {data[0]}, expected 0 or 1", code="malformed_message")
    length = int.from_bytes(data[1:PREFIX_BYTES], "big")
    if length > max_bytes:
        raise TooLarge(f"a message of {length} bytes, at most {max_bytes} are taken", code="body_too_large")
    return length


def inflated(message: bytes, encoding: str, max_bytes: int) -> bytes:
    """Return a message without its compression.

    Raises:
        TooLarge: It inflates beyond `max_bytes`.
        InvalidRequest: It is not what `encoding` says.
    """
    if encoding == "identity":
        raise InvalidRequest("a compressed message in a call without grpc-encoding", code="malformed_message")
    inflater = zlib.decompressobj(_EITHER)
    try:
        plain = inflater.decompress(message, max_bytes + 1)
    except zlib.error as error:
        raise InvalidRequest(f"a message that is no {encoding}: {error}", code="malformed_message") from None
    if len(plain) > max_bytes:
        raise TooLarge(f"a message inflates beyond {max_bytes} bytes", code="body_too_large")
    if not inflater.eof:
        raise InvalidRequest(f"a message whose {encoding} is cut off", code="malformed_message")
    return plain
