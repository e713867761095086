"""The families of groups: what they are called, what a name may carry, and how they are built from parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from equiserve.symmetry.groups.continuous_rotations import O2, SO2
from equiserve.symmetry.groups.group import Group
from equiserve.symmetry.groups.intensity import IntensityChange
from equiserve.symmetry.groups.items_and_time import Symmetric, TimeReversal, TimeShift
from equiserve.symmetry.groups.matrices import MatrixGroup
from equiserve.symmetry.groups.planes import AboutAxis, YDown
from equiserve.symmetry.groups.products import DirectProduct
from equiserve.symmetry.groups.ranges import AngleRange
from equiserve.symmetry.groups.rigid import SE3, Translations
from equiserve.symmetry.groups.rotations import Cyclic, Dihedral, Flip
from equiserve.symmetry.groups.scaling import Scaling
from equiserve.symmetry.groups.space import O3, SO3, Icosahedral
from equiserve.symmetry.groups.translations import CropShift, CyclicShift

_NUMBER = r"-?\d{1,12}(?:\.\d{1,17})?(?:e-?\d{1,2})?"
_PIXELS = "exact on multiples of 90 degrees; other angles are resampled inside the inscribed disc"
_COORDINATES = "exact: coordinates are computed, nothing is resampled"


@dataclass(frozen=True)
class Family:
    """One family of groups, as discovery shows it and as `group_from_spec` builds it.

    Args:
        name: What specs call it: the name of its class.
        example: A name that builds one of its groups.
        parameters: What each parameter means.
        description: In one sentence.
        exactness: Which elements lose nothing.
        finite: Whether it can be enumerated.
        is_group: False for windows, which are not closed.
        pattern: Of names; its groups are parameters, as text.
        build: From parameters to the group.
        defaults: Of parameters that may be left out.
    """

    name: str
    example: str
    parameters: dict[str, str]
    description: str
    exactness: str
    finite: bool
    is_group: bool
    pattern: str
    build: Callable[..., Group[Any]]
    defaults: dict[str, Any] = field(default_factory=dict)


FAMILIES = (
    Family(
        "CyclicShift",
        "CyclicShift",
        {"height": "rows, pixels; the picture's by default", "width": "columns, pixels; the picture's by default"},
        "All shifts on the torus: what leaves on one side comes back on the other.",
        "exact: every element permutes pixels",
        True,
        True,
        r"CyclicShift(?::(?P<height>\d+)x(?P<width>\d+))?",
        CyclicShift,
    ),
    Family(
        "CropShift",
        "CropShift:4",
        {"reach": "largest shift along either axis, pixels"},
        "Shifts that push content out and let a named fill in; not closed, so the orbit is partial.",
        "not exact: content is lost at the border",
        True,
        False,
        r"CropShift:(?P<reach>\d+)",
        CropShift,
    ),
    Family(
        "Flip",
        "Flip:left_right",
        {"axes": "list of left_right and up_down; both by default"},
        "Mirror images along the named axes.",
        "exact: every element permutes pixels",
        True,
        True,
        r"Flip(?::(?P<axes>left_right|up_down))?",
        lambda axes: Flip([axes] if isinstance(axes, str) else axes),
        {"axes": ["left_right", "up_down"]},
    ),
    Family(
        "Cyclic",
        "C4",
        {"n": "number of rotations"},
        "C_n: rotations by multiples of 360/n degrees about the picture's centre.",
        _PIXELS,
        True,
        True,
        r"C(?P<n>\d+)",
        Cyclic,
    ),
    Family(
        "Dihedral",
        "D4",
        {"n": "number of rotations; the group has twice as many elements"},
        "D_n: the rotations of C_n and their mirror images.",
        "exact on multiples of 90 degrees, mirrored or not; other angles are resampled inside the inscribed disc",
        True,
        True,
        r"D(?P<n>\d+)",
        Dihedral,
    ),
    Family("SO2", "SO2", {}, "All rotations about the picture's centre.", _PIXELS, False, True, r"SO2", SO2),
    Family(
        "O2",
        "O2",
        {},
        "All rotations about the picture's centre and their mirror images.",
        _PIXELS,
        False,
        True,
        r"O2",
        O2,
    ),
    Family(
        "AngleRange",
        "SO2[-30,30]",
        {
            "group": "SO2, O2, C_n or D_n",
            "low_deg": "smallest angle, -180 to 0 degrees",
            "high_deg": "largest angle, 0 to 180 degrees",
        },
        "Rotations within a range, so that elements which change the meaning (6 to 9) can be left out; not closed.",
        _PIXELS,
        False,
        False,
        rf"(?P<group>[A-Za-z0-9:_]+)\[(?P<low_deg>{_NUMBER}),(?P<high_deg>{_NUMBER})\]",
        AngleRange,
    ),
    Family(
        "AboutAxis",
        "SO2 about y",
        {"group": "SO2, O2, C_n, D_n or a range of one", "axis": "x, y, z or three numbers"},
        "A group of rotations about an axis of space.",
        _COORDINATES,
        False,
        True,
        rf"(?P<group>.+) about (?P<axis>[xyz]|{_NUMBER},{_NUMBER},{_NUMBER})",
        lambda group, axis: AboutAxis(group, tuple(axis) if isinstance(axis, list) else axis),
    ),
    Family(
        "YDown",
        "SO2 y-down",
        {"group": "SO2, O2, C_n, D_n or a range of one"},
        "A group of the plane acting on coordinates (x, y) whose y points down, as those of pixels do.",
        _COORDINATES,
        False,
        True,
        r"(?P<group>.+) y-down",
        YDown,
    ),
    Family("SO3", "SO3", {}, "All rotations of space.", _COORDINATES, False, True, r"SO3", SO3),
    Family(
        "O3", "O3", {}, "All rotations of space, with and without the inversion.", _COORDINATES, False, True, r"O3", O3
    ),
    Family(
        "Icosahedral",
        "Icosahedral",
        {"inversion": "whether x -> -x belongs to it; no by default"},
        "The 60 rotations of the icosahedron, or 120 elements with the inversion.",
        _COORDINATES,
        True,
        True,
        r"Icosahedral(?::(?P<inversion>inversion))?",
        lambda inversion: Icosahedral(inversion=inversion == "inversion" or inversion),
        {"inversion": False},
    ),
    Family(
        "SE3",
        "SE3:1",
        {"reach": "half the side of the box of translations that are tried, in the frame's units; 1 by default"},
        "All rigid motions of space.",
        _COORDINATES,
        False,
        True,
        rf"SE3(?::(?P<reach>{_NUMBER}))?",
        SE3,
        {"reach": 1.0},
    ),
    Family(
        "Translations",
        "T3:1",
        {
            "dim": "number of coordinates; 3 by default",
            "reach": "half the side of the box of translations that are tried, in the frame's units; 1 by default",
        },
        "All translations of space; points move, vectors do not.",
        _COORDINATES,
        False,
        True,
        rf"T(?P<dim>\d+)(?::(?P<reach>{_NUMBER}))?",
        Translations,
        {"dim": 3, "reach": 1.0},
    ),
    Family(
        "Scaling",
        "Scaling:0.5..2",
        {
            "low": "smallest factor",
            "high": "largest factor",
            "dim": "number of coordinates of tensors; 3 by default",
        },
        "Changes of size between two factors; not closed.",
        "exact on coordinates; pictures are resampled",
        False,
        False,
        rf"Scaling(?P<dim>\d+)?:(?P<low>{_NUMBER})\.\.(?P<high>{_NUMBER})",
        Scaling,
        {"dim": 3},
    ),
    Family(
        "Symmetric",
        "S5",
        {"n": "number of items"},
        "S_n: all orders of n items.",
        "exact: every element permutes items",
        True,
        True,
        r"S(?P<n>\d+)",
        Symmetric,
    ),
    Family(
        "TimeReversal",
        "TimeReversal",
        {},
        "A sequence as it is, or backwards; velocities and flows change sign.",
        "exact: every element permutes frames",
        True,
        True,
        r"TimeReversal",
        TimeReversal,
    ),
    Family(
        "TimeShift",
        "TimeShift:2",
        {"reach": "largest shift, frames"},
        "Sequences that start earlier or later; only the overlap is compared; not closed.",
        "not exact: frames are lost at the ends",
        True,
        False,
        r"TimeShift:(?P<reach>\d+)",
        TimeShift,
    ),
    Family(
        "IntensityChange",
        "Intensity:0.8..1.2,10",
        {
            "gain_low": "smallest gain",
            "gain_high": "largest gain",
            "offset": "largest offset either way, in the units of the samples; 0 by default",
        },
        "Affine changes of brightness; not closed.",
        "exact on floating samples; whole numbers are rounded",
        False,
        False,
        rf"Intensity:(?P<gain_low>{_NUMBER})\.\.(?P<gain_high>{_NUMBER})(?:,(?P<offset>{_NUMBER}))?",
        IntensityChange,
        {"offset": 0.0},
    ),
    Family(
        "DirectProduct",
        "D4 x TimeReversal",
        {"factors": "list of groups"},
        "Several groups that act at the same time.",
        "exact where every factor is",
        True,
        True,
        r"(?P<factors>.+ x .+)",
        DirectProduct,
    ),
)

MATRICES = Family(
    "MatrixGroup",
    "",
    {"lie": "generators of the Lie algebra, square matrices", "discrete": "discrete generators, square matrices"},
    "Any group of matrices, by its generators.",
    _COORDINATES,
    False,
    True,
    r"MatrixGroup",
    MatrixGroup,
    {"lie": [], "discrete": []},
)
