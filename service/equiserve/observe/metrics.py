"""Prometheus metrics: Triton's names, so that existing dashboards and autoscaling rules work, and our own beside them.

The hot path only adds to plain integers (`engine.statistics`); everything here runs when `/metrics` is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from equiserve import __version__
from equiserve.checks.statistics import CheckStatistics
from equiserve.engine import Admission, Scheduler, ServedModel
from equiserve.engine.statistics import REASONS
from equiserve.observe.loop_lag import EDGES_S, LoopLag
from equiserve.tasks.generate import UnderWay

_LABELS = ("model", "version")
# Triton knows one runtime a version. Its names carry the sum over all that were asked for, ours carry each.
_OUR_LABELS = (*_LABELS, "runtime")
_GENERATION_LABELS = (*_LABELS, "solver")
_CHECK_LABELS = (*_LABELS, "group")
_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class EngineCollector(Collector):
    """Reads the engine's state at scrape time.

    Args:
        models: Returns the loaded model versions.
        scheduler: The device.
        admission: What is under way.
    """

    def __init__(self, models: Callable[[], list[ServedModel]], scheduler: Scheduler, admission: Admission) -> None:
        self._models = models
        self._scheduler = scheduler
        self._admission = admission

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        yield from self._tritons_names()
        yield from self._our_names()

    def _tritons_names(self) -> Iterator[Metric]:
        versions: dict[tuple[str, str], list[ServedModel]] = {}
        for model in self._models():
            versions.setdefault((model.name, model.version), []).append(model)

        def counter(name: str, text: str, value: Callable[[ServedModel], float]) -> Metric:
            family = CounterMetricFamily(name, text, labels=_LABELS)
            for labels, models in versions.items():
                family.add_metric(labels, sum(map(value, models)))
            return _without_total(family)

        yield counter("nv_inference_request_success", "Requests answered", lambda m: m.statistics.success.count)
        failures = CounterMetricFamily(
            "nv_inference_request_failure", "Requests not answered, by reason", labels=(*_LABELS, "reason")
        )
        for labels, models in versions.items():
            for reason in REASONS:
                failures.add_metric([*labels, reason], sum(model.statistics.failures[reason] for model in models))
        yield _without_total(failures)
        yield counter("nv_inference_count", "Rows computed", lambda m: m.statistics.rows)
        yield counter("nv_inference_exec_count", "Batches computed", lambda m: m.statistics.executions)
        for stage, text in (
            ("queue", "Time in the queue"),
            ("compute_input", "Time assembling batches"),
            ("compute_infer", "Time in the model"),
            ("compute_output", "Time handing outputs back"),
        ):
            yield counter(
                f"nv_inference_{stage}_duration_us",
                f"{text}, summed over requests, in microseconds",
                lambda m, stage=stage: getattr(m.statistics, stage).ns / 1e3,  # type: ignore[misc]
            )
        yield counter(
            "nv_inference_request_duration_us",
            "Time from validation to answer, summed over requests, in microseconds",
            lambda m: m.statistics.success.ns / 1e3,
        )
        pending = GaugeMetricFamily("nv_inference_pending_request_count", "Requests that wait", labels=_LABELS)
        for labels, models in versions.items():
            pending.add_metric(labels, sum(model.pending_calls for model in models))
        yield pending

    def _our_names(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("equiserve_info", "The server's version", labels=("version",))
        info.add_metric([__version__], 1)
        yield info
        rows = GaugeMetricFamily("equiserve_pending_rows", "Rows that wait", labels=_OUR_LABELS)
        sizes = HistogramMetricFamily("equiserve_batch_rows", "Rows in a batch, padding included", labels=_OUR_LABELS)
        padded = CounterMetricFamily("equiserve_padded_rows", "Rows that only padded a batch", labels=_OUR_LABELS)
        background = CounterMetricFamily("equiserve_background_rows", "Rows of checks and jobs", labels=_OUR_LABELS)
        per_row = GaugeMetricFamily("equiserve_row_cost_seconds", "Learned seconds a row", labels=_OUR_LABELS)
        fixed = GaugeMetricFamily("equiserve_batch_cost_seconds", "Learned seconds a batch", labels=_OUR_LABELS)
        exact = GaugeMetricFamily(
            "equiserve_batch_invariant", "1 where company never changes a served answer's bits", labels=_OUR_LABELS
        )
        for model in self._models():
            labels = [model.name, model.version, model.runtime.name]
            counted = model.statistics
            rows.add_metric(labels, model.pending_rows)
            padded.add_metric(labels, counted.padded_rows)
            background.add_metric(labels, counted.background_rows)
            per_row.add_metric(labels, model.cost.per_row_s)
            fixed.add_metric(labels, model.cost.fixed_s)
            calibration = model.calibration
            exact.add_metric(labels, calibration.exact_in_batches and model.min_batch >= calibration.stable_batch)
            buckets = [
                (str(edge), sum(count for size, count in counted.batch_sizes.items() if size <= edge))
                for edge in _BUCKETS
            ]
            buckets.append(("+Inf", sum(counted.batch_sizes.values())))
            total = sum(size * count for size, count in counted.batch_sizes.items())
            sizes.add_metric(labels, buckets, sum_value=total)
        yield from (rows, sizes, padded, background, per_row, fixed, exact)
        for name, text, value in (
            ("equiserve_threads", "CPU threads that models share", self._scheduler.threads),
            ("equiserve_busy_threads", "CPU threads that compute now", self._scheduler.busy_threads),
            ("equiserve_inflight_requests", "Requests under way", self._admission.inflight_requests),
            ("equiserve_inflight_bytes", "Bytes of bodies under way", self._admission.inflight_bytes),
        ):
            yield GaugeMetricFamily(name, text, value=value)


class CheckCollector(Collector):
    """Reads what equivariance checks found at scrape time.

    Args:
        statistics: Counted by the checker.
    """

    def __init__(self, statistics: CheckStatistics) -> None:
        self._statistics = statistics

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        counted = self._statistics
        checks = CounterMetricFamily("equiserve_checks", "Equivariance checks", labels=(*_CHECK_LABELS, "source"))
        for (subject, source), count in counted.checks.items():
            checks.add_metric([*subject, source], count)
        elements = CounterMetricFamily("equiserve_check_elements", "Elements checked", labels=_CHECK_LABELS)
        for subject, count in counted.elements.items():
            elements.add_metric(subject, count)
        cached = CounterMetricFamily(
            "equiserve_check_cached_rows", "Rows of checks that needed no forward pass", labels=_CHECK_LABELS
        )
        for subject, count in counted.cached.items():
            cached.add_metric(subject, count)
        verdicts = CounterMetricFamily(
            "equiserve_check_verdicts", "Verdicts of checks, by status", labels=(*_CHECK_LABELS, "status")
        )
        for (subject, status), count in counted.verdicts.items():
            verdicts.add_metric([*subject, status], count)
        consistency = GaugeMetricFamily(
            "equiserve_check_consistency",
            "Share of the last check's elements that get its most common answer",
            labels=(*_CHECK_LABELS, "source"),
        )
        for (subject, source), share in counted.consistency.items():
            consistency.add_metric([*subject, source], share)
        violations = GaugeMetricFamily(
            "equiserve_declared_symmetry_violated",
            "1 where the check at load found an exact symmetry violated",
            labels=_CHECK_LABELS,
        )
        for subject, violated in counted.violated.items():
            violations.add_metric(subject, violated)
        yield from (checks, elements, cached, verdicts, consistency, violations)
        yield CounterMetricFamily(
            "equiserve_monitor_dropped_pictures",
            "Live pictures chosen for a check while too many waited",
            value=counted.dropped,
        )


class GenerationCollector(Collector):
    """Reads what was drawn at scrape time.

    Args:
        under_way: Counts the generations.
    """

    def __init__(self, under_way: UnderWay) -> None:
        self._under_way = under_way

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        counted = self._under_way
        ended = CounterMetricFamily(
            "equiserve_generations", "Generations that ended, by outcome", labels=(*_GENERATION_LABELS, "outcome")
        )
        for (subject, outcome), count in counted.outcomes.items():
            ended.add_metric([*subject, outcome], count)
        pictures = CounterMetricFamily(
            "equiserve_generated_pictures", "Pictures that were drawn", labels=_GENERATION_LABELS
        )
        calls = CounterMetricFamily(
            "equiserve_generation_calls", "Calls of the denoiser for completed generations", labels=_GENERATION_LABELS
        )
        for family, values in ((pictures, counted.pictures), (calls, counted.calls)):
            for subject, count in values.items():
                family.add_metric(subject, count)
        yield from (ended, pictures, calls)
        yield GaugeMetricFamily("equiserve_generations_under_way", "Generations under way", value=len(counted))
        yield GaugeMetricFamily("equiserve_generation_rows", "Rows of the largest of their steps", value=counted.rows)


class LoopLagCollector(Collector):
    """Reads how late the event loop was at scrape time.

    Args:
        lag: The heartbeat.
    """

    def __init__(self, lag: LoopLag) -> None:
        self._lag = lag

    def collect(self) -> Iterator[Metric]:
        """Yield the one metric family."""
        edges = [*map(str, EDGES_S), "+Inf"]
        buckets = list(zip(edges, accumulate(self._lag.counts), strict=True))
        family = HistogramMetricFamily("equiserve_event_loop_lag_seconds", "How late the event loop ran what was due")
        family.add_metric([], buckets, sum_value=self._lag.total_s)
        yield family


def _without_total(family: CounterMetricFamily) -> Metric:
    """Return the family with its samples named exactly as Triton names them: without the suffix `_total`."""
    family.samples = [sample._replace(name=family.name) for sample in family.samples]
    return family


def metrics_renderer(
    models: Callable[[], list[ServedModel]],
    scheduler: Scheduler,
    admission: Admission,
    checks: CheckStatistics | None = None,
    loop_lag: LoopLag | None = None,
    generations: UnderWay | None = None,
) -> Callable[[], bytes]:
    """Return a function that renders the Prometheus text format."""
    registry = CollectorRegistry()
    registry.register(EngineCollector(models, scheduler, admission))
    if checks is not None:
        registry.register(CheckCollector(checks))
    if generations is not None:
        registry.register(GenerationCollector(generations))
    if loop_lag is not None:
        registry.register(LoopLagCollector(loop_lag))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    # The text format's writer adds the suffix to the two comment lines whatever the samples are called.
    suffix = re.compile(rb"^(# (?:HELP|TYPE) nv_\w+)_total ", re.MULTILINE)
    return lambda: suffix.sub(rb"\1 ", generate_latest(registry))
