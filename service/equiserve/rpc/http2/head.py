"""The head of a call: its header block decoded, and the block of an answer encoded.

The blocks that a client sends for the same method are a few bytes of references and repeat, so what a block said is
kept for as long as the table that it refers to stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import grpc
from hpack import Decoder, HPACKError
from hpack.exceptions import OversizedHeaderListError

from equiserve.rpc.http2.frames import ConnectionFault, ErrorCode, StreamFault
from equiserve.rpc.http2.messages import ENCODINGS

#: Bytes of the fields of one head, as HPACK counts them.
MAX_HEAD_BYTES = 32 << 10
_MAX_KNOWN = 64

_PSEUDO = (b":method", b":scheme", b":path", b":authority")
# Fields of a connection, not of a message: HTTP/2 has no use for them (RFC 9113, 8.2.2).
_FORBIDDEN = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"})
_OWN = frozenset({b"te", b"content-type", b"grpc-timeout", b"grpc-encoding", b"grpc-accept-encoding"})
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_NAME = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")

#: A path to the handler that serves it; None for an unknown one.
Lookup = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What the fields of a request say; shared by all calls that repeat them.

    Attributes:
        path: `/package.Service/Method`.
        handler: What serves it, a `grpc.RpcMethodHandler` (see `Handler`); None where nothing does.
        metadata: Text fields of the caller, lower-case names; of a name that comes twice the last. Binary ones
            (`-bin`) are left out.
        timeout_s: `grpc-timeout` in seconds; None = none.
        encoding: `grpc-encoding` of the messages.
        content_length: Of the request's DATA, where it is announced.
        is_grpc: Whether method and content type are those of gRPC.
    """

    path: str
    handler: Any
    metadata: Mapping[str, str]
    timeout_s: float | None
    encoding: str
    content_length: int | None
    is_grpc: bool


class HeadDecoder:
    """Decodes the header blocks of one connection, in their order.

    Args:
        lookup: Finds a handler by its path.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._hpack = Decoder(MAX_HEAD_BYTES)
        self._known: dict[bytes, RequestHead] = {}

    def request(self, block: bytes) -> RequestHead:
        """Return the head of a request.

        Raises:
            ConnectionFault: The block cannot be decoded, or holds too much; the table is lost with it.
            StreamFault: It can, and is no request (RFC 9113, 8.1.1: malformed).
        """
        known = self._known.get(block)
        if known is not None:
            return known
        entries = self._hpack.header_table.dynamic_entries
        size, newest = len(entries), entries[0] if entries else None
        fields = self.fields(block)
        # A new entry shifts all references, an evicted one takes some away.
        if len(entries) != size or (entries and entries[0] is not newest):
            self._known.clear()
            return self._read(fields)
        head = self._read(fields)
        if len(self._known) == _MAX_KNOWN:
            self._known.clear()
        self._known[block] = head
        return head

    def fields(self, block: bytes) -> list[tuple[bytes, bytes]]:
        """Return the fields of any block; raises ConnectionFault."""
        try:
            return list(self._hpack.decode(block, raw=True))
        except OversizedHeaderListError:
            reason = f"header fields of more than {MAX_HEAD_BYTES} bytes"
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, reason) from None
        except HPACKError:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, "a header block that HPACK cannot decode") from None

    def _read(self, fields: Iterable[tuple[bytes, bytes]]) -> RequestHead:
        pseudo: dict[bytes, bytes] = {}
        plain: dict[bytes, bytes] = {}
        metadata: dict[str, str] = {}
        for name, value in fields:
            if name.startswith(b":"):
                if name not in _PSEUDO or name in pseudo or plain:
                    raise _malformed(name)
                pseudo[name] = value
                continue
            if not name or not _NAME.issuperset(name) or name in _FORBIDDEN or not _fit(value):
                raise _malformed(name)
            plain[name] = value
            if name not in _OWN and not name.endswith(b"-bin"):
                metadata[name.decode("ascii")] = value.decode("latin-1")
        path, method = pseudo.get(b":path", b""), pseudo.get(b":method", b"")
        if not path or not method or b":scheme" not in pseudo:
            raise _malformed(b":path")
        if plain.get(b"te", b"trailers") != b"trailers":
            raise _malformed(b"te")
        text = path.decode("latin-1")
        return RequestHead(
            text,
            self._lookup(text),
            metadata,
            _timeout_s(plain.get(b"grpc-timeout")),
            plain.get(b"grpc-encoding", b"identity").decode("latin-1"),
            _length(plain.get(b"content-length")),
            method == b"POST" and _is_grpc(plain.get(b"content-type", b"")),
        )


def response_block() -> bytes:
    """Return the header block that begins every answer: no table, `:status: 200`, and the content type."""
    return b"\x20\x88" + header_block([("content-type", "application/grpc")])


def trailer_block(status: grpc.StatusCode, message: str = "", metadata: Iterable[tuple[str, str]] = ()) -> bytes:
    """Return the header block that ends an answer."""
    fields = [("grpc-status", str(status.value[0]))]
    if message:
        fields.append(("grpc-message", percent_encoded(message)))
    return header_block([*fields, *metadata])


def refusal_block(status: grpc.StatusCode, message: str) -> bytes:
    """Return the header block of an answer that is nothing but its end."""
    return response_block() + trailer_block(status, message, [("grpc-accept-encoding", ",".join(ENCODINGS))])


def header_block(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return a block that refers to no table: it may be sent at any time, and be kept."""
    block = bytearray()
    for name, value in fields:
        block.append(0)  # literal, a new name, not to be put into the table
        block += _string(name.encode("ascii")) + _string(value.encode("latin-1"))
    return bytes(block)


def percent_encoded(text: str) -> str:
    """Return text as `grpc-message` holds it: printable ASCII, all else as percent signs and UTF-8."""
    return quote(text, safe=_PRINTABLE)


# Printable ASCII but the percent sign.
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


def _string(value: bytes) -> bytes:
    size = len(value)
    if size < 0x7F:
        return bytes((size,)) + value
    head = bytearray((0x7F,))
    size -= 0x7F
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + value


def _malformed(name: bytes) -> StreamFault:
    return StreamFault(ErrorCode.PROTOCOL_ERROR, f"a malformed request at field {name[:40]!r}")


def _fit(value: bytes) -> bool:
    return not (b"\0" in value or b"\r" in value or b"\n" in value)


def _is_grpc(content_type: bytes) -> bool:
    return content_type == b"application/grpc" or content_type.startswith((b"application/grpc+", b"application/grpc;"))


def _timeout_s(value: bytes | None) -> float | None:
    """Return the seconds of `grpc-timeout`: at most eight digits and a unit."""
    if value is None:
        return None
    digits, unit = value[:-1], _UNITS.get(value[-1:].decode("latin-1"))
    if unit is None or not digits.isdigit() or len(digits) > 8:
        raise _malformed(b"grpc-timeout")
    return int(digits) * unit


def _length(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit() or len(value) > 18:
        raise _malformed(b"content-length")
    return int(value)
