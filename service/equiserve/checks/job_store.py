"""Jobs on disk: a folder each, JSON and npz, no pickle; what is written appears whole or not at all.

`job.json` is the record, `input.npz` the inputs, `reports/` what is finished of them, `result.json` the end. The
process that runs a job holds a lock on its folder, which the operating system takes back when the process ends:
whatever was running then is found and taken up by the next start. Processes of one host may share the folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import logging
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson

from equiserve.errors import NotFound, Overloaded, Unavailable

log = logging.getLogger("equiserve.checks")

#: A picture file, pixels, or named tensors.
JobInput = bytes | np.ndarray | Mapping[str, np.ndarray]

State = Literal["queued", "running", "done", "failed", "cancelled"]

_ID = re.compile(r"[0-9a-f]{12}-[0-9a-f]{16}")
_RECORD, _INPUT, _RESULT, _CANCEL, _LOCK, _SECRET = "job.json", "input.npz", "result.json", "cancel", "lock", "secret"
_ENDED = ("done", "failed", "cancelled")


@dataclass(slots=True)
class Job:
    """One job.

    Attributes:
        id: Its name; begins with what its owner's credential becomes under the store's secret.
        kind: What is run: `equivariance`.
        request: The fields of a `CheckRequest` but the picture, or of a `TensorCheckRequest` but the inputs; and
            `labels` (one a picture, or None).
        pictures: How many inputs were submitted.
        planned: Elements over all inputs.
        state: `queued`, `running`; then `done`, `failed` or `cancelled`.
        done: Elements that have an answer.
        pictures_done: Inputs that have a report.
        created, started, ended: Unix time (s).
        error: Why it failed, as the body of an error.
    """

    id: str
    kind: str
    request: dict[str, Any]
    pictures: int
    planned: int
    state: State = "queued"
    done: int = 0
    pictures_done: int = 0
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    error: dict[str, Any] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it will run any more."""
        return self.state in _ENDED


