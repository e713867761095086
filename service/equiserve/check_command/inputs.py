"""The inputs of a check: picture files, folders of them, and arrays of pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from equiserve.errors import InvalidRequest, NotFound

_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, slots=True, eq=False)
class CheckInput:
    """One picture.

    Attributes:
        name: A file's path below the folder that was named, or `pictures.npz[3]`.
        picture: A picture file by its path, or uint8 pixels [H, W] or [C, H, W].
    """

    name: str
    picture: Path | np.ndarray

    def read(self) -> bytes | np.ndarray:
        """Return the file's bytes, or the pixels; raises NotFound where the file cannot be read."""
        if isinstance(self.picture, np.ndarray):
            return self.picture
        try:
            return self.picture.read_bytes()
        except OSError as error:
            raise NotFound(f"data: cannot read {self.picture}: {error.strerror}", field="data") from None


def find_inputs(paths: Sequence[Path], most: int | None = None) -> list[CheckInput]:
    """Return the pictures that some paths name.

    Args:
        paths: PNG, JPEG or WebP files; folders, searched with what is below them; NumPy files (`.npy`, or `.npz` with
            one array of pictures) of uint8 [N, H, W], [N, C, H, W] or one picture [H, W].
        most: If there are more pictures than this, so many are taken, evenly spread.

    Raises:
        NotFound: A path that is not there, or holds no picture.
        InvalidRequest: A file of another kind, or an array that holds no pictures.
    """
    found = [given for path in paths for given in _inputs_of(path)]
    if most is not None and most < len(found):
        found = [found[k * len(found) // most] for k in range(most)]
    names = [given.name for given in found]
    if len(set(names)) == len(names):
        return found
    return [CheckInput(f"{k}: {given.name}", given.picture) for k, given in enumerate(found)]


def _inputs_of(path: Path) -> Iterator[CheckInput]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in _ENDINGS and file.is_file())
        if not files:
            raise NotFound(f"data: {path} holds no picture, expected files of {_kinds()}", field="data")
        for file in files:
            yield CheckInput(file.relative_to(path).as_posix(), file)
    elif not path.is_file():
        raise NotFound(f"data: {path} is not there", field="data")
    elif path.suffix.lower() in _ENDINGS:
        yield CheckInput(path.name, path)
    elif path.suffix.lower() in (".npy", ".npz"):
        pictures = _read_array(path)
        for k, picture in enumerate(pictures):
            yield CheckInput(f"{path.name}[{k}]", picture)
    else:
        raise InvalidRequest(f"data: {path} is none of {_kinds()}, .npy and .npz", field="data")


def _read_array(path: Path) -> np.ndarray:
    """Return pictures [N, H, W] or [N, C, H, W]."""
    try:
        content = np.load(path, allow_pickle=False)
        arrays = {"": content} if isinstance(content, np.ndarray) else {name: content[name] for name in content.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise InvalidRequest(f"data: {path} is no NumPy file of plain arrays: {error}", field="data") from None
    pictures = [
        array for array in arrays.values() if array.dtype == np.uint8 and array.ndim in (2, 3, 4) and array.size
    ]
    if len(pictures) != 1:
        came = ", ".join(f"{name} {array.dtype} {list(array.shape)}".strip() for name, array in arrays.items())
        raise InvalidRequest(
            f"data: {path} holds {came}, expected one array of pictures: uint8 [N, H, W], [N, C, H, W] or [H, W]",
            field="data",
        )
    return pictures[0][None] if pictures[0].ndim == 2 else pictures[0]


def _kinds() -> str:
    return ", ".join(_ENDINGS)
