"""What the page's script draws, as compact JSON values: columns instead of objects, numbers of four digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equiserve.checks.formats.page_layout import layout
from equiserve.checks.formats.parts import compares_models, parts_of
from equiserve.checks.plots.canvas import VIRIDIS
from equiserve.checks.plots.columns import drawn_columns, drawn_quantity, words_of, worst_row
from equiserve.checks.plots.curves import Curves
from equiserve.checks.plots.elements import words

_MOST_STEPS = 64


def page_data(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the page's data; the elements are those that all inputs share."""
    inputs = parts_of(report)
    parameters = report["group"]["parameters"]
    curves = Curves.of(inputs)
    # Two models have no mean.
    several = len(inputs) > 1 and not compares_models(report)
    said, first = words_of(inputs[0]), drawn_columns(inputs[0], searched=len(inputs) == 1)
    return {
        "title": f"{report['model']}, version {report['version']}: {report['group']['name']}",
        "statement": report["statement"],
        "verdict": report["verdict"],
        "gates": report.get("gates", []),
        "facts": _facts(report),
        "viridis": [f"#{code}" for code in VIRIDIS],
        "layout": layout(
            curves.elements,
            parameters,
            exact=bool(curves.exact.all()),
            quantity=drawn_quantity(inputs[0]).partition(" of ")[0],
        ),
        "said": {"differs": said.differs, "mostly_differs": said.mostly_differs, "mean": said.mean},
        "searched": [first["searched"][k] for k in curves.places[0]],
        "torus": [parameters.get("height"), parameters.get("width")],
        "elements": curves.elements,
        "words": [words(element, parameters) for element in curves.elements],
        "exact": curves.exact.tolist(),
        "inputs": [_input(given, curves, index, searched=len(inputs) == 1) for index, given in enumerate(inputs)],
        "mean": _mean(curves) if several else None,
        "overview": _overview(curves) if several else None,
        "comparison": report["comparison"]["statement"] if compares_models(report) else None,
    }


def _input(report: Mapping[str, Any], curves: Curves, index: int, *, searched: bool) -> dict[str, Any]:
    columns = drawn_columns(report, searched=searched)
    rows = curves.places[index]
    names = sorted({name for name in columns.get("label", []) if name is not None})
    prediction = (report["reference"] or {}).get("prediction")
    agrees = curves.agrees[index] if len(rows) else np.zeros(0, np.bool_)
    uniform = agrees[[not columns["searched"][k] for k in rows]]
    return {
        "name": report["name"],
        "status": report["verdict"]["status"],
        "statement": report["statement"],
        "reason": report["verdict"]["reason"],
        "reference": prediction and prediction["label"],
        "quantity": drawn_quantity(report),
        "classes": "outputs" not in report,
        "consistency": round(float(uniform.mean()), 4) if len(rows) else None,
        "worst": _worst(report, columns, rows),
        "names": names,
        "answers": [None if (name := columns["label"][k]) is None else names.index(name) for k in rows],
        "probability": _rounded([columns["probability"][k] for k in rows]),
        "margin": _rounded([columns["margin"][k] for k in rows]),
        "error": [None if (e := columns["relative_error"][k]) is None else float(f"{e:.3g}") for k in rows],
        "agrees": agrees.astype(int).tolist(),
        "picture": report.get("picture"),
        "resized": report["resized_from"] is not None,
        "controls": _controls(report),
    }


def _worst(report: Mapping[str, Any], columns: Mapping[str, Any], rows: Sequence[int]) -> int | None:
    worst = worst_row(report, columns)
    return rows.index(worst) if worst in rows else None


def _mean(curves: Curves) -> dict[str, Any] | None:
    band = curves.band()
    if band is None or not len(curves.elements):
        return None
    low, high = band
    mean = curves.mean
    groups = np.array_split(np.argsort(mean, kind="stable"), min(_MOST_STEPS, len(mean)))
    return {
        "probability": _rounded(mean.tolist()),
        "low": _rounded(low.tolist()),
        "high": _rounded(high.tolist()),
        "agrees": (2 * curves.agrees.sum(axis=0) >= len(curves.agrees)).astype(int).tolist(),
        "agreeing": curves.agrees.sum(axis=0).tolist(),
        "worst": int(mean.argmin()) if mean.min() < mean.max() else None,
        "profile": [_rounded([float(values[group].mean()) for group in groups]) for values in (mean, low, high)],
        "averaged": len(groups[0]),
    }


def _overview(curves: Curves) -> dict[str, Any] | None:
    found = curves.overview()
    if found is None:
        return None
    points, shares = found
    return {"points": [_rounded(point) for point in points.tolist()], "shares": _rounded(shares.tolist())}


def _facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a reader may want to know of how it was made: names and values."""
    coverage, cost, provenance = report["coverage"], report["cost"], report["provenance"]
    floor, software = report["noise_floor"], provenance["software"]
    given = [
        ("model", f"{report['model']}, version {report['version']}, {report['runtime']}"),
        ("file", f"SHA-256 {report['file_digest']}"),
        ("group", f"{report['group']['name']}" + ("" if report["group"]["is_group"] else " (not a group)")),
        ("declared level", report["level"]),
        ("elements", f"{coverage['checked']} checked of {coverage['planned']} planned"),
        ("noise floor", "not measured" if floor["value"] is None else f"{floor['value']:.2g} (relative)"),
        ("batch invariance", str(floor["batch_invariance"])),
        ("transformation", f"{provenance['kernel']}; border: {provenance['boundary']}"),
        ("cost", f"{cost['forward_passes']} forward passes, {cost['wall_ms'] / 1e3:.2f} s"),
        ("software", ", ".join(f"{name} {version}" for name, version in software.items())),
        ("processor", str(provenance["cpu"])),
    ]
    return given


def _controls(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the controls of one input in words."""
    controls = report["controls"]
    if controls is None:
        return []
    noun = words_of(report).noun
    repeat, acted, back = controls["repeat"], controls["did_it_act"], controls["round_trip"]
    same = "same bits" if repeat["identical"] else f"differs by {max(_numbers(repeat), default=0):.2g} (relative)"
    unrelated = ", ".join(
        f"{name} {'not run' if value is None else format(value, '.2g')}"
        for name, value in controls["unrelated"].items()
    )
    found = [
        (f"the same {noun} again", f"{same}, {repeat['repeats']} times"),
        (f"unrelated {noun}s", f"{unrelated} (relative difference; near 0 means that the model does not look)"),
        ("did it act", f"{acted['changed']} of {acted['of']} elements change the {noun}"),
    ]
    if back is not None:
        found.append(("there and back", f"{back['relative_error']:.2g} (relative), {back['agrees']:.0%} same answer"))
    return found


def _numbers(repeat: Mapping[str, Any]) -> list[float]:
    return [float(repeat[key]) for key in ("same_batch", "other_batches") if repeat[key] is not None]


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None or not np.isfinite(value) else round(float(value), 4) for value in values]
