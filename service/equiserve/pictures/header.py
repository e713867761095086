"""What a picture file says of itself before anything of it is decoded."""

from __future__ import annotations

import io
import struct
from typing import NamedTuple

from PIL import Image

from equiserve.errors import InvalidRequest, TooLarge

# Pillow's own limit would warn (once for the whole process) or raise at sizes that an operator cannot set here.
Image.MAX_IMAGE_PIXELS = None

#: What Pillow raises for files that are damaged in one way or another.
DAMAGE = (OSError, ValueError, SyntaxError, EOFError, struct.error)

_EXPECTED = "expected a PNG, JPEG or WebP file"
_OTHER_FORMATS = {
    b"GIF8": "a GIF",
    b"BM": "a BMP",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"%PDF": "a PDF",
    b"\x93NUMPY": "a NumPy array",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip file",
}


class PictureHeader(NamedTuple):
    """What a file says of itself: pixels as stored (EXIF orientation not applied), and PNG, JPEG or WEBP."""

    width: int
    height: int
    format: str


def probe(file: bytes, *, max_pixels: int, field: str = "picture") -> PictureHeader:
    """Read format and size from a file's header, decoding nothing.

    Args:
        file: The file's bytes.
        max_pixels: Largest width * height.
        field: The request's field, for errors.

    Raises:
        InvalidRequest: No PNG, JPEG or WebP file (`not_a_picture`), or its header is broken (`broken_picture`).
        TooLarge: More pixels than allowed (`picture_too_large`).
    """
    kind = _format_of(file)
    if kind is None:
        raise InvalidRequest(f"{field}: got {_describe(file)}, {_EXPECTED}", code="not_a_picture", field=field)
    if kind == "WEBP":
        # Opening a WebP allocates its whole canvas.
        width, height = _webp_size(file, field)
    else:
        with open_picture(file, kind, field) as image:
            width, height = image.size
    if width * height > max_pixels:
        raise TooLarge(
            f"{field}: the {kind} has {width} x {height} = {width * height} pixels, at most {max_pixels} are decoded",
            code="picture_too_large",
            field=field,
        )
    return PictureHeader(width, height, kind)


def _format_of(file: bytes) -> str | None:
    if file.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if file.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if file[:4] == b"RIFF" and file[8:12] == b"WEBP":
        return "WEBP"
    return None


def _webp_size(file: bytes, field: str) -> tuple[int, int]:
    """Return width and height from any of the three kinds of first chunk (RFC 9649, sections 2.5 to 2.7)."""
    chunk = file[12:16]
    if chunk == b"VP8X" and len(file) >= 30:
        return int.from_bytes(file[24:27], "little") + 1, int.from_bytes(file[27:30], "little") + 1
    if chunk == b"VP8L" and len(file) >= 25 and file[20] == 0x2F:
        bits = int.from_bytes(file[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 " and len(file) >= 30 and file[23:26] == b"\x9d\x01\x2a":
        return int.from_bytes(file[26:28], "little") & 0x3FFF, int.from_bytes(file[28:30], "little") & 0x3FFF
    raise broken_picture(file, "WEBP", "its header has no size", field)


def open_picture(file: bytes, kind: str, field: str) -> Image.Image:
    """Open a file without decoding it; raises InvalidRequest (`broken_picture`)."""
    try:
        return Image.open(io.BytesIO(file), formats=[kind])
    except DAMAGE as error:
        raise broken_picture(file, kind, "its header cannot be read", field) from error


def broken_picture(file: bytes, kind: str, why: str, field: str) -> InvalidRequest:
    """Return the error for a file that begins well and ends badly."""
    return InvalidRequest(
        f"{field}: got a {kind} of {len(file)} bytes that is truncated or damaged ({why}); expected a whole file",
        code="broken_picture",
        field=field,
    )


def _describe(file: bytes) -> str:
    if not file:
        return "an empty file"
    for magic, name in _OTHER_FORMATS.items():
        if file.startswith(magic):
            return name
    first = file[:40]
    try:
        text = first.decode("utf-8")
    except UnicodeDecodeError:
        return f"a file that begins with the bytes {first[:8].hex(' ')}"
    return f"text that begins with {text!r}" if text.isprintable() or text.split() else f"bytes {first[:8].hex(' ')}"
