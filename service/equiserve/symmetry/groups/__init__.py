"""Groups of transformations: their elements, composition, sampling and names."""

from equiserve.symmetry.groups.catalogue import group_catalogue, group_from_spec
from equiserve.symmetry.groups.continuous_rotations import O2, SO2
from equiserve.symmetry.groups.group import Group
from equiserve.symmetry.groups.intensity import IntensityChange
from equiserve.symmetry.groups.items_and_time import Symmetric, TimeReversal, TimeShift
from equiserve.symmetry.groups.linear import LinearGroup
from equiserve.symmetry.groups.matrices import MatrixGroup
from equiserve.symmetry.groups.planes import AboutAxis, YDown
from equiserve.symmetry.groups.products import DirectProduct
from equiserve.symmetry.groups.ranges import AngleRange
from equiserve.symmetry.groups.rigid import SE3, Translations
from equiserve.symmetry.groups.rotations import Cyclic, Dihedral, Flip, PlaneGroup
from equiserve.symmetry.groups.scaling import Scaling
from equiserve.symmetry.groups.space import O3, SO3, Icosahedral
from equiserve.symmetry.groups.translations import CropShift, CyclicShift

__all__ = [
    "O2",
    "O3",
    "SE3",
    "SO2",
    "SO3",
    "AboutAxis",
    "AngleRange",
    "CropShift",
    "Cyclic",
    "CyclicShift",
    "Dihedral",
    "DirectProduct",
    "Flip",
    "Group",
    "Icosahedral",
    "IntensityChange",
    "LinearGroup",
    "MatrixGroup",
    "PlaneGroup",
    "Scaling",
    "Symmetric",
    "TimeReversal",
    "TimeShift",
    "Translations",
    "YDown",
    "group_catalogue",
    "group_from_spec",
]
