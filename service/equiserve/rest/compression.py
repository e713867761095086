"""Compressed bodies: requests are inflated under a cap, answers are deflated for clients that ask."""

from __future__ import annotations

import gzip
import zlib

from equiserve.errors import InvalidRequest, TooLarge

#: Smaller answers are not worth the time.
WORTH_COMPRESSING = 16 << 10
_FASTEST = 1
# zlib's window sizes: +16 expects a gzip header, a negative one no header at all.
_WINDOW = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


def inflate(body: bytes | bytearray, coding: str, max_bytes: int) -> bytes:
    """Return a request's body without its content coding.

    Args:
        body: The bytes that came.
        coding: The `content-encoding` header.
        max_bytes: Most bytes that may come out; no more than that is ever held.

    Raises:
        InvalidRequest: An unknown coding, or bytes that are not of it.
        TooLarge: More than `max_bytes` would come out.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return bytes(body)
    if coding not in _WINDOW:
        raise InvalidRequest(
            f"header content-encoding: got {coding[:40]!r}, expected gzip or deflate",
            code="unknown_encoding",
            field="content-encoding",
        )
    window = _WINDOW[coding]
    if coding == "deflate" and not _has_zlib_header(body):
        window = -zlib.MAX_WBITS
    stream = zlib.decompressobj(window)
    try:
        plain = stream.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise InvalidRequest(f"the body is not {coding}: {error}", code="broken_encoding", field="body") from None
    if len(plain) > max_bytes:
        raise TooLarge(f"the body inflates to more than {max_bytes} bytes", code="body_too_large", field="body")
    if not stream.eof or stream.unused_data:
        wrong = "ends too early" if not stream.eof else f"goes on for {len(stream.unused_data)} bytes after its end"
        raise InvalidRequest(f"the {coding} body {wrong}", code="broken_encoding", field="body")
    return plain


def choose_coding(accept_encoding: str | None, body_bytes: int, *, is_text: bool) -> str | None:
    """Return the coding to answer with, or None.

    Raw numbers hardly shrink, and most HTTP libraries offer every coding that they know: raw tensors are compressed
    only for a caller that names a single one.
    """
    if accept_encoding is None or body_bytes < WORTH_COMPRESSING:
        return None
    offered = [_coding(part) for part in accept_encoding.lower().split(",")]
    if not is_text and len(offered) > 1:
        return None
    return next((coding for coding in offered if coding in _WINDOW), None)


def deflate(body: bytes, coding: str) -> bytes:
    """Return the body in `gzip` or `deflate` coding."""
    return gzip.compress(body, _FASTEST, mtime=0) if coding == "gzip" else zlib.compress(body, _FASTEST)


def _coding(offer: str) -> str | None:
    name, _, quality = offer.partition(";")
    refused = quality.replace(" ", "").rstrip("0").rstrip(".") in ("q=", "q=0")
    return None if refused else name.strip()


def _has_zlib_header(body: bytes | bytearray) -> bool:
    return len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
