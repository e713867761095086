from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from equiserve.engine import CalibrationCache, Scheduler
from equiserve.repository import Repository


@pytest_asyncio.fixture(loop_scope="session")
async def repository(tmp_path: Path) -> AsyncIterator[Repository]:
    scheduler = Scheduler(threads=2)
    root = tmp_path / "models"
    root.mkdir()
    repository = Repository(root, scheduler, CalibrationCache(tmp_path / "cache"))
    yield repository
    repository.close()
    scheduler.stop(timeout_s=5)
