"""The events of a check or of a generation, read off a stream of server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx
import orjson

from equiserve.client.errors import raise_error
from equiserve.client.exchange import Answer


class CheckEvent(NamedTuple):
    """What a running check tells (`started`, `progress`, `verdict`, `completed`), and what goes with it.

    Of a generation: `progress`, `preview`, `completed`.
    """

    name: str
    data: dict[str, Any]


class EventReader:
    """Turns lines into events, as they come."""

    def __init__(self) -> None:
        self._name = ""
        self._data: list[str] = []

    def feed(self, line: str) -> CheckEvent | None:
        """Take one line without its end; returns the event that it completes, raises the error that it stands for."""
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        elif not line and self._data:
            event = CheckEvent(self._name, orjson.loads("\n".join(self._data)))
            self._name, self._data = "", []
            if event.name == "error":
                raise_error(Answer(event.data["status"], httpx.Headers(), orjson.dumps(event.data)))
            return event
        return None
