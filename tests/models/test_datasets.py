from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from equiserve.errors import NotFound
from equiserve_models.data import datasets
from equiserve_models.data.idx import read_idx

HEADER = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3])


@pytest.mark.parametrize("name", ["small-idx2-ubyte", "small-idx2-ubyte.gz"])
def test_idx_file_is_read_in_the_shape_of_its_header(tmp_path: Path, name: str) -> None:
    raw = HEADER + bytes(range(6))
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    np.testing.assert_array_equal(read_idx(tmp_path / name), [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize("raw", [b"", b"\0\0\x0d\1\0\0\0\1\0", HEADER + bytes(5), b"<html>not found</html>"])
def test_idx_reader_refuses_what_is_not_idx(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "broken").write_bytes(raw)
    with pytest.raises(ValueError, match="broken"):
        read_idx(tmp_path / "broken")


def test_absent_data_set_error_names_its_owner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EQUISERVE_DATA", raising=False)
    with pytest.raises(NotFound, match="zalandoresearch/fashion-mnist"):
        datasets.load("fashion-mnist", "test")
    monkeypatch.setenv("EQUISERVE_DATA", str(tmp_path))
    with pytest.raises(NotFound, match="zalandoresearch/fashion-mnist"):
        datasets.load("fashion-mnist", "test")


def test_altered_archive_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "fashion-mnist").mkdir()
    (tmp_path / "fashion-mnist" / "t10k-images-idx3-ubyte.gz").write_bytes(b"altered")
    monkeypatch.setenv("EQUISERVE_DATA", str(tmp_path))
    with pytest.raises(NotFound, match="SHA-256"):
        datasets.load("fashion-mnist", "test")


@pytest.mark.skipif(datasets.data_root() is None, reason="EQUISERVE_DATA names no data root")
def test_fashion_mnist_has_a_thousand_test_pictures_of_each_class() -> None:
    pictures = datasets.load("fashion-mnist", "test")
    assert pictures.images.shape == (10_000, 1, 28, 28)
    np.testing.assert_array_equal(np.bincount(pictures.labels), np.full(10, 1000))
    samples = np.load(Path(__file__).parent.parent / "data" / "fashion_mnist_100.npz")
    first = [pictures.images[pictures.labels == label][0, 0] for label in range(10)]
    np.testing.assert_array_equal(samples["images"][::10], first)
