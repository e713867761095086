"""Candidate symmetries of a training: a group of coordinates, scalings, or both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equiserve.errors import InvalidRequest
from equiserve.symmetry import LinearGroup, equivariant_basis, group_from_spec
from equiserve.symmetry.groups import MatrixGroup
from equiserve_models.soft.features import COORDINATES, FeatureSpace

# (p, q, d): from T(p) to T(q), whose degrees of scaling differ by d.
Kind = tuple[int, int, int]
# Factors of a scaling are drawn log-uniformly between these.
SCALES = (0.5, 2.0)


@dataclass(frozen=True)
class Candidate:
    """A group that acts on every feature space of a network.

    Args:
        group: Acts on the coordinates; None for none.
        scaling: Whether all scalings belong to it: s multiplies a summand by s^degree.

    Raises:
        InvalidRequest: The group does not act on three coordinates linearly.
    """

    group: LinearGroup[Any] | None = None
    scaling: bool = False

    def __post_init__(self) -> None:
        if self.group is not None and self.group.dim != COORDINATES:
            raise InvalidRequest(
                f"candidate: {self.group.name} acts on {self.group.dim} coordinates, the features have {COORDINATES}",
                code="group_does_not_act",
                field="candidate",
            )

    @property
    def name(self) -> str:
        """What tables call it."""
        names = [self.group.name] if self.group is not None else []
        return " x ".join(names + ["Scaling"] * self.scaling)

    def projector(self, kind: Kind) -> Tensor:
        """Return Q Q^T on vec W of one pair of summands: onto the maps that commute with the group.

        Returns:
            float32 [3^(p+q), 3^(p+q)], the component of T(q) slow and that of T(p) fast.
        """
        power_in, power_out, degree = kind
        size = COORDINATES ** (power_in + power_out)
        if self.scaling and degree:
            return torch.zeros(size, size)
        if self.group is None:
            return torch.eye(size)
        return _projector(self.group, power_in, power_out)

    def draw(self, n: int, seed: int) -> tuple[Tensor, Tensor]:
        """Return n independent elements: matrices [n, 3, 3] and factors of scaling [n], float32."""
        rng = np.random.default_rng(seed)
        matrices = np.tile(np.eye(COORDINATES), (n, 1, 1))
        if self.group is not None:
            matrices = np.array([self.group.matrix(g) for g in self.group.sample(rng, n)])
        low, high = np.log(SCALES)
        factors = np.exp(rng.uniform(low, high, n)) if self.scaling else np.ones(n)
        return torch.from_numpy(matrices).float(), torch.from_numpy(factors).float()

    def fits(self, *spaces: FeatureSpace) -> None:
        """Raise InvalidRequest where the candidate moves nothing of any of these spaces."""
        moves = any(
            (self.group is not None and summand.power) or (self.scaling and summand.degree)
            for space in spaces
            for summand in space.summands
        )
        if not moves:
            raise InvalidRequest(
                f"candidate: {self.name} moves none of these features",
                code="group_does_not_act",
                field="candidate",
            )


def about(axis: str, family: str = "O2") -> Candidate:
    """Return the rotations about an axis: ``O2`` (with the mirror images that keep it) or ``SO2``."""
    return Candidate(_linear(f"{family} about {axis}"))


def of_space(family: str) -> Candidate:
    """Return all rotations (``SO3``), or with the inversion (``O3``)."""
    return Candidate(_linear(family))


def mirrors() -> Candidate:
    """Return the eight sign changes of the coordinates."""
    signs = [np.diag([-1.0 if k == axis else 1.0 for k in range(COORDINATES)]).tolist() for axis in range(COORDINATES)]
    return Candidate(MatrixGroup(discrete=signs))


def _linear(name: str) -> LinearGroup[Any]:
    group = group_from_spec(name)
    assert isinstance(group, LinearGroup)
    return group


@lru_cache(maxsize=256)
def _projector(group: LinearGroup[Any], power_in: int, power_out: int) -> Tensor:
    basis = torch.from_numpy(equivariant_basis(f"V**{power_in}", f"V**{power_out}", group))
    flat = basis.flatten(1)
    return (flat.T @ flat).float()
