"""Logs: one JSON object a line, with the request's id and never a credential."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from equiserve.dataplane import DataPlane
from equiserve.engine import Admission
from equiserve.observe.logs import JsonFormatter, TextFormatter
from equiserve.rest.app import build_app
from equiserve.settings import Settings

TOKEN = "correct-horse-battery-staple"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that the server logs, at every level, as the JSON form writes it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("equiserve")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(level)


def entries(stream: io.StringIO) -> list[dict[str, object]]:
    """Return the lines of requests; a model may be calibrated at any time."""
    lines = (json.loads(line) for line in stream.getvalue().splitlines())
    return [line for line in lines if line["logger"] == "equiserve.rest"]


async def test_a_failed_request_is_one_json_line_with_its_id_and_code(plane: DataPlane, lines: io.StringIO) -> None:
    transport = httpx.ASGITransport(build_app(plane, lambda: b""))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await client.get("/v2/models/no_such_model", headers={"x-request-id": "seven"})
    (entry,) = entries(lines)
    assert (entry["request_id"], entry["code"], entry["status"]) == ("seven", "unknown_model", 404)
    assert entry["level"] == "info"
    assert str(entry["time"]).endswith("+00:00")


@pytest.mark.parametrize("presented", [f"Bearer {TOKEN}", "Bearer a-wrong-token", f"Basic {TOKEN}"])
async def test_no_line_ever_holds_a_token(plane: DataPlane, tmp_path: Path, lines: io.StringIO, presented: str) -> None:
    settings = Settings(models=tmp_path, token=TOKEN, access_log=True)  # type: ignore[arg-type]
    guarded = DataPlane(plane.repository, Admission(token=settings.token), plane.compute, settings)
    transport = httpx.ASGITransport(build_app(guarded, lambda: b""))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for path in ("/v2/models/tiny", "/v2/models/no_such_model", "/v2/models/tiny/infer"):
            await client.get(path, headers={"authorization": presented})
    assert len(entries(lines)) == 3
    assert presented.split()[1] not in lines.getvalue()
    assert TOKEN not in str(settings) + repr(settings)


def record(message: str, **extra: object) -> logging.LogRecord:
    logger = logging.getLogger("equiserve.test")
    return logger.makeRecord(logger.name, logging.ERROR, __file__, 1, message, (), None, extra=extra)


def test_a_line_stays_one_line_whatever_a_caller_sends() -> None:
    text = JsonFormatter().format(record("model\nname", request_id="a\nb\x1b[31m"))
    assert "\n" not in text
    assert json.loads(text)["request_id"] == "a\nb\x1b[31m"


def test_values_that_json_lacks_are_written_too() -> None:
    entry = json.loads(JsonFormatter().format(record("m", path=Path("/a"), array=np.arange(2), nan=float("nan"))))
    assert (entry["path"], entry["array"], entry["nan"]) == ("/a", [0, 1], None)


def test_an_exception_comes_with_its_traceback_in_both_forms() -> None:
    try:
        raise ValueError("the cause")
    except ValueError as error:
        entry = record("failed", request_id="seven")
        entry.exc_info = (ValueError, error, error.__traceback__)
    assert "ValueError: the cause" in json.loads(JsonFormatter().format(entry))["exception"]
    text = TextFormatter().format(entry)
    assert "failed  request_id=seven\nTraceback" in text


def test_a_line_of_text_stays_one_line_whatever_a_caller_put_into_the_path() -> None:
    record = logging.makeLogRecord({"msg": "request", "levelname": "INFO", "path": "/v2\n12:00:00 info    all is well"})
    record.error = "\x1b[2Jgone"
    line = TextFormatter().format(record)
    assert line.isprintable()
    assert "path=/v2\\n12:00:00" in line
