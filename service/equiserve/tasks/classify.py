"""Pictures in, class names and probabilities out: decode, one call of the model, softmax, the k best."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equiserve.classifier import PictureClassifier
from equiserve.engine import ComputePool, RequestContext, ServedModel
from equiserve.engine.core import DEFAULT_PRIORITY
from equiserve.errors import InvalidRequest
from equiserve.pictures import Picture, quick_to_read, read_pictures

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
    """

    model: str
    version: str = ""
    runtime: str | None = None
    pictures: Sequence[bytes | np.ndarray] = ()
    top_k: int = 5
    priority: int = 0


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
        guarantee: What the model promises of these answers, in words; None where it declares no symmetry.
    """

    model: str
    version: str
    runtime: str
    predictions: list[list[Prediction]]
    resized_from: list[tuple[int, int] | None]
    guarantee: str | None

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
        }


async def classify(
    model: ServedModel, request: ClassifyRequest, context: RequestContext, *, compute: ComputePool, max_pixels: int
) -> Classification:
    """Classify the pictures of one request.

    Args:
        model: A classifier of pictures.
        request: What to classify.
        context: Whose deadline holds.
        compute: Decodes what is not tiny.
        max_pixels: Largest picture.

    Raises:
        Unsupported: The model is no classifier of pictures (`not_a_classifier`).
        InvalidRequest: `top_k`, the number of pictures, or a picture.
        TooLarge: Too many pixels (`picture_too_large`).
        Overloaded, DeadlineExceeded, Unavailable, InternalError: See `ServedModel.infer`.
    """
    classifier = PictureClassifier.of(model)
    _check(request)
    pictures = await _decoded(request, classifier, compute, max_pixels)
    scores = await _scores(request, classifier, [picture.array for picture in pictures], context)
    probabilities = classifier.probabilities(scores)
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
        guarantee=_guarantee(model, fitted=any(picture.resized_from for picture in pictures)),
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
    request: ClassifyRequest, classifier: PictureClassifier, arrays: list[np.ndarray], context: RequestContext
) -> np.ndarray:
    """Return the class scores [n, K]: one call for pictures of one size, or one each where there is no batch axis."""
    model = classifier.model
    priority = request.priority or DEFAULT_PRIORITY

    async def call(members: list[np.ndarray]) -> np.ndarray:
        rows = classifier.rows(np.stack(members) if len(members) > 1 else members[0][None])
        return classifier.scores(await model.infer([rows], priority=priority, deadline=context.deadline))

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
    scores = np.empty((len(arrays), parts[0].shape[1]), parts[0].dtype)
    for members, part in zip(groups.values(), parts, strict=True):
        scores[members] = part
    return scores


def _guarantee(model: ServedModel, *, fitted: bool) -> str | None:
    """Return the strongest declared symmetry in words."""
    held = [symmetry for symmetry in model.manifest.symmetries if symmetry.level != "none"]
    if not held:
        return None
    best = min(held, key=lambda symmetry: symmetry.level != "exact")
    size = "of the resized picture, not of the one that was sent" if fitted else "of the picture"
    if best.level == "exact":
        return f"the answer is exactly the same for every {best.group} {size} ({best.source})"
    return f"the answer is approximately the same for every {best.group} {size} ({best.source})"