class JobStore:
    """A folder of jobs. All of it touches the disk: not for the event loop.

    Args:
        folder: Where; made when the first job comes.
        max_jobs: Most jobs, ended ones included.
        max_bytes: Bound of all files, as far as it can be known when a job comes.
        ttl_s: Seconds for which an ended job is kept.
    """

    def __init__(self, folder: Path, *, max_jobs: int, max_bytes: int, ttl_s: float) -> None:
        self.folder = folder
        self.ttl_s = ttl_s
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes

    def owner(self, credential: str) -> str:
        """Return what ids of a credential's jobs begin with; without the store's secret nobody can guess from it.

        Raises:
            Unavailable: The folder cannot be written to (`no_job_store`).
        """
        try:
            secret = self._secret()
        except OSError as error:
            log.error("jobs cannot be kept", extra={"folder": str(self.folder), "error": str(error)})
            raise Unavailable("jobs cannot be kept here; the log says why", code="no_job_store") from None
        return hmac.new(secret, credential.encode(), hashlib.sha256).hexdigest()[:12]

    def add(self, owner: str, kind: str, request: dict[str, Any], inputs: Sequence[JobInput], planned: int) -> Job:
        """Write a new job; raises Overloaded (`too_many_jobs`, `job_store_full`)."""
        self.sweep()
        arrays = {name: array for index, given in enumerate(inputs) for name, array in _arrays(index, given)}
        size = sum(array.nbytes for array in arrays.values())
        held = list(self._ids())
        if len(held) >= self._max_jobs:
            raise Overloaded(
                f"{len(held)} jobs are kept, at most {self._max_jobs} may be; delete some that have ended",
                code="too_many_jobs",
                retry_after_s=60,
            )
        used = sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())
        if used + size > self._max_bytes:
            raise Overloaded(
                f"jobs hold {used} bytes and {size} more came, at most {self._max_bytes} may be held; delete some "
                "that have ended",
                code="job_store_full",
                retry_after_s=60,
            )
        job = Job(f"{owner}-{secrets.token_hex(8)}", kind, request, len(inputs), planned)
        folder = self.folder / job.id
        folder.mkdir(mode=0o700)
        np.savez(folder / _INPUT, **arrays)  # type: ignore[arg-type]  # it takes the names for flags
        self.save(job)
        return job

    def get(self, owner: str, identifier: str) -> Job:
        """Return a job; raises NotFound (`unknown_job`) where there is none, or it is another owner's."""
        if _ID.fullmatch(identifier) and hmac.compare_digest(identifier.partition("-")[0], owner):
            job = self._read(identifier)
            if job is not None and not self._has_expired(job.ended):
                return job
        raise NotFound(f"unknown job {identifier[:64]!r}", code="unknown_job", field="id")

    def of(self, owner: str) -> list[Job]:
        """Return an owner's jobs, oldest first."""
        jobs = [self._read(identifier) for identifier in self._ids() if identifier.startswith(f"{owner}-")]
        kept = [job for job in jobs if job and not self._has_expired(job.ended)]
        return sorted(kept, key=lambda job: (job.created, job.id))

    def unfinished(self) -> list[Job]:
        """Return the jobs of all owners that have not ended, oldest first."""
        jobs = [self._read(identifier) for identifier in self._ids()]
        return sorted((job for job in jobs if job and not job.has_ended), key=lambda job: (job.created, job.id))

    def save(self, job: Job) -> None:
        """Write a job's record."""
        self._write(job, _RECORD, asdict(job))

    def given(self, job: Job, index: int) -> JobInput:
        """Return one of a job's inputs."""
        key = f"{index:06}"
        with np.load(self.folder / job.id / _INPUT, allow_pickle=False) as arrays:
            if key not in arrays:
                names = [name for name in arrays.files if name.startswith(f"{key}.")]
                return {name.removeprefix(f"{key}."): arrays[name] for name in names}
            array: np.ndarray = arrays[key]
        return array.tobytes() if array.ndim == 1 else array

    def save_report(self, job: Job, index: int, content: dict[str, Any]) -> None:
        """Write what one picture gave: its report, or `{"error": ...}`."""
        (self.folder / job.id / "reports").mkdir(exist_ok=True)
        self._write(job, f"reports/{index:06}.json", content)

    def reports(self, job: Job) -> dict[int, dict[str, Any]]:
        """Return what is finished of a job, by the picture's index."""
        folder = self.folder / job.id / "reports"
        return {int(file.stem): orjson.loads(file.read_bytes()) for file in sorted(folder.glob("*.json"))}

    def save_result(self, job: Job, content: dict[str, Any]) -> None:
        """Write a job's result; what it was made of is not needed any more."""
        self._write(job, _RESULT, content)
        shutil.rmtree(self.folder / job.id / "reports", ignore_errors=True)
        (self.folder / job.id / _INPUT).unlink(missing_ok=True)

    def result(self, job: Job) -> bytes | None:
        """Return a job's result as JSON text, or None."""
        try:
            return (self.folder / job.id / _RESULT).read_bytes()
        except OSError:
            return None

    def cancel(self, job: Job) -> None:
        """Ask whoever runs a job to stop."""
        (self.folder / job.id / _CANCEL).touch()

    def is_cancelled(self, job: Job) -> bool:
        """Return whether a job was asked to stop, or its folder is gone; quick enough for the event loop."""
        folder = self.folder / job.id
        return (folder / _CANCEL).exists() or not folder.exists()

    def remove(self, job: Job) -> None:
        """Delete a job."""
        shutil.rmtree(self.folder / job.id, ignore_errors=True)

    def claim(self, job: Job) -> int | None:
        """Return a lock on a job (give it to `os.close`), or None where another process runs it."""
        lock = os.open(self.folder / job.id / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return None
        return lock

    def sweep(self) -> None:
        """Delete what ended longer than its time to live ago."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for identifier in list(self._ids()):
            job, folder = self._read(identifier), self.folder / identifier
            # A folder without a record is what a crash between two writes leaves.
            if self._has_expired(folder.stat().st_mtime if job is None else job.ended):
                shutil.rmtree(folder, ignore_errors=True)

    def _has_expired(self, ended: float | None) -> bool:
        return ended is not None and time.time() - ended > self.ttl_s

    def _ids(self) -> Iterator[str]:
        if self.folder.is_dir():
            yield from (entry.name for entry in self.folder.iterdir() if _ID.fullmatch(entry.name))

    def _read(self, identifier: str) -> Job | None:
        try:
            return Job(**orjson.loads((self.folder / identifier / _RECORD).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None  # not written yet, gone, or of another version

    def _write(self, job: Job, name: str, content: dict[str, Any]) -> None:
        _replace(self.folder / job.id / name, orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY))

    def _secret(self) -> bytes:
        path = self.folder / _SECRET
        if not path.exists():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = self.folder / f"{_SECRET}.{secrets.token_hex(8)}"
            fresh.write_bytes(secrets.token_bytes(32))
            fresh.chmod(0o600)
            try:
                os.link(fresh, path)  # of several processes that begin at once, one wins
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_bytes()


def _arrays(index: int, given: JobInput) -> list[tuple[str, np.ndarray]]:
    """Return the arrays of an input as they are written: a file is a line of bytes, pixels have two or three axes."""
    if isinstance(given, Mapping):
        return [(f"{index:06}.{name}", array) for name, array in given.items()]
    return [(f"{index:06}", np.frombuffer(given, np.uint8) if isinstance(given, bytes) else given)]


def _replace(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, delete=False) as stream:
        stream.write(content)
    os.replace(stream.name, path)
