"""NumPy's files as pictures: what is taken apart, and what is refused before it can do harm."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import numpy as np
import pytest

from equiserve.errors import InvalidRequest, TooLarge
from equiserve.pictures.arrays import unpack_arrays

BATCH = np.random.default_rng(0).integers(0, 256, (3, 3, 5, 4), np.uint8)
LIMIT = 1 << 20


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz(save: Callable[..., None] = np.savez_compressed, **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize("batch", [BATCH, np.asfortranarray(BATCH), BATCH[:, :1], BATCH[:, 0]])
def test_an_array_becomes_its_pictures(batch: np.ndarray) -> None:
    for file in (npy(batch), npz(pictures=batch), npz(np.savez, pictures=batch)):
        pictures, labels = unpack_arrays([file], LIMIT)
        assert labels is None
        np.testing.assert_array_equal(np.stack(pictures), batch.reshape(3, -1, 5, 4))


def test_files_pixels_and_arrays_keep_their_order() -> None:
    pictures, _ = unpack_arrays([b"a png", npy(BATCH), BATCH[0]], LIMIT)
    assert pictures[0] == b"a png"
    assert [np.array_equal(picture, BATCH[k]) for picture, k in zip(pictures[1:], (0, 1, 2, 0), strict=True)] == [
        True
    ] * 4


def test_labels_come_with_the_pictures_they_belong_to() -> None:
    labels = np.array([7, 0, 2])
    assert unpack_arrays([npz(pictures=BATCH, labels=labels)], LIMIT)[1] == [7, 0, 2]
    with pytest.raises(InvalidRequest, match="3 for 4 pictures"):
        unpack_arrays([npz(pictures=BATCH, labels=labels), b"a png"], LIMIT)


@pytest.mark.parametrize(
    "file",
    [
        npy(BATCH.astype(np.float32)),
        npy(BATCH[0, 0]),
        npy(BATCH[:, :2]),
        npy(BATCH[:0]),
        npy(np.array([{"a": 1}], object)),
        npy(BATCH)[:-1],
        npy(BATCH)[:20],
        npz(other=BATCH),
        npz(pictures=BATCH, labels=np.array([0, 1])),
        npz(pictures=BATCH, labels=np.array([0.5, 1, 2])),
        npz(pictures=BATCH, extra=BATCH),
        npz(pictures=BATCH)[:60],
        b"PK\x03\x04 no archive",
    ],
)
def test_anything_else_is_refused_with_its_place(file: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        unpack_arrays([b"a png", file], LIMIT)
    assert (caught.value.code, caught.value.field) == ("invalid_array", "file[1]")


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("pictures.npy", "w") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "|u1", "fortran_order": False, "shape": (1 << 20, 3, 224, 224)}
        )
        stream.write(bytes(1 << 20))
    with pytest.raises(TooLarge) as caught:
        unpack_arrays([bomb.getvalue()], LIMIT)
    assert caught.value.code == "array_too_large"
