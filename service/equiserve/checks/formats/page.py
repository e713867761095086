"""A report as one HTML file that works offline: verdict, mean over the inputs, overview, each input, each element.

Everything is inside: no address is ever asked for. A content security policy in the file allows its own style and
script by their digests, pictures as data, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

import orjson

from equiserve.checks.formats.page_data import page_data

_FOLDER = files("equiserve.checks.formats") / "page_files"
_SCRIPTS = ("build.js", "plot.js", "inputs.js", "element.js", "start.js")


def to_html(report: Mapping[str, Any]) -> bytes:
    """Return the report as an HTML document in UTF-8.

    The pictures of the inputs are shown, moved as each element moves them, where the reports carry `picture`: a PNG as
    a data URI.
    """
    style, body = _file("report.css"), _file("report.html")
    script = f'"use strict";\n(() => {{\n{"".join(map(_file, _SCRIPTS))}}})();\n'
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    # In a script element only these could end it, or begin a comment.
    data = orjson.dumps(page_data(report), option=orjson.OPT_SERIALIZE_NUMPY).decode().replace("<", "\\u003c")
    title = escape(f"{report['model']}: {report['group']['name']}")
    document = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}"
        f'<script type="application/json" id="report">{data}</script>\n<script>{script}</script>\n</body>\n</html>\n'
    )
    return document.encode()


def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _digest(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
