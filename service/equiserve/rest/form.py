"""A multipart form (RFC 7578) to its files and its text fields.

The body is in memory, so delimiters are found by search: a streaming parser's callbacks cost more than twice as much.
"""

from __future__ import annotations

from collections.abc import Iterator

from python_multipart.multipart import parse_options_header

from equiserve.errors import InvalidRequest
from equiserve.rest.tensors import Buffer

#: Most files and most text fields of one form.
MAX_PARTS = 256
_MAX_TEXT = 1 << 20
_MAX_HEADERS = 16 << 10


def read_form(body: Buffer, content_type: str) -> tuple[list[bytes], dict[str, str]]:
    """Return the files, which all are fields `file`, in their order, and the text fields by name.

    Args:
        body: The whole body.
        content_type: Names the boundary.

    Raises:
        InvalidRequest: No form or one that is cut off (`broken_form`), a file of another name (`unknown_file`), a text
            field that came twice (`duplicate_option`).
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise _broken("its content type names no boundary")
    files: list[bytes] = []
    texts: dict[str, str] = {}
    for headers, data in _parts(body, boundary):
        name, is_file = _named(headers)
        if len(files if is_file else texts) == MAX_PARTS:
            raise _broken(f"it has more than {MAX_PARTS} {'files' if is_file else 'text fields'}")
        if not is_file and name in texts:
            raise InvalidRequest(f"option {name[:80]!r} came twice", code="duplicate_option", field=name[:80])
        if not is_file and len(data) > _MAX_TEXT:
            raise _broken(f"text field {name[:80]!r} has {len(data)} bytes, at most {_MAX_TEXT} are taken")
        if is_file and name != "file":
            raise InvalidRequest(
                f"form field {name[:80]!r} is a file, expected files as `file`", code="unknown_file", field=name[:80]
            )
        if is_file:
            files.append(data)
        else:
            texts[name] = _text(data)
    return files, texts


def _parts(body: Buffer, boundary: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield header lines and content of each part (RFC 2046, section 5.1.1: what precedes or follows them is void)."""
    delimiter = b"\r\n--" + boundary
    place = len(delimiter) - 2
    if not body.startswith(delimiter[2:]):
        place = body.find(delimiter) + len(delimiter)
        if place < len(delimiter):
            raise _broken("its boundary is not in it")
    while not body.startswith(b"--", place):
        # Blanks may follow a boundary.
        begin, end = body.find(b"\r\n", place), body.find(b"\r\n\r\n", place, place + _MAX_HEADERS)
        if begin == -1 or body[place:begin].strip(b" \t"):
            raise _broken("a boundary is followed by neither a line's end nor its last dashes")
        if end == -1:
            raise _broken("a part's headers do not end")
        next_place = body.find(delimiter, end + 4)
        if next_place == -1:
            raise _broken("it is cut off within a part")
        yield bytes(body[begin + 2 : end]), bytes(body[end + 4 : next_place])
        place = next_place + len(delimiter)


def _named(headers: bytes) -> tuple[str, bool]:
    """Return a part's name, and whether it is a file."""
    for line in headers.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-disposition":
            options = parse_options_header(value.strip())[1]
            if b"name" in options:
                return _text(options[b"name"]), b"filename" in options
    raise _broken('a part has no content-disposition with a "name"')


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _broken(why: str) -> InvalidRequest:
    return InvalidRequest(f"broken form: {why}", code="broken_form", field="body")
