"""The engine: admission, the batcher, the workers, statistics. Whatever calls a model goes through `ServedModel`."""

from equiserve.engine.admission import Admission, RouteGroup
from equiserve.engine.calibration import Calibration
from equiserve.engine.calibration_cache import CalibrationCache
from equiserve.engine.compute_pool import ComputePool
from equiserve.engine.core import RequestContext
from equiserve.engine.model import ServedModel
from equiserve.engine.scheduler import Scheduler

__all__ = [
    "Admission",
    "Calibration",
    "CalibrationCache",
    "ComputePool",
    "RequestContext",
    "RouteGroup",
    "Scheduler",
    "ServedModel",
]
