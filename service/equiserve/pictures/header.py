"""What a picture file says of itself before anything of it is decoded."""

from __future__ import annotations

from typing import NamedTuple

from equiserve.errors import InvalidRequest, TooLarge

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

# JPEG markers: SOF0 to SOF15 without DHT, JPG and DAC; those without a length: stuffing, TEM, RST, SOI, EOI and fill.
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA
_BARE_MARKERS = frozenset({0x00, 0x01, *range(0xD0, 0xDA), 0xFF})


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
    # Not by Pillow: to open a small file takes half as long as to decode it, and a WebP's whole canvas is allocated.
    size = {"PNG": _png_size, "JPEG": _jpeg_size, "WEBP": _webp_size}[kind](file)
    if size is None:
        raise broken_picture(file, kind, "its header has no size", field)
    width, height = size
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


def _png_size(file: bytes) -> tuple[int, int] | None:
    """Return width and height from the header chunk, which comes first (PNG, third edition, section 11.2.1)."""
    if file[12:16] != b"IHDR" or len(file) < 24:
        return None
    return int.from_bytes(file[16:20], "big"), int.from_bytes(file[20:24], "big")


def _jpeg_size(file: bytes) -> tuple[int, int] | None:
    """Return width and height from the first frame header (ITU-T T.81, B.1.1 and B.2.2)."""
    place = 2
    while True:
        place = file.find(b"\xff", place) + 1
        if place == 0 or len(file) < place + 8:
            return None
        marker = file[place]
        if marker in _FRAME_HEADERS:
            return int.from_bytes(file[place + 6 : place + 8], "big"), int.from_bytes(
                file[place + 4 : place + 6], "big"
            )
        if marker == _START_OF_SCAN:
            return None
        if marker in _BARE_MARKERS:
            place += marker != 0xFF
        else:
            place += 1 + int.from_bytes(file[place + 1 : place + 3], "big")


def _webp_size(file: bytes) -> tuple[int, int] | None:
    """Return width and height from any of the three kinds of first chunk (RFC 9649, sections 2.5 to 2.7)."""
    chunk = file[12:16]
    if chunk == b"VP8X" and len(file) >= 30:
        return int.from_bytes(file[24:27], "little") + 1, int.from_bytes(file[27:30], "little") + 1
    if chunk == b"VP8L" and len(file) >= 25 and file[20] == 0x2F:
        bits = int.from_bytes(file[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 " and len(file) >= 30 and file[23:26] == b"\x9d\x01\x2a":
        return int.from_bytes(file[26:28], "little") & 0x3FFF, int.from_bytes(file[28:30], "little") & 0x3FFF
    return None


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
