"""Fetch a data set from its owner into the data root: ``python -m equiserve_models.data.download fashion-mnist``.

What lies there already with the published SHA-256 is left alone; nothing is kept that has another one.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

from equiserve.errors import EquiServeError, NotFound, Unavailable
from equiserve_models.data.datasets import SOURCES, Source, data_root
from equiserve_models.data.jpeg_archive import pack_jpeg_files

LARGEST_FILE = 256 << 20
TIMEOUT_S = 60.0
_CHUNK = 1 << 16


def download(source: Source, root: Path, report: Callable[[str], None]) -> None:
    """Bring every file of a data set into the data root.

    Args:
        source: The data set.
        root: The data root.
        report: Takes a line about each file.

    Raises:
        Unavailable: No address answered with the published file; the message says what each of them did.
    """
    folder = root / source.folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, digest in source.sha256.items():
        path = folder / name
        if path.is_file() and _sha256(path) == digest:
            report(f"{path}: there already")
            continue
        failures = []
        for address in source.addresses:
            url = address if source.packed else address + name
            with tempfile.TemporaryDirectory(dir=folder) as work:
                partial = Path(work) / name
                try:
                    _fetch(url, partial)
                    if source.packed:
                        _pack(partial, Path(work))
                except (OSError, ValueError, http.client.HTTPException, zipfile.BadZipFile) as error:
                    failures.append(f"{url}: {error}")
                    continue
                got = _sha256(partial)
                if got == digest:
                    os.replace(partial, path)
                    report(f"{path}: from {url}")
                    break
                failures.append(f"{url}: SHA-256 {got}, expected {digest}")
        else:
            raise Unavailable(f"{name} could not be fetched: {'; '.join(failures)}", field="EQUISERVE_DATA")


def _fetch(url: str, path: Path) -> None:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as reply, path.open("wb") as file:
        size = 0
        while chunk := reply.read(_CHUNK):
            size += len(chunk)
            if size > LARGEST_FILE:
                raise ValueError(f"more than {LARGEST_FILE} bytes")
            file.write(chunk)


def _pack(path: Path, work: Path) -> None:
    """Replace a ZIP archive of one folder with ``train`` and ``test`` by the packed JPEG files."""
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > LARGEST_FILE:
            raise ValueError(f"more than {LARGEST_FILE} bytes when unpacked")
        archive.extractall(work / "unpacked")
    (folder,) = (work / "unpacked").iterdir()
    pack_jpeg_files(folder, path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(arguments: list[str] | None = None) -> None:
    """Fetch the named data sets."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.data.download", description=__doc__)
    parser.add_argument("sets", nargs="+", choices=sorted(SOURCES), metavar="SET", help=f"of {', '.join(SOURCES)}")
    options = parser.parse_args(arguments)
    root = data_root()
    if root is None:
        raise NotFound("EQUISERVE_DATA is unset or no folder, expected the data root", field="EQUISERVE_DATA")
    for name in options.sets:
        print(f"{name}: {SOURCES[name].licence}")
        download(SOURCES[name], root, print)


if __name__ == "__main__":
    try:
        main()
    except EquiServeError as error:
        sys.exit(error.message)
