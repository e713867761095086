"""The inputs of a check: files of pictures and of clouds, folders of them, arrays of pictures, and named tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from equiserve.errors import InvalidRequest, NotFound

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_CLOUDS = (".ply", ".obj", ".xyz", ".csv")
_FILES = _PICTURES + _CLOUDS


@dataclass(frozen=True, slots=True, eq=False)
class CheckInput:
    """One picture, one cloud, or one row of named tensors.

    Attributes:
        name: A file's path below the folder that was named, or `pictures.npz[3]`.
        given: A file by its path, uint8 pixels [H, W] or [C, H, W], or tensors by name, one row each.
    """

    name: str
    given: Path | np.ndarray | Mapping[str, np.ndarray]

    @property
    def is_cloud(self) -> bool:
        """Whether it is a file of points."""
        return isinstance(self.given, Path) and self.given.suffix.lower() in _CLOUDS

    def read(self) -> bytes | np.ndarray | Mapping[str, np.ndarray]:
        """Return the file's bytes, the pixels, or the tensors; raises NotFound where the file cannot be read."""
        if not isinstance(self.given, Path):
            return self.given
        try:
            return self.given.read_bytes()
        except OSError as error:
            raise NotFound(f"data: cannot read {self.given}: {error.strerror}", field="data") from None


def find_inputs(paths: Sequence[Path], most: int | None = None) -> list[CheckInput]:
    """Return the inputs that some paths name.

    Args:
        paths: PNG, JPEG or WebP files; PLY, OBJ, XYZ or CSV files, a cloud each; folders, searched with what is below
            them; NumPy files (`.npy`, or `.npz` with one array of pictures) of uint8 [N, H, W], [N, C, H, W] or one
            picture [H, W]; any other `.npz` holds arrays by the names of a model's inputs, a row an input.
        most: If there are more inputs than this, so many are taken, evenly spread.

    Raises:
        NotFound: A path that is not there, or holds no input.
        InvalidRequest: A file of another kind, an array that holds no pictures, tensors that differ in rows.
    """
    found = [given for path in paths for given in _inputs_of(path)]
    if most is not None and most < len(found):
        found = [found[k * len(found) // most] for k in range(most)]
    names = [given.name for given in found]
    if len(set(names)) == len(names):
        return found
    return [CheckInput(f"{k}: {one.name}", one.given) for k, one in enumerate(found)]


def _inputs_of(path: Path) -> Iterator[CheckInput]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in _FILES and file.is_file())
        if not files:
            raise NotFound(f"data: {path} holds no picture and no cloud, expected files of {_kinds()}", field="data")
        for file in files:
            yield CheckInput(file.relative_to(path).as_posix(), file)
    elif not path.is_file():
        raise NotFound(f"data: {path} is not there", field="data")
    elif path.suffix.lower() in _FILES:
        yield CheckInput(path.name, path)
    elif path.suffix.lower() in (".npy", ".npz"):
        for k, given in enumerate(_read_array(path)):
            yield CheckInput(f"{path.name}[{k}]", given)
    else:
        raise InvalidRequest(f"data: {path} is none of {_kinds()}, .npy and .npz", field="data")


def _read_array(path: Path) -> Sequence[np.ndarray | Mapping[str, np.ndarray]]:
    """Return the pictures of an array, or the rows of named tensors."""
    try:
        content = np.load(path, allow_pickle=False)
        arrays = {"": content} if isinstance(content, np.ndarray) else {name: content[name] for name in content.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise InvalidRequest(f"data: {path} is no NumPy file of plain arrays: {error}", field="data") from None
    pictures = [
        array for array in arrays.values() if array.dtype == np.uint8 and array.ndim in (2, 3, 4) and array.size
    ]
    if len(pictures) != 1 and path.suffix.lower() == ".npz" and arrays:
        return _rows(path, arrays)
    if len(pictures) != 1:
        came = ", ".join(f"{name} {array.dtype} {list(array.shape)}".strip() for name, array in arrays.items())
        raise InvalidRequest(
            f"data: {path} holds {came}, expected one array of pictures: uint8 [N, H, W], [N, C, H, W] or [H, W]",
            field="data",
        )
    return list(pictures[0][None] if pictures[0].ndim == 2 else pictures[0])


def _rows(path: Path, arrays: Mapping[str, np.ndarray]) -> list[Mapping[str, np.ndarray]]:
    counts = {len(array) if array.ndim else 0 for array in arrays.values()}
    if len(counts) != 1 or 0 in counts:
        came = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise InvalidRequest(
            f"data: {path} holds {came}, expected one array of pictures (uint8 [N, H, W] or [N, C, H, W]), or the "
            "model's inputs by name with a row an input",
            field="data",
        )
    return [{name: array[k : k + 1] for name, array in arrays.items()} for k in range(counts.pop())]


def _kinds() -> str:
    return ", ".join(_FILES)
