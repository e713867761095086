"""Checks that outlive their request, long orbits and data sets: submitted, found again, cancelled, removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from equiserve.checks.checker import AnyCheckRequest, Checker
from equiserve.checks.job_runner import JobRunner
from equiserve.checks.job_store import Job, JobInput, JobStore
from equiserve.checks.named_tensors import TensorCheckRequest
from equiserve.errors import InvalidRequest, TooLarge

#: The only kind of job so far.
KIND = "equivariance"


@dataclass(slots=True)
class JobRequest:
    """A check of one or several pictures, or of several inputs of any kind.

    Attributes:
        check: What to check; its picture is the first one, its named tensors are all of them, a row each.
        pictures: All pictures; empty for named tensors.
        labels: The right class of each, by index or name, for reference `label`; None = `check.label` for all.
    """

    check: AnyCheckRequest
    pictures: Sequence[bytes | np.ndarray] = ()
    labels: Sequence[int | str] | None = None


class Jobs:
    """The jobs that this process runs, and all that lie in its store.

    Args:
        checker: Runs checks.
        store: Where jobs lie.
        max_elements: Most elements of one job, over all its pictures.
    """

    def __init__(self, checker: Checker, store: JobStore, *, max_elements: int) -> None:
        self._checker = checker
        self._store = store
        self._max_elements = max_elements
        self._compute = checker.compute
        self._runner = JobRunner(checker, store, max_elements)

    async def start(self) -> None:
        """Take up what the last process left; call it once models are loaded."""
        for job in await self._compute.run(self._store.unfinished):
            await self._runner.run(job)

    async def close(self) -> None:
        """Stop running; what is not finished goes on after the next start."""
        await self._runner.close()

    async def submit(self, credential: str, request: JobRequest) -> Job:
        """Accept a job; its first picture and its options are checked here and now.

        Args:
            credential: Whose job it is: only the same credential finds it again.
            request: What to run.

        Raises:
            InvalidRequest, TooLarge, NotFound, Unsupported: As a check; TooLarge `job_too_large` too.
            Overloaded: There are too many jobs, or too many bytes of them.
        """
        inputs, first, fields = await self._inputs(request)
        plan = await self._checker.estimate(first, max_orbit=self._max_elements)
        models = 1 if request.check.compare_with is None else 2
        planned = plan["estimate"]["elements"] * len(inputs) * models
        tried = planned + plan["estimate"]["searched"] * len(inputs)
        if tried > self._max_elements:
            seconds = plan["estimate"]["seconds"]
            cost = "" if seconds is None else f" (about {seconds * len(inputs):.3g} s of the model's time)"
            raise TooLarge(
                f"the job has {tried} elements over {len(inputs)} inputs{cost}, at most {self._max_elements} are run "
                "in one job",
                code="job_too_large",
                field="elements",
            )
        fields["labels"] = None if request.labels is None else list(request.labels)
        store = self._store
        owner = await self._compute.run(store.owner, credential)
        job = await self._compute.run(store.add, owner, KIND, fields, inputs, planned)
        await self._runner.run(job)
        return job

    async def _inputs(self, request: JobRequest) -> tuple[Sequence[JobInput], AnyCheckRequest, dict[str, Any]]:
        """Return the inputs, the check of the first, and the fields that all checks share."""
        inputs: Sequence[JobInput]
        if isinstance(request.check, TensorCheckRequest):
            inputs = await self._checker.rows_of(request.check)
        else:
            inputs = request.pictures
        if not inputs:
            raise InvalidRequest("no input came, expected at least one picture", code="no_picture", field="file")
        if request.labels is not None and len(request.labels) != len(inputs):
            raise InvalidRequest(
                f"labels: got {len(request.labels)} for {len(inputs)} inputs, expected one each", field="labels"
            )
        if isinstance(request.check, TensorCheckRequest):
            first: AnyCheckRequest = replace(request.check, inputs=inputs[0])  # type: ignore[arg-type]
            fields = asdict(replace(request.check, inputs={}))
            del fields["inputs"]
        else:
            label = request.check.label if request.labels is None else request.labels[0]
            first = replace(request.check, picture=inputs[0], label=label)  # type: ignore[arg-type]
            fields = asdict(replace(request.check, picture=b""))
            del fields["picture"]
        return inputs, first, fields

    async def get(self, credential: str, identifier: str) -> tuple[Job, bytes | None]:
        """Return a job and its result as JSON text, None where there is none yet; raises NotFound."""
        job = await self._find(credential, identifier)
        return job, await self._compute.run(self._store.result, job) if job.has_ended else None

    async def list(self, credential: str) -> list[Job]:
        """Return the jobs of a credential, oldest first."""
        owner = await self._compute.run(self._store.owner, credential)
        jobs = await self._compute.run(self._store.of, owner)
        return [self._runner.active.get(job.id, job) for job in jobs]

    async def delete(self, credential: str, identifier: str) -> Job:
        """Cancel a job that has not ended (it keeps what it has found); remove one that has; raises NotFound."""
        job = await self._find(credential, identifier)
        await self._compute.run(self._store.remove if job.has_ended else self._store.cancel, job)
        return job

    def expires(self, job: Job) -> float | None:
        """Return the Unix time (s) from which on a job is deleted; None while it has not ended."""
        return None if job.ended is None else job.ended + self._store.ttl_s

    async def _find(self, credential: str, identifier: str) -> Job:
        owner = await self._compute.run(self._store.owner, credential)
        job = await self._compute.run(self._store.get, owner, identifier)
        return self._runner.active.get(job.id, job)
