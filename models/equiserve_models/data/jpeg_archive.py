"""JPEG files back to back in one ``.npz``: `jpeg` uint8, `offsets` int64 [N + 1], `labels` [N], `n_train`.

The first `n_train` pictures are the training split, the others the test split. ``python -m
equiserve_models.data.jpeg_archive FOLDER ARCHIVE`` packs ``FOLDER/{train,test}/<class>/*.jpg``.
"""

from __future__ import annotations

import io
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@lru_cache(maxsize=2)  # both splits of one archive: decoding 50,000 pictures takes seconds
def read_jpeg_archive(path: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Decode the pictures of one split; they stay in memory for the next call.

    Args:
        path: The archive.
        split: ``train`` or ``test``.

    Returns:
        Images uint8 [N, 3, H, W] (red, green, blue) and labels int64 [N], shared by all callers.

    Raises:
        ValueError: An array is absent, the offsets do not cut the bytes into pictures, or a picture is no RGB JPEG of
            the size of the first.
    """
    with np.load(path) as archive:
        missing = {"jpeg", "offsets", "labels", "n_train"} - set(archive.files)
        if missing:
            raise ValueError(f"{path.name}: no array {sorted(missing)}, expected jpeg, offsets, labels, n_train")
        jpeg, offsets, labels = archive["jpeg"], archive["offsets"], archive["labels"]
        first = int(archive["n_train"])
    if len(offsets) != len(labels) + 1 or offsets[0] != 0 or offsets[-1] != len(jpeg) or np.any(np.diff(offsets) <= 0):
        raise ValueError(f"{path.name}: offsets do not cut {len(jpeg)} bytes into {len(labels)} pictures")
    chosen = range(first) if split == "train" else range(first, len(labels))
    pictures = [_decode(path, index, jpeg[offsets[index] : offsets[index + 1]].tobytes()) for index in chosen]
    if len({picture.shape for picture in pictures}) > 1:
        raise ValueError(f"{path.name}: pictures of different sizes, expected one size")
    images = np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2))
    return images, labels[chosen.start : chosen.stop].astype(np.int64)


def _decode(path: Path, index: int, data: bytes) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            if picture.mode != "RGB":
                raise ValueError(f"{path.name}: picture {index} has mode {picture.mode}, expected RGB")
            return np.asarray(picture)
    except OSError as error:
        raise ValueError(f"{path.name}: picture {index} is no JPEG: {error}") from error


def pack_jpeg_files(folder: Path, path: Path) -> None:
    """Write the archive of ``folder/{train,test}/<class>/*.jpg``: by class, then by file name; the files as they are.

    The archive's bytes depend on nothing else (but the zlib that compresses), so its digest can be published.

    Raises:
        ValueError: The two splits are absent or name different classes.
    """
    classes = {split: sorted(entry.name for entry in (folder / split).glob("*/")) for split in ("train", "test")}
    if not classes["train"] or classes["train"] != classes["test"]:
        raise ValueError(f"{folder.name}: classes {classes}, expected the same folders in train and in test")
    files = [
        (data.read_bytes(), label, split)
        for split, names in classes.items()
        for label, name in enumerate(names)
        for data in sorted((folder / split / name).glob("*.jpg"))
    ]
    np.savez_compressed(
        path,
        jpeg=np.frombuffer(b"".join(data for data, _, _ in files), np.uint8),
        offsets=np.cumsum([0, *(len(data) for data, _, _ in files)], dtype=np.int64),
        labels=np.array([label for _, label, _ in files], np.uint8),
        n_train=np.int64(sum(split == "train" for _, _, split in files)),
        class_names=np.array(classes["train"]),
    )


if __name__ == "__main__":
    pack_jpeg_files(Path(sys.argv[1]), Path(sys.argv[2]))
