"""A fitted body: its parameters in SMPL's terms, what they are worth, and its mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from equiserve.clouds import PreparedCloud
from equiserve.engine import ServedModel
from equiserve.numerics.body_model import JOINT_NAMES, BodyModel
from equiserve.numerics.fit_quality import REFINED, UNREFINED, Quality, judge
from equiserve.numerics.limb_support import limb_support
from equiserve.numerics.posed_surface import BodyParameters
from equiserve.numerics.restarting_refinement import Misfit
from equiserve.numerics.skinning import local_rotations, skin
from equiserve.symmetry.quaternions import from_matrix, to_vector
from equiserve.tasks.fit.fitter import NetworkAnswer


@dataclass(frozen=True, eq=False)
class BodyFit:
    """A body in the frame of the cloud, all lengths in metres.

    Attributes:
        model, version, runtime: What answered.
        body: The body that the parameters are of.
        global_orient: Rotation vector of the pelvis, [3], radians.
        body_pose: Rotation vectors of the 23 other joints relative to their parents, [23, 3], radians.
        betas: Shape coefficients, [B].
        transl: SMPL's translation, [3]: it is added to the body that was posed about its own pelvis.
        vertices: [V, 3] float32.
        joints: [24, 3].
        cloud: What the model saw.
        misfit: How it agrees with that.
        quality: How far it is to be believed.
        limbs: Support of each limb, see `equiserve.numerics.limb_support`; empty where the network knew no parts.
        part_mass: Share of the points that the network gives to each part, [24].
        beginning: Where refinement came from; None where there was none.
        labels: Part of each input point, uint8 [n]; None where nobody asked.
    """

    model: str
    version: str
    runtime: str
    body: BodyModel
    global_orient: np.ndarray
    body_pose: np.ndarray
    betas: np.ndarray
    transl: np.ndarray
    vertices: np.ndarray
    joints: np.ndarray
    cloud: PreparedCloud
    misfit: Misfit
    quality: Quality
    limbs: dict[str, float]
    part_mass: np.ndarray
    beginning: str | None
    labels: np.ndarray | None

    @classmethod
    def made(
        cls,
        *,
        model: ServedModel,
        body: BodyModel,
        parameters: BodyParameters,
        cloud: PreparedCloud,
        misfit: Misfit,
        answer: NetworkAnswer,
        beginning: str | None,
        labels: np.ndarray | None,
    ) -> Self:
        """Return the fit of these parameters, which are relative to the cloud's origin."""
        pelvis = parameters.pelvis + cloud.origin
        vertices, joints = skin(body, parameters.rotations, parameters.betas, pelvis)
        probabilities, limbs = answer.probabilities, dict[str, float]()
        if answer.knows_parts:
            labelled = cloud.points[: len(probabilities)] + cloud.origin
            limbs = limb_support(body, vertices, labelled, probabilities)
        vectors = to_vector(from_matrix(local_rotations(parameters.rotations)))
        return cls(
            model=model.name,
            version=model.version,
            runtime=model.runtime.name,
            body=body,
            global_orient=vectors[0],
            body_pose=vectors[1:],
            betas=parameters.betas,
            transl=pelvis - body.rest_joints(parameters.betas)[0],
            vertices=vertices.astype(np.float32),
            joints=joints,
            cloud=cloud,
            misfit=misfit,
            quality=judge(misfit, parameters.betas, UNREFINED if beginning is None else REFINED, limbs),
            limbs=limbs,
            part_mass=answer.part_mass,
            beginning=beginning,
            labels=labels,
        )

    @property
    def statement(self) -> str:
        """Say it in a sentence."""
        scale, worth = self.cloud.scale, self.quality
        unit = f"read as {scale.unit}" + (" (guessed from the size)" if scale.guessed else "")
        how = "fitted" if self.beginning is None else "fitted and refined"
        believed = "quality ok" if worth.level == "ok" else f"quality low: {'; '.join(worth.reasons)}"
        return (
            f"{self.body.name} {how} to {self.cloud.counts.received} points {unit}, "
            f"{1e3 * self.misfit.to_surface:.1f} mm from them on average; {believed}"
        )

    def to_json(self, *, mesh: bool = False) -> dict[str, Any]:
        """Return the answer; with `mesh` its vertices and faces too. Arrays stay NumPy's."""
        answer: dict[str, Any] = {
            "statement": self.statement,
            "model": self.model,
            "version": self.version,
            "runtime": self.runtime,
            "body": {"name": self.body.name, "licence": self.body.licence},
            "quality": self.quality.to_json(),
            "unit": {
                "read_as": self.cloud.scale.unit,
                "guessed": self.cloud.scale.guessed,
                "metres_a_unit": self.cloud.scale.metres,
                "extent_m": self.cloud.scale.extent,
            },
            "points": self.cloud.counts.to_json(),
            "residual_mm": {
                "mean": 1e3 * self.misfit.to_surface,
                "median": 1e3 * self.misfit.median,
                "surface_to_points": 1e3 * self.misfit.to_cloud,
            },
            "outlier_share": self.misfit.outliers,
            "unseen_share": self.misfit.unseen,
            "refined_from": self.beginning,
            "global_orient": self.global_orient,
            "body_pose": self.body_pose,
            "betas": self.betas,
            "transl": self.transl,
            "joints": self.joints,
            "joint_names": list(JOINT_NAMES),
            "part_confidence": self.part_mass,
            "labels": self.labels,
        }
        if mesh:
            answer["mesh"] = {"vertices": self.vertices, "faces": self.body.faces}
        return answer
