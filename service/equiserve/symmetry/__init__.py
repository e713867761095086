"""Groups, their actions on inputs, orbits, and what a model's answers on an orbit are worth.

Reading order: `elements` and `groups`, `actions`, `orbit`, `reference`, `metrics` and `measurement`, `statistics`,
`verdict` and `judgement`. Nothing here knows of models or servers.
"""

from equiserve.symmetry.actions import PictureAction, background_of, restrict_to_disc
from equiserve.symmetry.elements import Element, Rotation, Shift, element_from_json
from equiserve.symmetry.groups import (
    SO2,
    CropShift,
    Cyclic,
    CyclicShift,
    Dihedral,
    Flip,
    Group,
    group_catalogue,
    group_from_spec,
)
from equiserve.symmetry.judgement import judge
from equiserve.symmetry.measurement import METRICS, Metric, OrbitOutputs, measure, metric_catalogue
from equiserve.symmetry.metrics import (
    identity_consistency,
    jensen_shannon,
    margins,
    modal_consistency,
    orbit_variance_ratio,
    pair_agreement,
    relative_errors,
    worst_margin,
)
from equiserve.symmetry.orbit import Orbit, OrbitChunk
from equiserve.symmetry.reference import (
    Reference,
    Strength,
    consensus_reference,
    decisions_of,
    identity_reference,
    label_reference,
)
from equiserve.symmetry.statistics import certified_share, elements_needed, wilson_interval
from equiserve.symmetry.verdict import Level, Status, Thresholds, Verdict

__all__ = [
    "METRICS",
    "SO2",
    "CropShift",
    "Cyclic",
    "CyclicShift",
    "Dihedral",
    "Element",
    "Flip",
    "Group",
    "Level",
    "Metric",
    "Orbit",
    "OrbitChunk",
    "OrbitOutputs",
    "PictureAction",
    "Reference",
    "Rotation",
    "Shift",
    "Status",
    "Strength",
    "Thresholds",
    "Verdict",
    "background_of",
    "certified_share",
    "consensus_reference",
    "decisions_of",
    "element_from_json",
    "elements_needed",
    "group_catalogue",
    "group_from_spec",
    "identity_consistency",
    "identity_reference",
    "jensen_shannon",
    "judge",
    "label_reference",
    "margins",
    "measure",
    "metric_catalogue",
    "modal_consistency",
    "orbit_variance_ratio",
    "pair_agreement",
    "relative_errors",
    "restrict_to_disc",
    "wilson_interval",
    "worst_margin",
]
