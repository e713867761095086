"""Pictures in, class names and probabilities out: decode, one call of the model, softmax, the k best.

With `symmetrize` the call sees canonical frames, or the pictures' orbits, over which probabilities are averaged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from equiserve.classifier import PictureClassifier
from equiserve.engine import ComputePool, RequestContext, ServedModel
from equiserve.engine.core import DEFAULT_PRIORITY
from equiserve.errors import InvalidRequest
from equiserve.pictures import Picture, quick_to_read, read_pictures
from equiserve.symmetrization import CanonicalOrigin, GroupAverage, Symmetrization, symmetrization_of
from equiserve.symmetry import Strength, consensus_reference
from equiserve.tasks.symmetrize import mean_over_orbit, moved, orbit_outputs

MAX_PICTURES = 256


@dataclass(slots=True)
class ClassifyRequest:
    """Pictures for one model.

    Attributes:
        model: Name of the model.
        version: Its version; empty = the newest that is loaded.
        runtime: Runtime to use; None = the model's first.
        pictures: 1 to 256 PNG, JPEG or WebP files, or uint8 pixels [C, H, W] or [H, W].
        top_k: How many classes to return for each picture, at least 1; all where there are fewer.
        priority: 1 is the most urgent; 0 = the default.
        symmetrize: As in `symmetrization`; None = the manifest's default.
    """

    model: str
    version: str = ""
    runtime: str | None = None
    pictures: Sequence[bytes | np.ndarray] = ()
    top_k: int = 5
    priority: int = 0
    symmetrize: str | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """One class for one picture; the probability is in [0, 1], or NaN where the model's output was not finite."""

    label: str
    index: int
    probability: float


