"""The sheet that every plot is drawn on: title, verdict, statement above; footer below; text that is always escaped."""

from __future__ import annotations

import textwrap
from html import escape

from equiserve.checks.plots.plot import Sheet

WIDTH = 760
MARGIN = 32

INK, FAINT, GRID = "#1f2430", "#5b6472", "#d5d9e0"
# Okabe and Ito's palette, told apart with every kind of colour vision.
BLUE, VERMILLION, GREY = "#0072b2", "#d55e00", "#e3e5ea"
BAND, BAND_WORDS = "#b3d3e8", "95 % band of the mean"
#: Colour and words of each status; the words alone tell them apart.
STATUS = {
    "pass": ("#00664b", "PASS"),
    "fail": ("#b02a00", "FAIL"),
    "inconclusive": ("#7a5b00", "INCONCLUSIVE"),
    "not_informative": ("#4d5563", "NOT INFORMATIVE"),
}
#: 11 samples of viridis, from 0 to 1 (van der Walt and Smith 2015, CC0).
VIRIDIS = (
    "440154",
    "482475",
    "414487",
    "355f8d",
    "2a788e",
    "21918c",
    "22a884",
    "44bf70",
    "7ad151",
    "bddf26",
    "fde725",
)


def text(
    x: float, y: float, words: str, *, size: float = 12, fill: str = INK, anchor: str = "start", extra: str = ""
) -> str:
    """Return a line of text at its baseline."""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{fill}" text-anchor="{anchor}"{extra and " " + extra}>'
        f"{escape(legible(words))}</text>"
    )


def colour(value: float) -> str:
    """Return the colour of a value from 0 to 1, between two samples of viridis."""
    place = min(max(value, 0.0), 1.0) * (len(VIRIDIS) - 1)
    low = min(int(place), len(VIRIDIS) - 2)
    ends = (bytes.fromhex(VIRIDIS[low]), bytes.fromhex(VIRIDIS[low + 1]))
    mixed = (round(a + (b - a) * (place - low)) for a, b in zip(*ends, strict=True))
    return "#" + bytes(mixed).hex()


def colour_bar(x: float, y: float, height: float, quantity: str) -> list[str]:
    """Return a vertical colour bar from 0 (below) to 1, 16 wide, with its ticks and its name."""
    stops = "".join(
        f'<stop offset="{index / (len(VIRIDIS) - 1):g}" stop-color="#{code}"/>' for index, code in enumerate(VIRIDIS)
    )
    parts = [
        f'<defs><linearGradient id="viridis" x1="0" y1="1" x2="0" y2="0">{stops}</linearGradient></defs>',
        f'<rect x="{x:g}" y="{y:g}" width="16" height="{height:g}" fill="url(#viridis)"/>',
    ]
    parts += [text(x + 22, y + height * (1 - k / 4) + 4, f"{k / 4:g}", fill=FAINT) for k in range(5)]
    middle = y + height / 2
    parts.append(
        text(
            x + 58,
            middle,
            shorten(quantity, 48),
            anchor="middle",
            extra=f'transform="rotate(90 {x + 58:g} {middle:g})"',
        )
    )
    return parts


def shorten(words: str, most: int) -> str:
    """Return at most so many characters, the cut marked."""
    return words if len(words) <= most else words[: most - 1] + "…"


def document(sheet: Sheet, body: list[str], height: float) -> str:
    """Return the SVG document around a plot.

    Args:
        sheet: The words.
        body: The plot's elements, drawn from (0, 0) on, 760 wide.
        height: Of the body.
    """
    hue, status = STATUS[sheet.status]
    chip = 16 + 8.2 * len(status)
    head = [
        text(MARGIN, 38, shorten(sheet.title, 80), size=17, extra='font-weight="600"'),
        f'<rect x="{MARGIN}" y="52" width="{chip:g}" height="22" rx="4" fill="{hue}"/>',
        text(MARGIN + chip / 2, 67, status, fill="#ffffff", anchor="middle", extra='font-weight="600"'),
    ]
    lines = _wrapped(sheet.statement, 13, first_indent=chip + 10)
    for index, words in enumerate(lines):
        head.append(text(MARGIN if index else MARGIN + chip + 10, 68 + 20 * index, words, size=13))
    y = 72 + 20.0 * max(1, len(lines))
    for sentence in sheet.sentences:
        for words in _wrapped(sentence, 12):
            head.append(text(MARGIN, y, words, fill=FAINT))
            y += 17
    top = y + 6
    total = top + height + 34
    footer = text(MARGIN, total - 14, shorten(sheet.footer, 120), size=11, fill=FAINT)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total:g}" width="{WIDTH}" height="{total:g}" '
        "role=\"img\" font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\">"
        f"<title>{escape(legible(sheet.title))}</title><desc>{escape(legible(sheet.statement))}</desc>"
        f'<rect width="{WIDTH}" height="{total:g}" fill="#ffffff"/>'
        f'{"".join(head)}<g transform="translate(0 {top:g})">{"".join(body)}</g>{footer}</svg>'
    )


def _wrapped(words: str, size: float, first_indent: float = 0) -> list[str]:
    """Return lines that fit the sheet; 0.53 em is a wide font's mean advance."""
    across = int((WIDTH - 2 * MARGIN) / (0.53 * size))
    lines = textwrap.wrap(
        words, across, initial_indent=" " * round(first_indent / (0.53 * size)), break_on_hyphens=False
    )
    return [line.lstrip() for line in lines]


def legible(words: str) -> str:
    """Return words without control characters, for most of which XML has no place, escaped or not."""
    return "".join(sign if sign.isprintable() else "�" for sign in words)
