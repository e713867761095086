"""How group elements act on arrays: pictures, fields, boxes, coordinates, sequences, bodies.

`PictureAction` is the geometry of the pixel grid; every `Action` moves tensors by name.
"""

from equiserve.symmetry.actions.action import Action, Invariant, ProductAction, TensorAction
from equiserve.symmetry.actions.body import BodyAction, PivotedPoint
from equiserve.symmetry.actions.boxes import Boxes, Keypoints, PixelCoordinates
from equiserve.symmetry.actions.brightness import Brightness
from equiserve.symmetry.actions.coordinates import Angles, Components, Homogeneous, Orientations, Signed
from equiserve.symmetry.actions.noise import NoiseField
from equiserve.symmetry.actions.picture import PictureAction, background_of, restrict_to_disc
from equiserve.symmetry.actions.pixel_fields import PictureField, PixelGrid, SegmentationMap, VectorField
from equiserve.symmetry.actions.sequences import RelabelClasses, ReorderItems, ReverseTime, ShiftTime

__all__ = [
    "Action",
    "Angles",
    "BodyAction",
    "Boxes",
    "Brightness",
    "Components",
    "Homogeneous",
    "Invariant",
    "Keypoints",
    "NoiseField",
    "Orientations",
    "PictureAction",
    "PictureField",
    "PivotedPoint",
    "PixelCoordinates",
    "PixelGrid",
    "ProductAction",
    "RelabelClasses",
    "ReorderItems",
    "ReverseTime",
    "SegmentationMap",
    "ShiftTime",
    "Signed",
    "TensorAction",
    "VectorField",
    "background_of",
    "restrict_to_disc",
]
