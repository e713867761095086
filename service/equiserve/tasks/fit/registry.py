"""The bodies that a fit may ask for: the bundled one, and files that the operator put into a folder."""

from __future__ import annotations

import re
from pathlib import Path

from equiserve.errors import NotFound
from equiserve.numerics.body_model import BodyModel, bundled_body, read_body

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class BodyRegistry:
    """Bodies by name.

    Args:
        folder: Holds `<name>.npz` in SMPL's file layout; None = there are no others than the bundled body.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._read: dict[str, tuple[int, BodyModel]] = {}

    def names(self) -> list[str]:
        """Return what can be asked for, the bundled body first."""
        files = sorted(self._folder.glob("*.npz")) if self._folder is not None and self._folder.is_dir() else []
        own = bundled_body().name
        return [own, *(file.stem for file in files if _NAME.fullmatch(file.stem) and file.stem != own)]

    def get(self, name: str) -> BodyModel:
        """Return a body; a file is read once, and anew where it changed. Some 100 ms: for a thread.

        Raises:
            NotFound: `unknown_body`.
            InvalidRequest: `invalid_body`: the file is no body, see `read_body`.
        """
        if name == bundled_body().name:
            return bundled_body()
        known = self.names()
        if self._folder is None or name not in known:
            raise NotFound(
                f"body: there is no {name[:80]!r}, expected one of {known}", code="unknown_body", field="body"
            )
        file = self._folder / f"{name}.npz"
        changed = file.stat().st_mtime_ns
        if name not in self._read or self._read[name][0] != changed:
            self._read[name] = changed, read_body(file.read_bytes(), name)
        return self._read[name][1]
