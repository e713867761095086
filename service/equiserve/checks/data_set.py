"""Several inputs, one report: each input's finding, the aggregate curve, and intervals over inputs.

The elements of one orbit are no independent draws, so nothing here counts them as such: an input gives one figure,
and an interval says what further inputs of the same kind would give (see `symmetry.clustered`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from equiserve.symmetry.clustered import consistency_interval, curve_band
from equiserve.symmetry.data_set_judgement import InputFinding, judge_inputs
from equiserve.symmetry.verdict import ERROR_METRICS, Thresholds, Verdict

_COPIED = (
    "id",
    "model",
    "version",
    "runtime",
    "file_digest",
    "group",
    "level",
    "declared",
    "noise_floor",
    "provenance",
)
_QUANTILES = {"p05": 5, "median": 50, "p95": 95}


def aggregate(
    reports: Sequence[Mapping[str, Any]], failures: Mapping[int, Mapping[str, Any]], planned: int
) -> dict[str, Any]:
    """Return the report on a data set; takes milliseconds to seconds, not for the event loop.

    Args:
        reports: The reports of m >= 1 pictures in their JSON form, each with its `index` in the data set, of one model
            and one group.
        failures: Why a picture could not be checked, by its index: the body of an error.
        planned: Pictures that were submitted.

    Returns:
        `statement`, `verdict`, `coverage` in pictures and elements, `summary` (each metric's mean, spread and, for
        `modal_consistency` over all elements, the interval over pictures), `elements` (for each element the mean over
        pictures with a 95 % band, and quantiles of the probability), `inputs` (the reports, and the errors), `cost`;
        `comparison` where each has one.
    """
    statuses = Counter(report["verdict"]["status"] for report in reports)
    shares = [_share(report) for report in reports]
    interval = consistency_interval(shares).to_json()
    content: dict[str, Any] = {
        "statement": _statement(statuses, interval, reports[0], planned),
        "verdict": _verdict(reports, failures, planned),
    }
    content |= {key: reports[0].get(key) for key in _COPIED}
    content |= {
        "coverage": {
            "inputs": len(reports),
            "planned_inputs": planned,
            "failed_inputs": len(failures),
            "checked": sum(report["coverage"]["checked"] for report in reports),
            "planned": sum(report["coverage"]["planned"] for report in reports),
        },
        "verdicts": dict(statuses),
        "consistency": interval,
        "summary": {part: _spread(reports, part) for part in ("exact", "resampled", "all")},
        "elements": _curves(reports),
        "inputs": [*reports, *({"index": index, "error": dict(body)} for index, body in failures.items())],
        "cost": {
            key: sum(report["cost"][key] for report in reports)
            for key in ("forward_passes", "batches", "cached", "wall_ms", "transform_ms")
        },
    }
    if (comparison := _comparison(reports)) is not None:
        content["comparison"] = comparison
    content["inputs"].sort(key=lambda row: row["index"])
    return content


def _share(report: Mapping[str, Any]) -> float:
    """Return an input's share of the orbit with the most common answer, or of outputs that are no classes the share
    that follows the input; NaN where nothing was answered in time.
    """
    columns = report["elements"]
    if columns is None:
        return float("nan")
    if "label" not in columns:
        return float(np.mean(columns["agrees"]))
    votes = Counter(label for label in columns["label"] if label is not None)
    return max(votes.values(), default=0) / len(columns["label"])


def _statement(statuses: Counter[str], interval: Mapping[str, Any], first: Mapping[str, Any], planned: int) -> str:
    checked = statuses.total()
    partly = "" if checked == planned else f" (of {planned})"
    passed, inputs = statuses["pass"], _noun(first)
    what = "the outputs follow the input on" if _is_tensors(first) else "the most common answer has"
    return (
        f"{first['model']} holds {first['group']['name']} on {passed} of {checked} {inputs}s{partly}; {what} "
        f"{interval['mean']:.2%} of an orbit on average (95 % interval over {inputs}s "
        f"{interval['low']:.2%} to {interval['high']:.2%}, {interval['method']})."
    )


def _is_tensors(report: Mapping[str, Any]) -> bool:
    return "outputs" in report


def _noun(report: Mapping[str, Any]) -> str:
    return "input" if _is_tensors(report) else "picture"


def _verdict(
    reports: Sequence[Mapping[str, Any]], failures: Mapping[int, Mapping[str, Any]], planned: int
) -> dict[str, Any]:
    """Judge the pictures that were checked; where some were not, nothing can pass."""
    findings = [
        InputFinding(
            str(report.get("name") or f"{_noun(report)} {report['index']}"),
            Verdict(**report["verdict"]),
            _figures(report),
        )
        for report in sorted(reports, key=_share)
    ]
    verdict = judge_inputs(reports[0]["level"], findings, thresholds=_thresholds(reports[0]))
    missing = planned - len(reports) - len(failures)
    if verdict.status == "pass" and (failures or missing):
        return Verdict(
            "inconclusive",
            f"{len(failures)} of {planned} {_noun(reports[0])}s could not be checked and {missing} were not reached. "
            f"Of the others: {verdict.reason}",
            "See `inputs` for the reasons.",
        ).to_json()
    return verdict.to_json()


def _thresholds(report: Mapping[str, Any]) -> Thresholds:
    declared = report["declared"] or {}
    if report["level"] != "approximate" or declared.get("metric") not in ERROR_METRICS or "value" not in declared:
        return Thresholds()
    tolerance = declared.get("tolerance", Thresholds().error_tolerance)
    return replace(Thresholds(), error_level=declared["value"], error_tolerance=tolerance)


def _figures(report: Mapping[str, Any]) -> dict[str, float]:
    summary = report["summary"] or {}
    return {name: value for name, value in (summary.get("all") or {}).items() if value is not None}


def _comparison(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return which model is more consistent on how many pictures; None where they were not compared."""
    compared = [(report["index"], report["comparison"]) for report in reports if report.get("comparison")]
    paired = [(index, one["paired"]) for index, one in compared if one["paired"]]
    if not paired:
        return None
    gaps = {index: one["modal_consistency"] for index, one in paired}
    better, worse = sum(gap > 0 for gap in gaps.values()), sum(gap < 0 for gap in gaps.values())
    name, other = reports[0]["model"], compared[0][1]
    return {
        "statement": (
            f"{name} is more consistent than {other['model']} on {better} of {len(gaps)} {_noun(reports[0])}s, less on "
            f"{worse}, alike on {len(gaps) - better - worse}; on average by {np.mean(list(gaps.values())):+.2%} of an "
            "orbit."
        ),
        **{key: other[key] for key in ("model", "version", "runtime", "file_digest")},
        "inputs": len(gaps),
        "more_consistent": better,
        "less_consistent": worse,
        "modal_consistency": float(np.mean(list(gaps.values()))),
        "got_worse": [index for index, gap in gaps.items() if gap < 0],
    }


