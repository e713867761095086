"""The data sets that the classifiers are trained on, checked against their published digests."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import NotFound
from equiserve_models.data.idx import read_idx


@dataclass(frozen=True)
class IdxSource:
    """A data set of four IDX archives.

    Args:
        folder: Its folder below the data root.
        owner: Where its owner publishes it.
        licence: Its licence, with the owner's name.
        labels: Class names, by index.
        sha256: Digest of each archive, by file name.
    """

    folder: str
    owner: str
    licence: str
    labels: tuple[str, ...]
    sha256: dict[str, str]


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures: `images` uint8 [N, C, H, W], `labels` int64 [N]."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


SOURCES = {
    "fashion-mnist": IdxSource(
        folder="fashion-mnist",
        owner="https://github.com/zalandoresearch/fashion-mnist",
        licence="MIT, Copyright (c) 2017 Zalando SE",
        labels=(
            "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
        ),
        sha256={
            "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ),
}  # fmt: skip


def data_root() -> Path | None:
    """Return the folder that ``EQUISERVE_DATA`` names, or None where it is unset or absent."""
    named = os.environ.get("EQUISERVE_DATA", "")
    return Path(named) if named and Path(named).is_dir() else None


def load(name: str, split: str) -> Pictures:
    """Load a split of a data set.

    Args:
        name: A key of `SOURCES`.
        split: ``train`` or ``test``.

    Returns:
        All pictures of the split, in the order of the files.

    Raises:
        NotFound: The data root or a file is absent, or a file differs from the published one; the message says
            where its owner publishes it.
    """
    source = SOURCES[name]
    prefix = {"train": "train", "test": "t10k"}[split]
    images = read_idx(_checked(source, f"{prefix}-images-idx3-ubyte.gz"))
    labels = read_idx(_checked(source, f"{prefix}-labels-idx1-ubyte.gz"))
    return Pictures(images[:, None], labels.astype(np.int64))


def _checked(source: IdxSource, file_name: str) -> Path:
    advice = f"download it from {source.owner} into $EQUISERVE_DATA/{source.folder}"
    root = data_root()
    if root is None:
        raise NotFound(
            f"EQUISERVE_DATA is unset or no folder, expected the data root: {advice}", field="EQUISERVE_DATA"
        )
    path = root / source.folder / file_name
    if not path.is_file():
        raise NotFound(f"{file_name} is not in the data root: {advice}", field="EQUISERVE_DATA")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != source.sha256[file_name]:
        raise NotFound(
            f"{file_name} has SHA-256 {digest}, expected {source.sha256[file_name]}: {advice}", field="EQUISERVE_DATA"
        )
    return path
