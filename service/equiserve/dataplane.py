"""The one object that both edges call. An edge decodes, calls the data plane, encodes, maps errors."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from equiserve import __version__, description
from equiserve.checks import (
    AnyCheckEvent,
    AnyCheckRequest,
    Checker,
    CheckReport,
    CheckRequest,
    OrbitPreview,
    report_of,
)
from equiserve.checks.candidates import CandidatesRequest, check_candidates
from equiserve.checks.job_store import JobStore
from equiserve.checks.jobs import Jobs
from equiserve.checks.monitor import TrafficMonitor
from equiserve.checks.smoke import SmokeChecks
from equiserve.engine import Admission, CalibrationCache, ComputePool, RequestContext, ServedModel
from equiserve.engine.core import DEFAULT_PRIORITY
from equiserve.engine.validation import validate
from equiserve.errors import EquiServeError, InvalidRequest, NotFound, Unavailable, Unsupported
from equiserve.generator_check import GeneratorCheckReport, GeneratorCheckRequest, check_generator
from equiserve.repository import Repository
from equiserve.settings import Settings
from equiserve.symmetrization import Symmetrization, symmetrization_of
from equiserve.symmetry import group_catalogue, metric_catalogue
from equiserve.tasks.classify import Classification, ClassifyRequest, classify
from equiserve.tasks.fit import BodyFit, BodyRegistry, FitRequest, cloud_inputs, fit
from equiserve.tasks.generate import (
    Completed,
    GenerateEvent,
    GenerateRequest,
    Generation,
    UnderWay,
    generate_events,
    plan_generation,
)
from equiserve.tasks.generate.generator import PictureGenerator
from equiserve.tasks.regress import Regression, RegressRequest, regress
from equiserve.tasks.symmetrize import infer_symmetrized

T = TypeVar("T")

#: Extensions of the Open Inference Protocol that this server speaks.
EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "model_repository(unload_dependents)",
    "parameters",
    "schedule_policy",
    "statistics",
)


@dataclass(slots=True)
class InferRequest:
    """A decoded v2 inference request.

    Attributes:
        model: Name of the model.
        version: Its version; empty = the newest that is loaded.
        id: The caller's id, echoed.
        inputs: Named arrays; object arrays of bytes for BYTES.
        outputs: Names of the outputs wanted; None = all.
        parameters: `priority`, `timeout` (microseconds in the queue), `runtime`, `symmetrize` (see `symmetrization`),
            and whatever else came.
    """

    model: str
    version: str = ""
    id: str = ""
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: tuple[str, ...] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class InferResponse:
    """Outputs by name, in the model's order, which model and runtime gave them, and how they were made invariant."""

    model: ServedModel
    id: str
    outputs: dict[str, np.ndarray]
    symmetrize: str | None = None


