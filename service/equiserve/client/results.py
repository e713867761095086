"""What the server's answers hold, for type checkers; JSON ones are plain dictionaries at run time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np


class ModelState(TypedDict):
    """One model version of the repository."""

    name: str
    version: str
    state: str
    reason: str


class Prediction(TypedDict):
    """One class for one picture; no probability where the model's output was not finite."""

    label: str
    index: int
    probability: float | None


class Stability(TypedDict):
    """How far the answers on a picture's orbit agree: share of the most common class, its lead, entropy in bits."""

    modal_share: float
    margin: float
    entropy: float


class Classification(TypedDict):
    """For each picture its most probable classes, best first, and [H, W] before it was resized or padded.

    `symmetrize` says how the server made the answers invariant; `stability` is there, one a picture, where it took a
    mean over a group.
    """

    model: str
    version: str
    runtime: str
    predictions: list[list[Prediction]]
    resized_from: list[list[int] | None]
    guarantee: str | None
    symmetrize: str | None
    stability: list[Stability] | None


@dataclass(frozen=True)
class Generated:
    """Pictures that were drawn.

    Attributes:
        pictures: float32 [n, C, H, W], in [-1, 1] but for overshoot.
        parameters: What they are a function of, nothing left open: the seed with them.
        etag: Equal where the pictures are.
    """

    pictures: np.ndarray
    parameters: dict[str, Any]
    etag: str


class RegressedTensor(TypedDict):
    """One output of a regressor: numbers nested as the shape says, their unit, and the error where a truth was sent."""

    datatype: str
    shape: list[int]
    data: list[Any]
    units: str | None
    kind: str
    frame: str | None
    relative_to: str | None
    error: float | None


class Regression(TypedDict):
    """Outputs by name, and which symmetries hold of them."""

    model: str
    version: str
    runtime: str
    outputs: dict[str, RegressedTensor]
    guarantee: str | None


class CandidateResult(TypedDict):
    """One declared symmetry: what is declared, what was measured, and whether the one fits the other."""

    group: str
    name: str
    declared: dict[str, Any] | None
    status: Literal["holds", "violated", "more_symmetric", "inconclusive", "not_claimed", "refused"]
    reason: str
    measured: dict[str, Any] | None
    outputs: dict[str, dict[str, Any]]
    warnings: list[str]


class CandidatesResult(TypedDict):
    """The check of all declared symmetries; `agrees` where nothing is violated and nothing refused."""

    id: str
    model: str
    version: str
    runtime: str
    file_digest: str
    statement: str
    agrees: bool
    inputs: int
    elements: int
    seed: int
    candidates: list[CandidateResult]
    noise_floor: dict[str, float]
    cost: dict[str, float]


class FitQuality(TypedDict):
    """`ok`, or `low` with what speaks against the fit."""

    level: Literal["ok", "low"]
    reasons: list[str]


class BodyFit(TypedDict):
    """A fitted body in SMPL's terms; lengths in metres in the frame of the cloud, rotation vectors in radians.

    `labels` (the part of each point) and `mesh` (vertices and faces) are there where they were asked for.
    """

    statement: str
    model: str
    version: str
    runtime: str
    body: dict[Literal["name", "licence"], str]
    quality: FitQuality
    unit: dict[str, Any]
    points: dict[Literal["received", "kept", "isolated", "used"], int]
    residual_mm: dict[Literal["mean", "median", "surface_to_points"], float]
    outlier_share: float
    unseen_share: float
    refined_from: str | None
    global_orient: list[float]
    body_pose: list[list[float]]
    betas: list[float]
    transl: list[float]
    joints: list[list[float]]
    joint_names: list[str]
    part_confidence: list[float]
    labels: list[int] | None
    mesh: NotRequired[dict[Literal["vertices", "faces"], list[list[float]]]]


class Verdict(TypedDict):
    """What to conclude from a check, why, and what to do next."""

    status: str
    reason: str
    next_step: str | None


class Coverage(TypedDict):
    """Elements of the group that were checked, of those planned; `exact` ones permute pixels."""

    checked: int
    planned: int
    exact: int


class ElementColumns(TypedDict, total=False):
    """A list a column, an entry an element, the identity first; `output` only where it was asked for."""

    element: list[Any]
    exact: list[bool]
    label: list[str | None]
    probability: list[float | None]
    margin: list[float | None]
    agrees: list[bool]
    relative_error: list[float | None]
    output: list[list[float | None]]


class JobStatus(TypedDict):
    """A job; times in ISO 8601, UTC. `result` is there once it has ended, and only where a single job is asked for.

    Of one picture the result is its report (`CheckResult`); of several it has `statement`, `verdict`, `coverage`,
    `consistency` with its interval over pictures, `summary`, the mean curve `elements`, and `inputs`, a row a picture.
    """

    id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    model: str
    progress: dict[Literal["done", "planned", "pictures_done", "pictures"], int]
    request: dict[str, Any]
    created: str
    started: str | None
    ended: str | None
    expires: str | None
    error: dict[str, Any] | None
    result: NotRequired[dict[str, Any] | None]


class CheckResult(TypedDict):
    """The report of an equivariance check; `statement` says it in a sentence.

    What needs at least one checked element is None where the deadline passed before.
    """

    statement: str
    verdict: Verdict
    id: str
    model: str
    version: str
    runtime: str
    file_digest: str
    group: dict[str, Any]
    level: str
    declared: dict[str, Any] | None
    coverage: Coverage
    sampled: dict[Literal["random", "seed"], int] | None
    reference: dict[str, Any] | None
    summary: dict[Literal["exact", "resampled", "all"], dict[str, float | None] | None] | None
    worst: dict[str, Any] | None
    bitwise_identical: dict[Literal["identical", "of"], int]
    noise_floor: dict[str, Any]
    controls: dict[str, Any] | None
    spectrum: dict[str, Any] | None
    search: dict[str, Any] | None
    gates: list[dict[str, Any]]
    symmetrized_prediction: dict[str, Any] | None
    error_split: dict[Literal["total", "incurable", "curable"], float] | None
    elements: ElementColumns | None
    resized_from: list[int] | None
    cost: dict[str, float]
    provenance: dict[str, Any]
    comparison: NotRequired[dict[str, Any]]
