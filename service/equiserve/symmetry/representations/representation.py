"""A representation of a group: a matrix for every element, such that products go to products."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry.elements import Element
from equiserve.symmetry.groups.linear import LinearGroup
from equiserve.symmetry.representations.expression import DirectSum, Expression, Irrep, TensorProduct, Vector
from equiserve.symmetry.representations.parser import parse_representation

_LARGEST = 4096


@dataclass(frozen=True)
class Representation:
    """How components transform under a group that acts on coordinates.

    Build it with `Representation.of`, e.g. ``Representation.of("V**2", SO3()).matrix(g)``, [9, 9].

    Args:
        expression: What it is made of.
        group: Whose matrices on coordinates it is made from.
    """

    expression: Expression
    group: LinearGroup[Any]

    @classmethod
    def of(cls, rep: str | Mapping[str, str] | Expression, group: LinearGroup[Any]) -> Representation:
        """Read a representation of a group.

        Args:
            rep: ``"5*V**0 + V"``, ``"V**2"``, ``{"irreps": "1x0e+2x1o"}``, or what `parse_representation` returned.
            group: Acts on coordinates.

        Raises:
            InvalidRequest: The text (the place is shown), irreps of other than 3 coordinates, or more than 4,096
                components.
        """
        parsed = rep if isinstance(rep, Vector | TensorProduct | Irrep | DirectSum) else parse_representation(rep)
        size = parsed.size(group.dim)
        if size > _LARGEST:
            raise InvalidRequest(f"rep: {rep!r} has {size} components, expected at most {_LARGEST}", field="rep")
        return cls(parsed, group)

    @property
    def dim(self) -> int:
        """The number of components."""
        return self.expression.size(self.group.dim)

    def matrix(self, g: Element) -> NDArray[np.float64]:
        """Return rho(g), [dim, dim]; rho(gh) = rho(g) rho(h). Translations do not enter.

        Raises:
            InvalidRequest: ``g`` is not in the group, or irreps of a group that is not orthogonal.
        """
        return self.expression.matrix(self.group.matrix(self.group.canonical(g)))
