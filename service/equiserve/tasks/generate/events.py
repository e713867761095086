"""What a generation tells on the way; the last event is `Completed`, or an error is raised in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equiserve.tasks.generate.encoding import base64_png, sheet
from equiserve.tasks.generate.parameters import GenerateParameters


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is.

    Attributes:
        id: By which the generation can be cancelled.
        call: Calls of the denoiser so far; 0 in the first event.
        calls: Calls in all.
        sigma: Noise level of the next call; 0 = none is left.
        remaining_s: Seconds that the rest takes, alone.
    """

    name: ClassVar[str] = "progress"
    id: str
    call: int
    calls: int
    sigma: float
    remaining_s: float

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON values."""
        return {
            "id": self.id,
            "step": self.call,
            "of": self.calls,
            "sigma": self.sigma,
            "eta_ms": round(self.remaining_s * 1e3, 3),
        }


@dataclass(frozen=True, slots=True)
class Preview:
    """The clean estimate on the way, [n, C, H, W] in [-1, 1] but for overshoot."""

    name: ClassVar[str] = "preview"
    id: str
    call: int
    calls: int
    pictures: np.ndarray

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON values; the picture is a PNG in base64, several are one sheet."""
        return {"id": self.id, "step": self.call, "of": self.calls, "png": base64_png(sheet(self.pictures))}


@dataclass(frozen=True, slots=True)
class Completed:
    """The pictures.

    Attributes:
        id: The request's id.
        parameters: What they are a function of.
        pictures: [n, C, H, W] float32, in [-1, 1] but for overshoot.
        calls: Calls of the denoiser.
        rows: Rows of the largest call.
        seconds: From admission to the last answer.
        environment: What bits depend on beside the parameters: runtime's version, CPU, batch invariance, the manifest.
    """

    name: ClassVar[str] = "completed"
    id: str
    parameters: GenerateParameters
    pictures: np.ndarray
    calls: int
    rows: int
    seconds: float
    environment: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON values: flat, as in Triton's generate extension; each picture a PNG in base64."""
        parameters = self.parameters
        return {
            "id": self.id,
            "model_name": parameters.model,
            "model_version": parameters.version,
            "parameters": parameters.to_json(),
            "pictures": [
                {"seed": (parameters.seed + place) % (1 << 64), "png": base64_png(sheet(self.pictures[place, None]))}
                for place in range(parameters.n)
            ],
            "calls": self.calls,
            "rows": self.rows,
            "seconds": round(self.seconds, 6),
            "environment": self.environment,
        }


GenerateEvent = Progress | Preview | Completed
