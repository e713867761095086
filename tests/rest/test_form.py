"""Multipart forms, as HTTP libraries write them and as strangers break them."""

from __future__ import annotations

import secrets

import httpx
import pytest

from equiserve.errors import InvalidRequest
from equiserve.rest.form import read_form

TYPE = "multipart/form-data; boundary=edge"


def part(name: str, content: bytes, *, file: bool = True) -> bytes:
    filename = '; filename="a.png"' if file else ""
    return f'--edge\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n'.encode() + content + b"\r\n"


@pytest.mark.parametrize("seed", range(5))
def test_what_an_http_library_writes_is_read_back(seed: int) -> None:
    contents = [secrets.token_bytes(1000), b"", b"\r\n--", b"\r\n\r\n--\r\n" * seed, bytes(1 << seed)]
    texts = {"top_k": "3", "ein Wort": "Grüße\r\n", "empty": ""}
    files = [("file", (f"bild {n}.png", content, "image/png")) for n, content in enumerate(contents)]
    sent = httpx.Request("POST", "http://x", data=texts, files=files)
    assert read_form(sent.read(), sent.headers["content-type"]) == (contents, texts)
    assert read_form(bytearray(sent.read()), sent.headers["content-type"]) == (contents, texts)


def test_what_stands_before_and_after_the_parts_is_void() -> None:
    body = b"preamble\r\n" + part("file", b"picture") + part("n", b"1", file=False) + b"--edge-- \r\nepilogue"
    assert read_form(body, 'Multipart/Form-Data; charset=utf-8; boundary="edge"') == ([b"picture"], {"n": "1"})


def test_headers_are_found_in_any_order_and_case() -> None:
    headers = b"Content-Type: image/png\r\ncontent-disposition:form-data; filename=a; name=file"
    body = b"--edge \t\r\n" + headers + b"\r\n\r\nx\r\n--edge--"
    assert read_form(body, TYPE) == ([b"x"], {})


def test_a_boundary_counts_only_at_the_begin_of_a_line() -> None:
    content = b"--edge\r\n and --edge-- and \n--edge"
    assert read_form(part("file", content) + b"--edge--\r\n", TYPE) == ([content], {})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "broken_form"),
        (part("file", b"x"), "broken_form"),
        ((part("file", b"x") + part("file", b"y") + b"--edge--")[:-20], "broken_form"),
        (b"--edge\r\nContent-Disposition: form-data\r\n\r\nx\r\n--edge--", "broken_form"),
        (b"--edge\r\n\r\nx\r\n--edge--", "broken_form"),
        (b"--edge\r\nContent-Disposition: form-data; name=file", "broken_form"),
        (b"--edges\r\n" + part("file", b"x") + b"--edge--", "broken_form"),
        (part("file", b"") * 257 + b"--edge--", "broken_form"),
        (b"".join(part(str(n), b"", file=False) for n in range(257)) + b"--edge--", "broken_form"),
        (part("text", bytes(2 << 20), file=False) + b"--edge--", "broken_form"),
        (part("picture", b"x") + b"--edge--", "unknown_file"),
        (part("n", b"1", file=False) * 2 + b"--edge--", "duplicate_option"),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_form(body, TYPE)
    assert caught.value.code == code


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_form_without_a_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidRequest, match="boundary"):
        read_form(part("file", b"x") + b"--edge--", content_type)
