"""The model card of a regressor, written from its manifest: no figure in it stands anywhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from equiserve.artifact import Manifest


def write_card(manifest: Manifest, data: str, path: Path) -> None:
    """Write `CARD.md`.

    Args:
        manifest: With one version or more; the newest is described.
        data: Where the training data come from, and their licence or credit.
        path: The file.
    """
    version = manifest.versions[max(manifest.versions, key=int)]
    training = version.training
    tensors = [
        f"| `{tensor.name}` | {side} | {list(tensor.shape)} | {tensor.units or ''} | {tensor.kind} |"
        for side, tensors in (("in", manifest.inputs), ("out", manifest.outputs))
        for tensor in tensors
    ]
    levels = [
        f"| `{one.group}` | {manifest.groups[one.group].name} | {one.level} | {one.value:.3g} | "
        f"{'' if one.interval is None else f'{one.interval[0]:.3g} to {one.interval[1]:.3g}'} | {one.source} |"
        for one in manifest.symmetries
        if one.value is not None
    ]
    at_event, final = training["at_event"], training["final_residuals"]
    strengths = [
        f"| {name} | {value:.3g} | {at_event[name]:.2g} | {final[name]:.2g} |"
        for name, value in training["final_strengths"].items()
    ]
    errors = [f"| {split} | {value:.4g} |" for split, value in version.metrics.items()]
    first = manifest.symmetries[0]
    snapped = f" The weights were then snapped to {training['snapped_to']}." if training["snapped_to"] else ""
    path.write_text(
        f"""# {manifest.name}

{manifest.description}.

Trained by `{training["command"]}` (task: {training["task"]}; {training["method"]}; seed {training["seed"]},
{training["steps"]} steps) and exported by `python -m equiserve_models.soft.zoo {manifest.name}`.{snapped}
Licence of the weights: {manifest.licence}. Data: {data}

| tensor | | shape | units | kind |
| --- | --- | --- | --- | --- |
{chr(10).join(tensors)}

## Symmetries, measured on `model.onnx`

|f(gx) - g f(x)| / (|f(gx)| + |g f(x)|) in Euclidean norms, {first.elements} independent elements over {first.inputs}
inputs of the test data; 95 % interval of the mean; of an exact symmetry the largest error. The server measures it, too:
`POST /v2/models/{manifest.name}/equivariance/candidates`.

| group | | level | error | interval | source |
| --- | --- | --- | --- | --- | --- |
{chr(10).join(levels)}

## What the training found

{_weighing(training)}
A residual is 1/2 |theta - P theta|^2 over all layers.

| candidate | final strength | {training["weighed_by"]} at the last event | final residual |
| --- | --- | --- | --- |
{chr(10).join(strengths)}

## Mean squared error

In the task's own units ({"decimetres squared" if "walking" in training["task"].lower() else "(kg m^2) squared"}).

| split | error |
| --- | --- |
{chr(10).join(errors)}

## Limits

Inputs unlike the training data get answers without a warning, and the levels above hold for inputs like the test data.
A level that is not exact bounds a mean, not the worst input.
"""
    )


def _weighing(training: dict[str, Any]) -> str:
    power = f"(power {training['power']:g})"
    if training["weighed_by"] == "residuals":
        return f"All strengths began at {training['lambda_0']:g} and were weighed anew once by the residuals {power}."
    return (
        f"The strengths were weighed twice by the equivariance errors on validation data {power}: "
        f"{training['enforced']:g} for what holds."
    )
