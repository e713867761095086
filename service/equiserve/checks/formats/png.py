"""A report's plot as PNG, by resvg: the optional extra `png`."""

from __future__ import annotations

from functools import cache

from equiserve.errors import Unsupported

_SCALE = 2.0
_LETTER = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16">{}</svg>',
    '<text x="2" y="14" font-size="14" font-family="sans-serif, DejaVu Sans">A</text>',
)


def to_png(svg: str) -> bytes:
    """Return an SVG plot as a PNG of twice its size in pixels; takes about a second, not for the event loop.

    Raises:
        Unsupported: The extra is not installed (`png_not_installed`), or the machine has no font: resvg would leave out
            every word without saying so (`no_fonts`).
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise Unsupported(
            "PNG needs the extra `png`: pip install 'equiserve[png]'; SVG needs nothing", code="png_not_installed"
        ) from None
    if not _has_a_font():
        raise Unsupported(
            "PNG needs a font on the server's machine, e.g. the package fonts-dejavu-core; SVG needs none",
            code="no_fonts",
        )
    return bytes(svg_to_bytes(svg_string=svg, zoom=_SCALE))


@cache
def _has_a_font() -> bool:
    from resvg_py import svg_to_bytes

    sheet, letter = _LETTER
    return bytes(svg_to_bytes(svg_string=sheet.format(letter))) != bytes(svg_to_bytes(svg_string=sheet.format("")))
