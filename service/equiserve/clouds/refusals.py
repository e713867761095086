"""The error of a cloud that cannot be read."""

from __future__ import annotations

from equiserve.errors import InvalidRequest


def unreadable(kind: str, why: str) -> InvalidRequest:
    """Return the error of a broken file of this kind."""
    return InvalidRequest(f"points: broken {kind}: {why}", code="invalid_cloud", field="points")
