"""All symmetries that a manifest declares, measured against what it declares of each, in one call.

Reading order: `request`, `planner`, `run`, `report`.
"""

from equiserve.checks.candidates.request import CandidatesRequest
from equiserve.checks.candidates.run import check_candidates

__all__ = ["CandidatesRequest", "check_candidates"]
