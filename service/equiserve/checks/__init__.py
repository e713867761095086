"""Equivariance checks: symmetry's orbits run through the engine, and what they say."""

from equiserve.checks.report import CheckReport
from equiserve.checks.request import CheckRequest
from equiserve.checks.run import run_check

__all__ = ["CheckReport", "CheckRequest", "run_check"]
