from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from PIL import Image

from equiserve.errors import NotFound, Unavailable
from equiserve_models.data import datasets, download
from equiserve_models.data.datasets import Source
from equiserve_models.data.jpeg_archive import pack_jpeg_files, read_jpeg_archive

PUBLISHED = b"a published archive"


class Owner(BaseHTTPRequestHandler):
    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = self.files.get(self.path)
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def address() -> Iterator[str]:
    Owner.files, Owner.asked = {}, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Owner) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def source(*addresses: str, packed: bool = False, digest: str = hashlib.sha256(PUBLISHED).hexdigest()) -> Source:
    return replace(
        datasets.SOURCES["mnist"], folder="small", addresses=addresses, packed=packed, sha256={"small.gz": digest}
    )


def test_file_comes_from_the_first_address_that_has_the_published_one(address: str, tmp_path: Path) -> None:
    Owner.files = {"/altered/small.gz": b"altered", "/mirror/small.gz": PUBLISHED}
    lines: list[str] = []
    places = source(f"{address}/gone/", f"{address}/altered/", f"{address}/mirror/")
    download.download(places, tmp_path, lines.append)
    assert (tmp_path / "small" / "small.gz").read_bytes() == PUBLISHED
    assert lines == [f"{tmp_path / 'small' / 'small.gz'}: from {address}/mirror/small.gz"]


def test_file_that_is_there_is_not_fetched_again_and_an_altered_one_is(address: str, tmp_path: Path) -> None:
    Owner.files = {"/small.gz": PUBLISHED}
    path = tmp_path / "small" / "small.gz"
    path.parent.mkdir()
    path.write_bytes(PUBLISHED)
    download.download(source(f"{address}/"), tmp_path, lambda line: None)
    assert Owner.asked == []
    path.write_bytes(b"altered")
    download.download(source(f"{address}/"), tmp_path, lambda line: None)
    assert path.read_bytes() == PUBLISHED


def test_nothing_is_kept_where_no_address_has_the_published_file(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Owner.files = {"/altered/small.gz": b"altered", "/large/small.gz": bytes(2000)}
    monkeypatch.setattr(download, "LARGEST_FILE", 1000)
    places = source(f"{address}/gone/", f"{address}/altered/", f"{address}/large/")
    with pytest.raises(Unavailable) as caught:
        download.download(places, tmp_path, lambda line: None)
    for reason in ("404", "SHA-256", "more than 1000 bytes"):
        assert reason in caught.value.message
    assert list((tmp_path / "small").iterdir()) == []


def test_zip_of_jpeg_files_is_packed(address: str, tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), (250, 5, 5)).save(picture, "JPEG")
    copy, zipped = tmp_path / "copy-master", io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        for place in ("train/cat/1.jpg", "test/cat/1.jpg"):
            (copy / place).parent.mkdir(parents=True)
            (copy / place).write_bytes(picture.getvalue())
            archive.write(copy / place, f"copy-master/{place}")
    pack_jpeg_files(copy, tmp_path / "expected.npz")
    digest = hashlib.sha256((tmp_path / "expected.npz").read_bytes()).hexdigest()
    Owner.files = {"/master.zip": zipped.getvalue()}
    packed = replace(source(f"{address}/master.zip", packed=True), sha256={"small.npz": digest})
    download.download(packed, tmp_path, lambda line: None)
    images, labels = read_jpeg_archive(tmp_path / "small" / "small.npz", "train")
    assert (images.shape, labels.tolist()) == ((1, 3, 8, 8), [0])


def test_command_needs_a_data_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EQUISERVE_DATA", raising=False)
    with pytest.raises(NotFound, match="data root"):
        download.main(["mnist"])
