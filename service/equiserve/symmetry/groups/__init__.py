"""Groups of transformations: their elements, composition, sampling and names."""

from equiserve.symmetry.groups.catalogue import group_catalogue, group_from_spec
from equiserve.symmetry.groups.group import Group
from equiserve.symmetry.groups.rotations import SO2, Cyclic, Dihedral, Flip
from equiserve.symmetry.groups.translations import CropShift, CyclicShift

__all__ = [
    "SO2",
    "CropShift",
    "Cyclic",
    "CyclicShift",
    "Dihedral",
    "Flip",
    "Group",
    "group_catalogue",
    "group_from_spec",
]
