"""Point clouds of people in, posed and shaped bodies out."""

from equiserve.tasks.fit.fitter import BodyFitter
from equiserve.tasks.fit.program import FitRequest, cloud_inputs, fit
from equiserve.tasks.fit.registry import BodyRegistry
from equiserve.tasks.fit.result import BodyFit

__all__ = ["BodyFit", "BodyFitter", "BodyRegistry", "FitRequest", "cloud_inputs", "fit"]
