"""Representations: how the components of a tensor transform once the coordinates do."""

from equiserve.symmetry.representations.equivariant_maps import equivariant_basis
from equiserve.symmetry.representations.expression import INVARIANT, DirectSum, Expression, Irrep, TensorProduct, Vector
from equiserve.symmetry.representations.parser import parse_representation
from equiserve.symmetry.representations.representation import Representation

__all__ = [
    "INVARIANT",
    "DirectSum",
    "Expression",
    "Irrep",
    "Representation",
    "TensorProduct",
    "Vector",
    "equivariant_basis",
    "parse_representation",
]
