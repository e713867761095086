"""What both clients hand to httpx: where the server is, and what every request carries."""

from __future__ import annotations

from typing import Any

import httpx

from equiserve import __version__
from equiserve.client.exchange import Answer


def connection_options(url: str, token: str | None) -> dict[str, Any]:
    """Return the options of an `httpx.Client` or `httpx.AsyncClient`.

    Args:
        url: `http://host:port`, or just `host:port`.
        token: The server's bearer token.
    """
    headers = {"user-agent": f"equiserve-client/{__version__}"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return {"base_url": url if "://" in url else f"http://{url}", "headers": headers}


def answer_of(response: httpx.Response) -> Answer:
    """Return what the client's parsers read."""
    return Answer(response.status_code, response.headers, response.content)
