"""The search for the worst element of a group, in rounds of a few model calls.

A search looks for the smallest value of a function of the element: the margin of the consensus class, or minus an
error. It keeps no state: `next_elements` takes all that was observed and names the elements to try next, so that a
search can be stopped, resumed and shared. Worst-seeking elements bias an average: means are taken over
`uniform_elements` only.
"""

from equiserve.symmetry.search.one_parameter import OneParameterSearch
from equiserve.symmetry.search.shifts import ShiftSearch
from equiserve.symmetry.search.space_rotations import RotationSearch

__all__ = ["OneParameterSearch", "RotationSearch", "ShiftSearch"]
