"""Which form of a report a caller's `Accept` asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from equiserve.checks.formats import FORMATS, Format, to_html
from equiserve.checks.formats.thumbnail import data_uri

_JSON = FORMATS[0]
#: Other names of the same forms.
_ALSO_KNOWN_AS = {"text/xml": "application/xml", "application/vnd.vegalite.v5+json": "application/vnd.vegalite+json"}
#: Every media type that a report can be had as, for the API's description.
MEDIA_TYPES = tuple(form.media_type for form in FORMATS)


def render(report: Mapping[str, Any], accept: str, picture: bytes | np.ndarray | None = None) -> tuple[str, bytes]:
    """Return a report in the form that is asked for; milliseconds to a second, not for the event loop.

    Args:
        report: `CheckReport.to_json()`, or `gated_report`.
        accept: The `Accept` header. The supported type of the largest `q` counts, the first of equals; where there is
            none, JSON.
        picture: The picture that was checked, which a page shows as each element moves it.

    Returns:
        The media type and the body.

    Raises:
        Unsupported: PNG without the extra, or without fonts.
    """
    form = _chosen(accept)
    if picture is not None and form.render is to_html:
        report = {**report, "picture": data_uri(picture)}
    return form.media_type, form.render(report)


def _chosen(accept: str) -> Format:
    best, largest = _JSON, 0.0
    for item in accept.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        form = _form(_ALSO_KNOWN_AS.get(name, name))
        quality = _quality(parameters)
        if form is not None and quality > largest:
            best, largest = form, quality
    return best


def _form(media_type: str) -> Format | None:
    """Return the form of a media type or of a range such as `image/*`."""
    if media_type == "*/*":
        return _JSON
    kind = media_type.removesuffix("*") if media_type.endswith("/*") else None
    return next((f for f in FORMATS if f.media_type == media_type or (kind and f.media_type.startswith(kind))), None)


def _quality(parameters: list[str]) -> float:
    try:
        return next((float(p.removeprefix("q=")) for p in parameters if p.startswith("q=")), 1.0)
    except ValueError:
        return 0.0
