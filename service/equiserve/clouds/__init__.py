"""Point clouds: a file of some format to points in metres, and those to what a body fitter takes."""

from equiserve.clouds.prepare import MAX_POINTS, MIN_POINTS, CloudCounts, PreparedCloud, prepare_cloud
from equiserve.clouds.read import FORMATS, read_cloud
from equiserve.clouds.units import UNITS, Scale

__all__ = [
    "FORMATS",
    "MAX_POINTS",
    "MIN_POINTS",
    "UNITS",
    "CloudCounts",
    "PreparedCloud",
    "Scale",
    "prepare_cloud",
    "read_cloud",
]
