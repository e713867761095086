"""What a served diffusion model takes and gives: read off its manifest, checked once a request."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from equiserve.engine import ServedModel
from equiserve.errors import InternalError, Unsupported
from equiserve.numerics.rotation import DRIFT_BAND
from equiserve.numerics.sampling import Sampling

_INPUTS = frozenset({"x", "sigma", "label", "angle"})


class GenerateOptions(BaseModel):
    """`task_options` of a manifest whose task is `generate`; keys that say more are for others.

    Attributes:
        sigma_min: Lowest noise level that the denoiser knows.
        sigma_max: Highest.
        classes: Number of classes; 0 = it draws without being told what.
        null_label: The label that means "no class"; None = `classes`.
        angle: Whether the denoiser is told an angle.
        drift_band: Noise levels within which `drift_x0` turns.
        guidance: Weight of the class where a request names a class and no weight.
        guidance_band: Noise levels within which the class is weighed; beyond, each picture is one row.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    sigma_min: float = Field(gt=0)
    sigma_max: float = Field(gt=0)
    classes: int = Field(ge=0)
    null_label: int | None = Field(default=None, ge=0)
    angle: Literal["conditioned", "none"] = "none"
    drift_band: tuple[float, float] = DRIFT_BAND
    guidance: float = Field(default=1.0, ge=0)
    guidance_band: tuple[float, float] = (0.0, inf)

    @property
    def described(self) -> dict[str, str]:
        """What pictures are a function of beside their parameters, as text."""
        return {name: f"{low:g} to {high:g}" for name, (low, high) in self._ranges.items()}

    @property
    def _ranges(self) -> dict[str, tuple[float, float]]:
        levels = (self.sigma_min, self.sigma_max)
        return {"noise_levels": levels, "drift_band": self.drift_band, "guidance_band": self.guidance_band}

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        for name, (low, high) in self._ranges.items():
            if not low <= high:
                raise ValueError(f"{name}: got {low:g} to {high:g}, expected the lower end first")
        return self


@dataclass(frozen=True, slots=True)
class PictureGenerator:
    """A served denoiser: x [-1, C, H, W], sigma [-1], label [-1], angle [-1, 3] -> clean estimate [-1, C, H, W].

    Attributes:
        model: The model.
        options: What its manifest says.
        shape: Of one picture, [C, H, W].
    """

    model: ServedModel
    options: GenerateOptions
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, model: ServedModel) -> Self:
        """Read a served model.

        Raises:
            Unsupported: It is no generator of pictures (`not_a_generator`).
            InternalError: Its manifest says too little of it.
        """
        specs = {spec.name: spec for spec in model.runtime.inputs}
        x = specs.get("x")
        if model.manifest.task != "generate" or x is None or not {"x", "sigma"} <= set(specs) <= _INPUTS:
            raise Unsupported(
                f"model {model.name} draws no pictures: its task is {model.manifest.task!r}, its inputs are "
                f"{sorted(specs)}, expected 'generate' and some of {sorted(_INPUTS)}",
                code="not_a_generator",
                field="model",
            )
        try:
            options = GenerateOptions.model_validate(model.manifest.task_options)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
            raise InternalError(f"model {model.name}: task_options: {wrong}", code="invalid_manifest") from None
        if len(x.shape) != 4 or -1 in x.shape[1:]:
            raise InternalError(f"model {model.name}: x has shape {list(x.shape)}, expected [-1, C, H, W]")
        return cls(model, options, (x.shape[1], x.shape[2], x.shape[3]))

    @property
    def conditioned(self) -> bool:
        """Whether the denoiser is told an angle."""
        return self.options.angle == "conditioned"

    @property
    def no_class(self) -> int:
        """The label that means "no class"."""
        return self.options.classes if self.options.null_label is None else self.options.null_label

    @property
    def row_s(self) -> float:
        """Learned seconds of one row; a millisecond where nothing was learned yet."""
        return self.model.cost.estimate(1) or 1e-3

    def rows(self, plan: Sampling, label: int | None, guidance: float) -> Rows:
        """Return what the denoiser is told of a request beside x and sigma."""
        n, guided = len(plan.seeds), guidance != 1
        labels = np.full(2 * n if guided else n, self.no_class, np.int64)
        if label is not None:
            labels[:n] = label
        features = plan.features if self.conditioned else (0.0, 0.0, 0.0)
        angles = np.tile(np.array(features, np.float32), (len(labels), 1))
        names = [spec.name for spec in self.model.runtime.inputs]
        return Rows(names, labels, angles, guidance if guided else None, self.options.guidance_band)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one request: the pictures in order, and with guidance the same again without a class.

    Attributes:
        names: The model's inputs, in its order.
        labels: [rows].
        angles: [rows, 3].
        guidance: Weight of the class; None = each picture is one row.
        band: Noise levels within which the class is weighed (Kynkäänniemi et al. 2024, arXiv 2404.07724: elsewhere it
            does little, and costs as much).
    """

    names: list[str]
    labels: np.ndarray
    angles: np.ndarray
    guidance: float | None
    band: tuple[float, float]

    @property
    def pictures(self) -> int:
        """How many pictures there are."""
        return len(self.labels) if self.guidance is None else len(self.labels) // 2

    def count(self, sigma: float) -> int:
        """Return the rows of a call at a noise level."""
        low, high = self.band
        return len(self.labels) if low <= sigma <= high else self.pictures

    def inputs(self, x: np.ndarray, sigma: float) -> list[np.ndarray]:
        """Return the model's inputs for x [n, C, H, W]."""
        count = self.count(sigma)
        if count > len(x):
            x = np.concatenate((x, x))
        given = {"x": x, "label": self.labels[:count], "angle": self.angles[:count]}
        return [given[name] if name != "sigma" else np.full(count, sigma, np.float32) for name in self.names]

    def estimate(self, denoised: np.ndarray) -> np.ndarray:
        """Return the clean estimate [n, C, H, W]: with guidance w, D(none) + w (D(class) - D(none)).

        Classifier-free guidance: Ho and Salimans 2022, arXiv 2207.12598, eq. 6 with w + 1 = guidance.
        """
        n = self.pictures
        if self.guidance is None or len(denoised) == n:
            return denoised
        guided: np.ndarray = denoised[:n] - denoised[n:]
        guided *= self.guidance
        guided += denoised[n:]
        return guided
