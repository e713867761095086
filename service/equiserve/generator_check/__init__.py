"""The equivariance check of a generator: does what it draws turn by the angle that is asked for, and stay the same?"""

from equiserve.generator_check.plan import GeneratorCheckRequest
from equiserve.generator_check.report import GeneratorCheckReport
from equiserve.generator_check.run import check_generator

__all__ = ["GeneratorCheckReport", "GeneratorCheckRequest", "check_generator"]
