"""Jobs of a server, blocking and asyncio: `client.jobs`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, Unpack

from equiserve.client import calls
from equiserve.client.exchange import Exchange
from equiserve.client.options import CheckOptions
from equiserve.client.pictures import Checked, Picture
from equiserve.client.results import JobStatus
from equiserve.errors import DeadlineExceeded

T = TypeVar("T")

_ENDED = ("done", "failed", "cancelled")


class _Send(Protocol):
    def __call__(self, exchange: Exchange[T], timeout_s: float | None = None) -> T: ...


class _AsyncSend(Protocol):
    def __call__(self, exchange: Exchange[T], timeout_s: float | None = None) -> Awaitable[T]: ...


class Jobs:
    """Checks that outlive their call; a job is found by the token that submitted it."""

    def __init__(self, send: _Send) -> None:
        self._send = send

    def submit_check(
        self,
        model: str,
        given: Checked | Sequence[Picture],
        group: str | Mapping[str, Any] | None = None,
        elements: int | Sequence[Any] | None = None,
        *,
        labels: Sequence[int | str] | None = None,
        version: str | None = None,
        timeout_s: float | None = None,
        **options: Unpack[CheckOptions],
    ) -> JobStatus:
        """Submit a check of a long orbit, or of a data set.

        Args:
            model: Its name.
            given: One picture or several, as in `Client.classify`, or uint8 pixels [N, C, H, W]; or the inputs of any
                model that says how its tensors move, arrays by name, a row an input.
            group, elements: As in `Client.check`.
            labels: The right class of each picture, for reference `label`.
            version: The newest by default.
            timeout_s: Deadline of this call, not of the job.
            options: See `CheckOptions`.
        """
        asked = {"labels": labels, "version": version, **calls.asked(group, elements, options)}
        return self._send(calls.submit_check(model, given, asked), timeout_s)

    def get(self, job_id: str) -> JobStatus:
        """Return a job's state and progress, and its result once it has ended."""
        return self._send(calls.job(job_id))

    def list(self) -> list[JobStatus]:
        """Return the jobs of this client's token, oldest first, without results."""
        return self._send(calls.jobs())

    def delete(self, job_id: str) -> JobStatus:
        """Cancel a job, which keeps what it has found; or remove one that has ended."""
        return self._send(calls.delete_job(job_id))

    def wait(self, job_id: str, *, timeout_s: float | None = None, poll_s: float = 0.5) -> JobStatus:
        """Return a job once it has ended; raises DeadlineExceeded (`job_not_ended`) where it does not in time."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while (job := self.get(job_id))["state"] not in _ENDED:
            _require_time(job, until, poll_s)
            time.sleep(poll_s)
        return job


class AsyncJobs:
    """The same as `Jobs`, to be awaited."""

    def __init__(self, send: _AsyncSend) -> None:
        self._send = send

    async def submit_check(
        self,
        model: str,
        given: Checked | Sequence[Picture],
        group: str | Mapping[str, Any] | None = None,
        elements: int | Sequence[Any] | None = None,
        *,
        labels: Sequence[int | str] | None = None,
        version: str | None = None,
        timeout_s: float | None = None,
        **options: Unpack[CheckOptions],
    ) -> JobStatus:
        """Submit a check of a long orbit, or of a data set; see `Jobs.submit_check`."""
        asked = {"labels": labels, "version": version, **calls.asked(group, elements, options)}
        exchange = await asyncio.to_thread(calls.submit_check, model, given, asked)
        return await self._send(exchange, timeout_s)

    async def get(self, job_id: str) -> JobStatus:
        """Return a job's state and progress, and its result once it has ended."""
        return await self._send(calls.job(job_id))

    async def list(self) -> list[JobStatus]:
        """Return the jobs of this client's token, oldest first, without results."""
        return await self._send(calls.jobs())

    async def delete(self, job_id: str) -> JobStatus:
        """Cancel a job, which keeps what it has found; or remove one that has ended."""
        return await self._send(calls.delete_job(job_id))

    async def wait(self, job_id: str, *, timeout_s: float | None = None, poll_s: float = 0.5) -> JobStatus:
        """Return a job once it has ended; raises DeadlineExceeded (`job_not_ended`) where it does not in time."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while (job := await self.get(job_id))["state"] not in _ENDED:
            _require_time(job, until, poll_s)
            await asyncio.sleep(poll_s)
        return job


def _require_time(job: JobStatus, until: float | None, poll_s: float) -> None:
    if until is not None and time.monotonic() + poll_s > until:
        raise DeadlineExceeded(f"job {job['id']} is still {job['state']}", code="job_not_ended")
