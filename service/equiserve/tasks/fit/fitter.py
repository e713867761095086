"""What makes a served model a body fitter: its tensors, and what its manifest says of the points that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from equiserve.artifact.manifest import Name
from equiserve.engine import ServedModel
from equiserve.errors import InternalError, Unsupported
from equiserve.numerics.body_model import JOINTS, BodyModel
from equiserve.numerics.posed_surface import BodyParameters
from equiserve.numerics.rotation_averaging import nearest_rotation

_INPUT = "points"
_OUTPUTS = ("global_rotations", "betas", "translation", "part_probabilities", "part_mass")
_SURE = 0.5


class FitOptions(BaseModel):
    """A fitter's `task_options`.

    Attributes:
        points: How many points it was trained on; every cloud is brought to so many.
        labelled_points: Of how many it gives part probabilities, the first ones in farthest-point order.
        body: The body that its shape coefficients are of.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    points: Annotated[int, Field(ge=16, le=100_000)]
    labelled_points: Annotated[int, Field(ge=1, le=100_000)]
    body: Name = "openbody"


@dataclass(frozen=True, slots=True)
class NetworkAnswer:
    """What the network says of one cloud.

    Attributes:
        parameters: Pose, shape and place, in the frame of the points that it was given.
        probabilities: Of the parts, for the first points, float64 [P, 24].
        part_mass: How many points it believes each part to have, as a share of all, float64 [24].
    """

    parameters: BodyParameters
    probabilities: np.ndarray
    part_mass: np.ndarray

    @property
    def knows_parts(self) -> bool:
        """Whether its labels are sure enough, on average, not to mislead who relies on them."""
        return float(self.probabilities.max(axis=1).mean()) >= _SURE


@dataclass(frozen=True, slots=True)
class BodyFitter:
    """A model that takes `points` and gives the pose, shape, place and parts of a body."""

    model: ServedModel
    options: FitOptions

    @classmethod
    def of(cls, model: ServedModel) -> BodyFitter:
        """Return the fitter that a model is; raises Unsupported (`not_a_body_fitter`) where it is none."""
        runtime = model.runtime
        inputs, outputs = [spec.name for spec in runtime.inputs], {spec.name for spec in runtime.outputs}
        missing = [name for name in _OUTPUTS if name not in outputs]
        if inputs != [_INPUT] or missing or not model.batched:
            raise _no_fitter(model, f"its inputs are {inputs}, its outputs {sorted(outputs)}")
        try:
            return cls(model, FitOptions.model_validate(model.manifest.task_options))
        except ValidationError as error:
            first = error.errors()[0]
            raise _no_fitter(model, f"task_options.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    async def infer(self, points: np.ndarray, *, priority: int, deadline: float) -> NetworkAnswer:
        """Run the model on one cloud, [N, 3] float32.

        Raises:
            InternalError: The answer has the wrong shape or is not finite (`unusable_answer`).
            Overloaded, DeadlineExceeded, Unavailable, InternalError: See `ServedModel.infer`.
        """
        outputs = await self.model.infer([points[None]], priority=priority, deadline=deadline)
        named = {
            spec.name: np.asarray(output[0], np.float64)
            for spec, output in zip(self.model.runtime.outputs, outputs, strict=True)
        }
        rotations, betas, place, probabilities, mass = (named[name] for name in _OUTPUTS)
        shapes = rotations.shape, betas.shape[1:], place.shape, probabilities.shape[1:], mass.shape
        fits = shapes == ((JOINTS, 3, 3), (), (3,), (JOINTS,), (JOINTS,))
        if (
            not fits
            or not 0 < len(probabilities) <= len(points)
            or not all(np.isfinite(a).all() for a in named.values())
        ):
            raise InternalError(
                f"model {self.model.name} gave outputs of shapes {[list(array.shape) for array in named.values()]}, or "
                "values that are not finite",
                code="unusable_answer",
            )
        return NetworkAnswer(BodyParameters(nearest_rotation(rotations), betas, place), probabilities, mass)


def shape_for(body: BodyModel, own: BodyModel, found: BodyParameters) -> BodyParameters:
    """Return the parameters for another body than the network's: the same pose, the shape whose bones fit best.

    Shape coefficients mean something else for every body. Ridge least squares on where the joints are at rest, which
    both bodies say in the same frame; 2 cm a unit is about how far joints differ between people.
    """
    if body is own:
        return found
    target = own.rest_joints(found.betas)
    wanted = (target - target[0]) - (body.joint_template - body.joint_template[0])
    directions = (body.joint_directions - body.joint_directions[:1]).reshape(-1, body.betas)
    normal = directions.T @ directions + np.eye(body.betas) * 0.02**2
    betas = np.linalg.solve(normal, directions.T @ wanted.ravel())
    return BodyParameters(found.rotations, betas, found.pelvis)


def _no_fitter(model: ServedModel, why: str) -> Unsupported:
    return Unsupported(
        f"model {model.name} is no body fitter: {why}; expected the input {_INPUT}, the outputs {', '.join(_OUTPUTS)} "
        "and task_options points, labelled_points",
        code="not_a_body_fitter",
        field="model",
    )
