"""The forms that a report can take; each is a pure function of the report's JSON values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from equiserve.checks.formats.junit import to_junit
from equiserve.checks.formats.page import to_html
from equiserve.checks.formats.parts import compares_models, parts_of
from equiserve.checks.formats.png import to_png
from equiserve.checks.formats.table import to_csv
from equiserve.checks.formats.vega_lite import to_vega_lite
from equiserve.checks.plots import Curves, NeroPlot, Sheet, draw, draw_pair

__all__ = ["FORMATS", "Format", "to_csv", "to_html", "to_json", "to_junit", "to_png", "to_svg", "to_vega_lite"]

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Format:
    """A form of a report.

    Attributes:
        media_type: What HTTP calls it.
        suffix: The end of a file's name that asks for it.
        render: Returns the report's bytes; milliseconds to a second, not for the event loop.
    """

    media_type: str
    suffix: str
    render: Callable[[Report], bytes]


def to_json(report: Report) -> bytes:
    """Return the report itself; NaN and infinity become null."""
    return orjson.dumps(report, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def to_svg(report: Report) -> bytes:
    """Return the NERO plot: of one input, of two models above one another, or of the mean with its 95 % band."""
    parts = parts_of(report)
    if compares_models(report):
        named = {part["name"]: NeroPlot.of(part) for part in parts}
        sheet = Sheet.of(report)
        return draw_pair(
            replace(sheet, sentences=(report["comparison"]["statement"], *sheet.sentences)), named
        ).encode()
    return draw(Curves.of(parts).plot(report) if len(parts) > 1 else NeroPlot.of(report)).encode()


FORMATS = (
    Format("application/json", ".json", to_json),
    Format("text/html", ".html", to_html),
    Format("image/svg+xml", ".svg", to_svg),
    Format("image/png", ".png", lambda report: to_png(to_svg(report).decode())),
    Format("text/csv", ".csv", to_csv),
    Format("application/vnd.vegalite+json", ".vl.json", to_vega_lite),
    Format("application/xml", ".xml", to_junit),
)