def _spread(reports: Sequence[Mapping[str, Any]], part: str) -> dict[str, Any] | None:
    summaries = [report["summary"][part] for report in reports if report["summary"] and report["summary"][part]]
    if not summaries:
        return None
    spread: dict[str, Any] = {}
    for name in summaries[0]:
        values = np.array([summary[name] for summary in summaries if summary[name] is not None], np.float64)
        spread[name] = (
            {"mean": float(values.mean()), "min": float(values.min()), "max": float(values.max())}
            | {key: float(np.percentile(values, q)) for key, q in _QUANTILES.items()}
            if len(values)
            else None
        )
    return spread


def _curves(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the mean curve over the pictures whose orbits have the very same elements as the first one's."""
    first = reports[0]["elements"]
    if first is None:
        return None
    alike = [
        report["elements"]
        for report in reports
        if report["elements"] is not None and report["elements"]["element"] == first["element"]
    ]
    agrees = np.array([columns["agrees"] for columns in alike], np.float64)
    # A failure has no probability; to leave it out would flatter the model.
    quantity = "relative_error" if _is_tensors(reports[0]) else "probability"
    values = np.nan_to_num(np.array([columns[quantity] for columns in alike], np.float64))
    band = curve_band(agrees)
    curves: dict[str, Any] = {
        "element": first["element"],
        "exact": first["exact"],
        "inputs": len(alike),
        "agrees": [interval.mean for interval in band],
        "agrees_low": [interval.low for interval in band],
        "agrees_high": [interval.high for interval in band],
        quantity: values.mean(axis=0).tolist(),
    }
    quantiles = np.percentile(values, list(_QUANTILES.values()), axis=0)
    return curves | {f"{quantity}_{key}": row.tolist() for key, row in zip(_QUANTILES, quantiles, strict=True)}
