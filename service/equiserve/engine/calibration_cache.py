"""Where measurements are kept between starts."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

from equiserve.engine.calibration import Calibration, cpu_name

_FORMAT = 6


def _cache_home() -> Path:
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # a container's user may have neither HOME nor an entry in passwd
        return Path(tempfile.gettempdir())


class CalibrationCache:
    """Calibrations on disk, a small JSON file each; a folder that cannot be written to is simply not used.

    Args:
        folder: Where; None = `$XDG_CACHE_HOME/equiserve` or `~/.cache/equiserve`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or _cache_home() / "equiserve"

    def get(self, *key: object) -> Calibration | None:
        """Return what was measured under this key, or None."""
        try:
            return Calibration(**json.loads(self._path(key).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None  # absent, or written by another version: measure again

    def put(self, calibration: Calibration, *key: object) -> None:
        """Keep a measurement; failing to write costs the next start time, nothing else."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as stream:
                json.dump(asdict(calibration), stream)
            os.replace(stream.name, path)
        except OSError:
            return

    def _path(self, key: tuple[object, ...]) -> Path:
        text = json.dumps([_FORMAT, *map(str, key), cpu_name()])
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