@dataclass(frozen=True, slots=True)
class Classification:
    """The answer to a `ClassifyRequest`.

    Attributes:
        model: Name of the model.
        version: The version that answered.
        runtime: The runtime that answered.
        predictions: For each picture the most probable classes, best first.
        resized_from: For each picture (H, W) before it was resized or padded, or None.
        guarantee: What holds of these answers, in words; None where neither the model declares a symmetry nor the
            server made one.
        symmetrize: How the server made the answers invariant; None where it did not.
        stability: For each picture how far its orbit agreed; None where no mean over a group was taken.
    """

    model: str
    version: str
    runtime: str
    predictions: list[list[Prediction]]
    resized_from: list[tuple[int, int] | None]
    guarantee: str | None
    symmetrize: str | None = None
    stability: list[Strength] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the classification as JSON values; a probability that is not finite becomes null."""
        return {
            "model": self.model,
            "version": self.version,
            "runtime": self.runtime,
            "predictions": [
                [
                    {
                        "label": guess.label,
                        "index": guess.index,
                        "probability": guess.probability if guess.probability == guess.probability else None,
                    }
                    for guess in guesses
                ]
                for guesses in self.predictions
            ],
            "resized_from": [size and list(size) for size in self.resized_from],
            "guarantee": self.guarantee,
            "symmetrize": self.symmetrize,
            "stability": self.stability and [strength.to_json() for strength in self.stability],
        }


async def classify(
    model: ServedModel,
    request: ClassifyRequest,
    context: RequestContext,
    *,
    compute: ComputePool,
    max_pixels: int,
    max_orbit: int,
) -> Classification:
    """Classify the pictures of one request.

    Args:
        model: A classifier of pictures.
        request: What to classify.
        context: Whose deadline holds.
        compute: Decodes what is not tiny, and finds its canonical origin.
        max_pixels: Largest picture.
        max_orbit: Most evaluations of the model for a mean over a group.

    Raises:
        Unsupported: The model is no classifier of pictures (`not_a_classifier`).
        InvalidRequest: `top_k`, `symmetrize`, the number of pictures, or a picture.
        TooLarge: Too many pixels (`picture_too_large`) or evaluations (`orbit_too_large`).
        Overloaded, DeadlineExceeded, Unavailable, InternalError: See `ServedModel.infer`.
    """
    classifier = PictureClassifier.of(model)
    _check(request)
    symmetrization = symmetrization_of(model, request.symmetrize)
    if request.symmetrize is not None:
        origin = symmetrization if isinstance(symmetrization, CanonicalOrigin) else None
        classifier = replace(classifier, canonical_origin=origin)
    average = symmetrization if isinstance(symmetrization, GroupAverage) else None
    if average is not None:
        average.require_room(len(request.pictures), max_orbit)
    pictures = await _decoded(request, classifier, compute, max_pixels)
    arrays = [picture.array for picture in pictures]
    scores = await _scores(request, classifier, average, arrays, context, compute)
    probabilities, stability = classifier.probabilities(scores.reshape(-1, scores.shape[-1])), None
    if average is not None:
        members = probabilities.reshape(scores.shape)
        stability = [_strength(members[:, place]) for place in range(len(arrays))]
        probabilities = mean_over_orbit(members)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, : request.top_k]
    return Classification(
        model=model.name,
        version=model.version,
        runtime=model.runtime.name,
        predictions=[
            [Prediction(classifier.label(index), index, float(row[index])) for index in chosen]
            for row, chosen in zip(probabilities, best.tolist(), strict=True)
        ],
        resized_from=[picture.resized_from for picture in pictures],
        guarantee=_guarantee(model, symmetrization, fitted=any(picture.resized_from for picture in pictures)),
        symmetrize=None if symmetrization is None else str(symmetrization),
        stability=stability,
    )


def _check(request: ClassifyRequest) -> None:
    count = len(request.pictures)
    if count == 0:
        raise InvalidRequest("pictures: got none, expected at least one", code="no_picture", field="pictures")
    if count > MAX_PICTURES:
        raise InvalidRequest(
            f"pictures: got {count}, at most {MAX_PICTURES} are classified in one request",
            code="too_many_pictures",
            field="pictures",
        )
    if isinstance(request.top_k, bool) or not isinstance(request.top_k, int) or request.top_k < 1:
        raise InvalidRequest(
            f"top_k: got {request.top_k!r}, expected a whole number >= 1", code="invalid_top_k", field="top_k"
        )
    if isinstance(request.priority, bool) or not isinstance(request.priority, int) or request.priority < 0:
        raise InvalidRequest(
            f"priority: got {request.priority!r}, expected a whole number >= 0",
            code="invalid_parameter",
            field="priority",
        )


async def _decoded(
    request: ClassifyRequest, classifier: PictureClassifier, compute: ComputePool, max_pixels: int
) -> list[Picture]:
    def decode() -> list[Picture]:
        fit = classifier.model.manifest.input_fit
        return read_pictures(request.pictures, classifier.input, input_fit=fit, max_pixels=max_pixels, field="pictures")

    return decode() if quick_to_read(request.pictures) else await compute.run(decode)


async def _scores(
    request: ClassifyRequest,
    classifier: PictureClassifier,
    average: GroupAverage | None,
    arrays: list[np.ndarray],
    context: RequestContext,
    compute: ComputePool,
) -> np.ndarray:
    """Return the class scores [elements, n, K], one element where no mean over a group is taken: one call for pictures
    of one size, or one each where there is no batch axis.
    """
    model = classifier.model
    priority = request.priority or DEFAULT_PRIORITY

    async def call(members: list[np.ndarray]) -> np.ndarray:
        pictures = np.stack(members) if len(members) > 1 else members[0][None]
        if average is not None:
            outputs = await orbit_outputs(
                model, classifier.rows(pictures), average, compute=compute, priority=priority, deadline=context.deadline
            )
            return np.stack([classifier.scores([output[k] for output in outputs]) for k in range(average.order)])
        at_origin = classifier.canonical_origin is not None
        rows = await moved(classifier.rows, pictures, compute) if at_origin else classifier.rows(pictures)
        return classifier.scores(await model.infer([rows], priority=priority, deadline=context.deadline))[None]

    groups: dict[object, list[int]] = {}
    for index, array in enumerate(arrays):
        groups.setdefault(array.shape if model.batched else index, []).append(index)
    if len(groups) == 1:
        return await call(arrays)
    calls = [asyncio.ensure_future(call([arrays[index] for index in members])) for members in groups.values()]
    try:
        parts = await asyncio.gather(*calls)
    finally:
        for under_way in calls:
            under_way.cancel()
    scores = np.empty((len(parts[0]), len(arrays), parts[0].shape[2]), parts[0].dtype)
    for members, part in zip(groups.values(), parts, strict=True):
        scores[:, members] = part
    return scores


def _strength(members: np.ndarray) -> Strength:
    """Return how far the members [elements, K] of one picture's orbit agree in their decisions."""
    strength = consensus_reference(members).strength
    assert strength is not None  # a consensus has one
    return strength


def _guarantee(model: ServedModel, symmetrization: Symmetrization | None, *, fitted: bool) -> str | None:
    """Return the strongest symmetry of the answers in words: the server's doing, else what the model declares."""
    size = "of the resized picture, not of the one that was sent" if fitted else "of the picture"
    if symmetrization is not None:
        calibration = model.calibration
        together = symmetrization.order if isinstance(symmetrization, GroupAverage) else 1
        smallest = together // -(-together // model.max_batch)
        exact = calibration.exact_in_batches and max(model.min_batch, smallest) >= calibration.stable_batch
        group = symmetrization.group.name if isinstance(symmetrization, GroupAverage) else "CyclicShift"
        same = "exactly the same" if exact else "the same up to the rounding of its batch"
        return f"the answer is {same} for every {group} {size} (symmetrize)"
    held = [s for s in model.manifest.symmetries if s.level != "none" and s.source != "symmetrized"]
    if not held:
        return None
    best = min(held, key=lambda symmetry: symmetry.level != "exact")
    if best.level == "exact":
        return f"the answer is exactly the same for every {best.group} {size} ({best.source})"
    return f"the answer is approximately the same for every {best.group} {size} ({best.source})"
