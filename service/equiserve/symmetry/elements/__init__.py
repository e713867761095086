"""Group elements: small frozen values, hashable for caches and writable as JSON."""

from equiserve.symmetry.elements.plane import Rotation, Shift
from equiserve.symmetry.elements.reading import Element, Product, element_from_json
from equiserve.symmetry.elements.space import RigidMotion, Rotation3D, Translation
from equiserve.symmetry.elements.tensors import Intensity, LinearMap, Permutation, Reversal, Scale, TimeStep

__all__ = [
    "Element",
    "Intensity",
    "LinearMap",
    "Permutation",
    "Product",
    "Reversal",
    "RigidMotion",
    "Rotation",
    "Rotation3D",
    "Scale",
    "Shift",
    "TimeStep",
    "Translation",
    "element_from_json",
]
