"""A point cloud as it travels: the file that the caller has, or a npy file made here from an array."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equiserve.errors import InvalidRequest

#: A PLY, OBJ, npy, npz, XYZ or CSV file as bytes or by its path, or points [n, 3].
Cloud = bytes | Path | np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class CloudFile:
    """A cloud that a body fitter is to be checked on.

    Args:
        cloud: As `Client.fit` takes it.
        unit: `m`, `cm`, `mm`, or `auto`.
        format: What kind of file it is; its content tells by default.
    """

    cloud: Cloud
    unit: str = "auto"
    format: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """Return it for a body of JSON; raises what `cloud_file` raises."""
        return {"file": base64.b64encode(cloud_file(self.cloud)).decode(), "unit": self.unit, "format": self.format}


def cloud_file(cloud: Cloud) -> bytes:
    """Return a cloud as a file; raises InvalidRequest for an array that is none, OSError for a path."""
    if isinstance(cloud, Path):
        return cloud.read_bytes()
    if isinstance(cloud, (bytes, bytearray, memoryview)):
        return bytes(cloud)
    if not isinstance(cloud, np.ndarray) or cloud.dtype.kind not in "fiu" or cloud.ndim != 2 or cloud.shape[1] != 3:
        got = f"{cloud.dtype} {list(cloud.shape)}" if isinstance(cloud, np.ndarray) else type(cloud).__name__
        raise InvalidRequest(
            f"cloud: got {got}, expected bytes, a Path or numbers [n, 3]", code="invalid_cloud", field="points"
        )
    file = io.BytesIO()
    np.save(file, cloud, allow_pickle=False)
    return file.getvalue()


def as_text(value: object) -> str:
    """Return an option as a query carries it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
