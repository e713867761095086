"""Two models on the same elements of the same orbit: paired differences, and which of them is more consistent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import numpy as np

from equiserve.checks.events import CheckEvent, Completed, Judged, Started
from equiserve.checks.named_tensors.events import TensorProgress, TensorStarted
from equiserve.errors import InvalidRequest

#: What a check tells on its way, of a picture or of named tensors.
AnyCheckEvent = CheckEvent | TensorStarted | TensorProgress
#: A check of the second model, given the elements (JSON values) and the group's name of the first one's.
Second = Callable[[list[Any], str], AsyncGenerator[AnyCheckEvent, None]]

_SHOWN = ("model", "version", "runtime", "file_digest", "verdict", "level", "coverage", "summary")


async def stream_comparison(
    first: AsyncGenerator[AnyCheckEvent, None], second: Second
) -> AsyncGenerator[AnyCheckEvent, None]:
    """Run one check after the other, and end with the first one's report, which has a `comparison` then.

    Yields:
        Started and Progress of both models, which name theirs; then Judged and Completed of the comparison.

    Raises:
        InvalidRequest: The group acts on the second model's input in another way (`not_comparable`).
    """
    async with aclosing(first):
        async for event in first:
            if isinstance(event, Started | TensorStarted):
                plan = event.plan
            elif isinstance(event, Completed):
                ours = event.report
            if not isinstance(event, Judged | Completed):
                yield event
    group = plan.group.name
    again = second([element.to_json() for element in plan.orbit.elements], group)
    async with aclosing(again):
        try:
            event = await anext(again)
        except InvalidRequest as error:
            raise InvalidRequest(
                f"compare_with: {group} and its elements, as they act on the input of "
                f"{ours.content['model']}, cannot act on the other model's: {error.message}",
                code="not_comparable",
                field="compare_with",
            ) from None
        yield event
        async for event in again:
            if isinstance(event, Completed):
                theirs = event.report
            if not isinstance(event, Judged | Completed):
                yield event
    report = replace(ours, content=ours.content | {"comparison": compare(ours.content, theirs.content)})
    yield Judged(report)
    yield Completed(report)


def compare(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Compare two reports, in their JSON form, on the elements that both have.

    Args:
        ours: The report of the model that was asked for.
        theirs: The report of the other one.

    Returns:
        `statement`; the other model's `model` to `summary` and `elements`; `paired` counts and mean differences, ours
        minus theirs; `difference`, a list a quantity, an entry an element of `index` (rows of our `elements`).
    """
    other = {key: theirs[key] for key in _SHOWN} | {"elements": theirs["elements"], "cost": theirs["cost"]}
    if ours["elements"] is None or theirs["elements"] is None:
        return other | {"statement": "Not compared: one of the models has no answer in time.", "paired": None}
    a, b = ours["elements"], theirs["elements"]
    place = {str(element): row for row, element in enumerate(b["element"])}
    pairs = [(row, place[str(element)]) for row, element in enumerate(a["element"]) if str(element) in place]
    left, right = [row for row, _ in pairs], [row for _, row in pairs]

    def column(columns: Mapping[str, Any], name: str, rows: list[int]) -> np.ndarray:
        values = [columns[name][row] for row in rows]
        return np.array([np.nan if value is None else value for value in values], np.float64)

    agrees, others_agree = column(a, "agrees", left) > 0, column(b, "agrees", right) > 0
    classified = "label" in a and "label" in b
    quantities = ("probability", "margin") if classified else ("relative_error",)
    difference = {name: column(a, name, left) - column(b, name, right) for name in quantities}
    only_ours, only_theirs = int((agrees & ~others_agree).sum()), int((~agrees & others_agree).sum())
    paired: dict[str, Any] = {
        "elements": len(pairs),
        "both_agree": int((agrees & others_agree).sum()),
        "only_this_agrees": only_ours,
        "only_other_agrees": only_theirs,
        "neither_agrees": int((~agrees & ~others_agree).sum()),
        "modal_consistency": _share(agrees) - _share(others_agree),
    }
    paired |= {name: _mean(values) for name, values in difference.items()}
    if classified:
        paired["same_label"] = sum(a["label"][i] == b["label"][j] for i, j in pairs)
    return other | {
        "statement": _statement(ours, theirs, agrees, others_agree, paired),
        "paired": paired,
        "difference": {"index": left} | {name: _numbers(values) for name, values in difference.items()},
    }


def _statement(
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    agrees: np.ndarray,
    others_agree: np.ndarray,
    paired: Mapping[str, Any],
) -> str:
    given, does = ("picture", "keeps its answer") if "same_label" in paired else ("input", "follows it")
    total, name, other = len(agrees), _name(ours), _name(theirs)
    if name == other:
        name, other = f"{name} ({ours['runtime']})", f"{other} ({theirs['runtime']})"
    counts = int(agrees.sum()), int(others_agree.sum())
    if counts[0] == counts[1]:
        return f"{name} and {other} are as consistent for this {given}: each {does} on {counts[0]} of {total} elements."
    better, worse, most, least = (name, other, *counts) if counts[0] > counts[1] else (other, name, *counts[::-1])
    alone = paired["only_this_agrees"], paired["only_other_agrees"]
    return (
        f"{better} is more consistent for this {given}: {most} of {total} elements against {least} of {worse} "
        f"(where only one {does}: {max(alone)} to {min(alone)})."
    )


def _name(report: Mapping[str, Any]) -> str:
    return f"{report['model']} version {report['version']}"


def _share(flags: np.ndarray) -> float:
    return float(flags.mean()) if len(flags) else 0.0


def _mean(values: np.ndarray) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _numbers(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