class DataPlane:
    """What the server can do, for both edges.

    Args:
        repository: The model versions.
        admission: Who may do what, and how much at a time.
        compute: Threads for what would hold up the event loop.
        settings: The limits of pictures and orbits.
    """

    def __init__(self, repository: Repository, admission: Admission, compute: ComputePool, settings: Settings) -> None:
        self.repository = repository
        self.admission = admission
        self.compute = compute
        self.settings = settings
        self.checker = Checker(
            repository.get,
            compute,
            max_pixels=settings.max_pixels,
            max_orbit=settings.max_orbit,
            cache_bytes=settings.check_cache_bytes,
        )
        store = JobStore(
            settings.jobs_dir or CalibrationCache(settings.cache).folder / "jobs",
            max_jobs=settings.max_jobs,
            max_bytes=settings.max_jobs_bytes,
            ttl_s=settings.job_ttl_s,
        )
        self.jobs = Jobs(self.checker, store, max_elements=settings.max_job_elements)
        self.bodies = BodyRegistry(settings.bodies)
        self.generations = UnderWay(settings.max_queued_rows)
        self.smoke = SmokeChecks(self.checker)
        self.monitor = TrafficMonitor(self.checker, settings.monitor_share) if settings.monitor_share else None
        if settings.smoke_check:
            repository.on_measured = self.smoke.begin

    async def close(self) -> None:
        """Stop what runs by itself: jobs (which go on after the next start), smoke checks, monitoring."""
        await self.jobs.close()
        self.smoke.close()
        if self.monitor is not None:
            self.monitor.close()

    # ---------------------------------------------------------------- health and metadata

    def ready(self) -> bool:
        """Return whether requests should be sent here."""
        return self.repository.ready and not self.admission.draining

    async def model_ready(self, name: str, version: str = "") -> bool:
        """Return whether a model version takes requests; raises NotFound for an unknown one."""
        try:
            await self.repository.get(name, version)
        except Unavailable:
            return False
        return not self.admission.draining

    def server_metadata(self) -> dict[str, Any]:
        """Return the v2 server metadata."""
        return {"name": "equiserve", "version": __version__, "extensions": list(EXTENSIONS)}

    async def model_metadata(self, name: str, version: str = "") -> dict[str, Any]:
        """Return the v2 metadata of a model; raises NotFound."""
        model = await self.repository.get(name, version)
        content = description.metadata(model, self.repository.versions(name))
        content["properties"] |= self._smoke_properties(model)
        return content

    async def model_config(self, name: str, version: str = "") -> dict[str, Any]:
        """Return the configuration of a model in the model_configuration extension's terms; raises NotFound."""
        model = await self.repository.get(name, version)
        content = description.configuration(model)
        found = self._smoke_properties(model)
        content["parameters"] |= {key: {"string_value": value} for key, value in found.items()}
        return content

    def _smoke_properties(self, model: ServedModel) -> dict[str, str]:
        """Return what the check at load found, in the metadata's terms."""
        found = self.smoke.found(model)
        return {f"symmetry.{group}.smoke": f"{one['status']}: {one['reason']}" for group, one in found.items()}

    def model_statistics(self, name: str = "", version: str = "") -> dict[str, Any]:
        """Return the v2 statistics of one model, one version, or all; raises NotFound for an unknown one."""
        if name:
            versions = self.repository.versions(name)
            if version and version not in versions:
                raise NotFound(
                    f"model {name!r} has no version {version!r}: loaded are {versions}",
                    code="unknown_version",
                    field="version",
                )
        chosen = [
            model for model in self.repository.models() if name in ("", model.name) and version in ("", model.version)
        ]
        return {"model_stats": [description.statistics(model) for model in chosen]}

    def group_catalogue(self) -> list[dict[str, Any]]:
        """Return every group that a check can run over."""
        return group_catalogue()

    def metric_catalogue(self) -> list[dict[str, Any]]:
        """Return every metric that a check can report."""
        return metric_catalogue()

    # ---------------------------------------------------------------- the repository

    def repository_index(self, *, ready_only: bool = False) -> list[dict[str, Any]]:
        """Return the v2 repository index."""
        return self.repository.index(ready_only=ready_only)

    async def load_model(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Load a model from the repository folder, or load it anew; see `Repository.load`."""
        if parameters:
            raise Unsupported(
                f"parameters {sorted(parameters)}: models are loaded from the repository folder as they lie there",
                code="unsupported_parameter",
                field="parameters",
            )
        await self.repository.load(name)

    async def unload_model(self, name: str) -> None:
        """Stop serving a model; see `Repository.unload`."""
        await self.repository.unload(name)

    # ---------------------------------------------------------------- running models

    async def infer(self, request: InferRequest, context: RequestContext) -> InferResponse:
        """Run one v2 inference request.

        Raises:
            NotFound: Unknown model, version or runtime.
            InvalidRequest: Names, datatypes or shapes do not fit the model.
            Unsupported, TooLarge: See `symmetrization_of`, `infer_symmetrized`.
            Overloaded, DeadlineExceeded, Unavailable, InternalError: See `ServedModel.infer`.
        """
        parameters = request.parameters
        model = await self.repository.get(request.model, request.version, _text(parameters, "runtime"))
        began = time.perf_counter_ns()
        try:
            wanted = _wanted(model, request.outputs)
            arrays = validate(model, request.inputs)
            priority = _whole(parameters, "priority") or DEFAULT_PRIORITY
            timeout_us = _whole(parameters, "timeout")
            queue_timeout_s = timeout_us * 1e-6 if timeout_us else None
            symmetrization: Symmetrization | None = None
            if model.manifest.symmetrize is not None or "symmetrize" in parameters:
                symmetrization = symmetrization_of(model, _text(parameters, "symmetrize"))
            if symmetrization is None:
                results = await model.infer(
                    arrays, priority=priority, deadline=context.deadline, queue_timeout_s=queue_timeout_s
                )
            else:
                results = await infer_symmetrized(
                    model,
                    arrays,
                    symmetrization,
                    wanted=wanted,
                    compute=self.compute,
                    max_orbit=self.settings.max_orbit,
                    priority=priority,
                    deadline=context.deadline,
                    queue_timeout_s=queue_timeout_s,
                )
        except BaseException as error:
            model.statistics.failed(error, time.perf_counter_ns() - began)
            raise
        model.statistics.succeeded(time.perf_counter_ns() - began)
        if self.monitor is not None:
            self.monitor.offer_rows(model, arrays)
        outputs = {
            spec.name: array
            for spec, array in zip(model.runtime.outputs, results, strict=True)
            if wanted is None or spec.name in wanted
        }
        return InferResponse(model, request.id, outputs, None if symmetrization is None else str(symmetrization))

    async def classify(self, request: ClassifyRequest, context: RequestContext) -> Classification:
        """Classify pictures; see `tasks.classify`."""
        model = await self.repository.get(request.model, request.version, request.runtime)
        work = classify(
            model,
            request,
            context,
            compute=self.compute,
            max_pixels=self.settings.max_pixels,
            max_orbit=self.settings.max_orbit,
        )
        classification = await _counted(model, work)
        if self.monitor is not None:
            self.monitor.offer(model, request.pictures[0])
        return classification

    async def plan_generation(self, request: GenerateRequest) -> Generation:
        """Check and plan a generation, without drawing anything; see `tasks.generate`."""
        model = await self.repository.get(request.model, request.version, request.runtime)
        return plan_generation(PictureGenerator.of(model), request, max_pictures=self.settings.max_pictures)

    async def generate(self, generation: Generation, context: RequestContext) -> Completed:
        """Draw the pictures of a generation; see `tasks.generate`."""
        async with aclosing(self.generate_events(generation, context)) as events:
            async for event in events:
                if isinstance(event, Completed):
                    return event
        raise AssertionError("a generation ends with its pictures or with an error")

    async def generate_events(
        self, generation: Generation, context: RequestContext, *, progress: bool = False
    ) -> AsyncGenerator[GenerateEvent, None]:
        """Draw the pictures and tell how it goes; closing the stream frees its rows within one step."""
        began, counted = time.perf_counter_ns(), generation.generator.model.statistics
        try:
            async with aclosing(
                generate_events(
                    generation, context, compute=self.compute, under_way=self.generations, progress=progress
                )
            ) as events:
                async for event in events:
                    if isinstance(event, Completed):
                        counted.succeeded(time.perf_counter_ns() - began)
                    yield event
        except Exception as error:
            counted.failed(error, time.perf_counter_ns() - began)
            raise

    def cancel_generation(self, id: str, context: RequestContext) -> int:
        """End the generations of a request's id that came with the same credential; see `UnderWay.cancel`."""
        return self.generations.cancel(id, context.credential)

    async def regress(self, request: RegressRequest, context: RequestContext) -> Regression:
        """Run a regressor; see `tasks.regress`."""
        model = await self.repository.get(request.model, request.version, request.runtime)
        return await _counted(model, regress(model, request, context))

    async def check_candidates(self, request: CandidatesRequest, context: RequestContext) -> dict[str, Any]:
        """Measure every declared symmetry against what is declared of it; see `checks.candidates`."""
        model = await self.repository.get(request.model, request.version, request.runtime)
        return await check_candidates(model, request, context, compute=self.compute, max_orbit=self.settings.max_orbit)

    async def fit(self, request: FitRequest, context: RequestContext) -> BodyFit:
        """Fit a body to a point cloud; see `tasks.fit`."""
        model = await self.repository.get(request.model, request.version, request.runtime)
        return await _counted(model, fit(model, request, context, compute=self.compute, bodies=self.bodies))

    async def cloud_inputs(
        self, name: str, version: str, content: bytes | np.ndarray, *, file_format: str | None, unit: str
    ) -> dict[str, np.ndarray]:
        """Return a cloud's file as the inputs of a body fitter, for checks; see `tasks.fit.cloud_inputs`."""
        model = await self.repository.get(name, version)
        return await cloud_inputs(model, content, compute=self.compute, file_format=file_format, unit=unit)

    async def takes_clouds(self, name: str, version: str = "") -> bool:
        """Return whether a model is there and declared to fit bodies."""
        try:
            return (await self.repository.get(name, version)).manifest.task == "fit"
        except EquiServeError:  # whoever uses the model will say so
            return False

    async def check(self, request: AnyCheckRequest, context: RequestContext) -> CheckReport:
        """Run an equivariance check; see `checks`."""
        return await report_of(self.check_events(request, context))

    async def check_generator(self, request: GeneratorCheckRequest, context: RequestContext) -> GeneratorCheckReport:
        """Check whether what a generator draws turns as asked; see `generator_check`."""
        asked = request.generate
        model = await self.repository.get(asked.model, asked.version, asked.runtime)
        report = await check_generator(
            model,
            request,
            context,
            compute=self.compute,
            max_orbit=self.settings.max_orbit,
            max_pictures=self.settings.max_pictures,
        )
        self.checker.statistics.record(report.content, "request")
        return report

    def check_events(self, request: AnyCheckRequest, context: RequestContext) -> AsyncGenerator[AnyCheckEvent, None]:
        """Run an equivariance check and tell how it goes; closing the stream stops it between two batches."""
        return self.checker.events(request, context)

    async def estimate_check(self, request: AnyCheckRequest) -> dict[str, Any]:
        """Return what a check would cost, without running it; see `Checker.estimate`."""
        return await self.checker.estimate(request)

    async def preview_check(self, request: CheckRequest, count: int) -> OrbitPreview:
        """Return `count` of the pictures that a check would give the model; see `Checker.preview`."""
        return await self.checker.preview(request, count)


async def _counted(model: ServedModel, work: Awaitable[T]) -> T:
    began = time.perf_counter_ns()
    try:
        result = await work
    except BaseException as error:
        model.statistics.failed(error, time.perf_counter_ns() - began)
        raise
    model.statistics.succeeded(time.perf_counter_ns() - began)
    return result


def _wanted(model: ServedModel, outputs: tuple[str, ...] | None) -> frozenset[str] | None:
    if not outputs:
        return None
    wanted = frozenset(outputs)
    known = {spec.name for spec in model.runtime.outputs}
    if not wanted <= known:
        unknown = sorted(wanted - known)
        raise InvalidRequest(
            f"unknown outputs {unknown}: expected some of {sorted(known)}",
            code="unknown_output",
            field=f"outputs.{unknown[0]}",
        )
    return wanted


def _whole(parameters: Mapping[str, Any], name: str) -> int:
    value = parameters.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidRequest(
            f"parameter {name!r}: got {value!r}, expected a whole number >= 0",
            code="invalid_parameter",
            field=f"parameters.{name}",
        )
    return value


def _text(parameters: Mapping[str, Any], name: str) -> str | None:
    value = parameters.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(
            f"parameter {name!r}: got {value!r}, expected text", code="invalid_parameter", field=f"parameters.{name}"
        )
    return value
