"""What makes a served model a classifier of pictures: which tensor takes the pixels, which gives the classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equiserve.artifact import TensorSpec
from equiserve.artifact.datatypes import NUMPY_OF
from equiserve.engine import ServedModel
from equiserve.errors import InternalError, Unsupported
from equiserve.numerics.probabilities import softmax
from equiserve.symmetrization import CanonicalOrigin, symmetrization_of

# A row of scores is taken for a distribution where its sum is this close to 1 (FP16 keeps three digits).
_SUM_TOLERANCE = 2e-3


@dataclass(frozen=True, slots=True)
class PictureClassifier:
    """A model with one picture input and one output of class scores.

    Attributes:
        model: The model.
        input: Its input, [batch, channel, height, width] with 1 or 3 channels (or -1), UINT8 or floating.
        output: Index of the class scores among its outputs, [batch, class].
        gives_probabilities: What the manifest says of the scores; None where it says nothing.
        canonical_origin: How `rows` symmetrises; the manifest's default.
    """

    model: ServedModel
    input: TensorSpec
    output: int
    gives_probabilities: bool | None
    canonical_origin: CanonicalOrigin | None

    @classmethod
    def of(cls, model: ServedModel) -> PictureClassifier:
        """Return a model's reading as a classifier; raises Unsupported (`not_a_classifier`) where it is none."""
        manifest = model.manifest
        if len(manifest.inputs) != 1:
            raise _no_classifier(model, f"it has {len(manifest.inputs)} inputs")
        spec = manifest.inputs[0]
        if spec.kind not in ("picture", "other") or spec.datatype not in ("UINT8", "FP16", "FP32", "FP64"):
            raise _no_classifier(model, f"input {spec.name!r} is {spec.datatype} of kind {spec.kind!r}")
        if len(spec.shape) != 4 or spec.shape[1] not in (1, 3, -1) or spec.shape[0] not in (1, -1):
            raise _no_classifier(model, f"input {spec.name!r} has shape {list(spec.shape)}")
        if spec.axes is not None and spec.axes[1] != "channel":
            raise _no_classifier(model, f"input {spec.name!r} has axes {list(spec.axes)}")
        scores = [output for output in manifest.outputs if output.kind in ("logits", "probabilities")]
        if not scores:
            scores = [o for o in manifest.outputs if o.kind == "other" and o.datatype in ("FP16", "FP32", "FP64")]
        scores = [output for output in scores if len(output.shape) == 2 and output.shape[1] != 1]
        if len(scores) != 1:
            shapes = ", ".join(f"{output.name!r} {list(output.shape)}" for output in manifest.outputs)
            raise _no_classifier(model, f"{len(scores)} of its outputs ({shapes}) can be class scores")
        index = [output.name for output in model.runtime.outputs].index(scores[0].name)
        kind = scores[0].kind
        default = symmetrization_of(model, None)
        origin = default if isinstance(default, CanonicalOrigin) else None
        return cls(model, spec, index, None if kind == "other" else kind == "probabilities", origin)

    @property
    def classes(self) -> int | None:
        """Number of classes K, where the manifest says it."""
        labels, name = self.model.manifest.labels, self.model.runtime.outputs[self.output].name
        size = next(spec.shape[1] for spec in self.model.manifest.outputs if spec.name == name)
        return size if size != -1 else len(labels) if labels else None

    def rows(self, pictures: np.ndarray) -> np.ndarray:
        """Return pixels as the model's input takes them.

        Args:
            pictures: uint8 [n, C, H, W].

        Returns:
            [n, C, H, W] in the input's dtype, at `canonical_origin` where there is one. A floating input gets pixels
            from 0 to 255 as they are, unless its value range ends at 1: then they are divided by 255.

        Raises:
            InvalidRequest: The patch of `canonical_origin` does not divide the pictures.
        """
        rows, dtype = pictures, NUMPY_OF[self.input.datatype]
        if dtype != np.uint8:
            scaled = self.input.value_range is not None and self.input.value_range[1] <= 1
            rows = pictures.astype(dtype) / dtype.type(255) if scaled else pictures.astype(dtype)
        # After the conversion, so that `infer` on these very numbers chooses the same origin.
        return rows if self.canonical_origin is None else self.canonical_origin.apply(rows)

    def scores(self, outputs: list[np.ndarray]) -> np.ndarray:
        """Return the class scores [n, K] among a model call's outputs; raises InternalError on another shape."""
        scores = outputs[self.output]
        if scores.ndim != 2 or scores.shape[1] < 2:
            raise InternalError(
                f"model {self.model.name} gave scores of shape {list(scores.shape)}, expected [batch, class]",
                code="model_failed",
            )
        return scores

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Return float64 probabilities [n, K] of class scores [n, K].

        Scores of undeclared kind are taken for probabilities where every row is one (non-negative, sum 1), else for
        logits. Rows that are not finite stay so.
        """
        given = self.gives_probabilities
        if given is None:
            finite = scores[np.isfinite(scores).all(axis=1)].astype(np.float64)
            given = bool(len(finite) and (finite >= 0).all() and (abs(finite.sum(axis=1) - 1) <= _SUM_TOLERANCE).all())
        return np.asarray(scores, np.float64) if given else softmax(scores)

    def label(self, index: int) -> str:
        """Return a class's name: from the manifest's labels, else e.g. `class 3`."""
        labels = self.model.manifest.labels
        return labels[index] if labels is not None and index < len(labels) else f"class {index}"


def _no_classifier(model: ServedModel, why: str) -> Unsupported:
    return Unsupported(
        f"model {model.name} is no classifier of pictures: {why}; expected one input of kind picture, UINT8 or "
        "floating, [batch, 1 or 3 channels, height, width], and one output of class scores, [batch, class]",
        code="not_a_classifier",
        field="model",
    )
