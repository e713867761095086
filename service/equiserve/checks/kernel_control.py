"""The kernel ladder in a check: when it is needed, what it showed, and where it overrules the verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from equiserve.checks.findings import Findings
from equiserve.symmetry import Rotation, Verdict, identity_consistency, jensen_shannon, modal_consistency
from equiserve.symmetry.kernel_ladder import LadderFinding, ladder_finding
from equiserve.symmetry.reference import decisions_of

_MOST = 12
# A pass is close where some resampled element keeps the answer by no more than this.
_CLOSE_MARGIN = 0.1
# The share of its distance to the threshold by which a kernel may move a figure: see `kernel_ladder`.
_ALLOWED_SHARE = 0.1

#: From scores [n, K] and probabilities [n, K] of an orbit to a figure.
_Figure = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True, slots=True)
class KernelFinding:
    """One figure of the whole orbit, with the worst elements through each kernel.

    Attributes:
        metric: The figure.
        threshold: What it is held to.
        better: Which side of the threshold passes.
        finding: Its values by kernel.
    """

    metric: str
    threshold: float
    better: str
    finding: LadderFinding

    @property
    def fails(self) -> bool:
        """Whether the figure misses its threshold with the kernel of the check."""
        value = self.finding.values["upsample4"]
        return value < self.threshold if self.better == "higher" else value > self.threshold


def ladder_members(findings: Findings, status: str) -> np.ndarray:
    """Return the rows of `Findings.judged` to try with other kernels, at most a dozen; none where nothing hangs on it.

    An exact symmetry is judged by exact elements; an exact element that fails, or an output that is not finite, needs
    no kernel to explain it; and a failure so large that a dozen elements cannot move it stands.

    Args:
        findings: Of the whole orbit.
        status: Of the verdict so far.
    """
    judged, nothing = findings.judged, np.zeros(0, np.intp)
    turned = [isinstance(element, Rotation) for element in judged.elements]
    resampled = np.flatnonzero(np.array(turned) & ~judged.exact)
    if findings.plan.level == "exact" or not resampled.size or not np.isfinite(judged.outputs.outputs).all():
        return nothing
    members = resampled[np.argsort(judged.margins[resampled], kind="stable")][:_MOST]
    if status == "not_informative" or (status != "fail" and judged.margins[members[0]] > _CLOSE_MARGIN):
        return nothing
    decisions = judged.outputs.decisions
    if findings.plan.level == "none" and (decisions[judged.exact] != decisions[0]).any():
        return nothing
    _, threshold, _, figure = _figures(findings)[0]
    assert judged.outputs.probabilities is not None
    missed = threshold - figure(judged.outputs.outputs, judged.outputs.probabilities)
    most = len(members) / len(judged.elements)
    return nothing if status == "fail" and most <= _ALLOWED_SHARE * (missed - most) else members


def kernel_findings(findings: Findings) -> list[KernelFinding]:
    """Return what the ladder showed; empty where it was not run."""
    ladder, outputs = findings.measured.ladder, findings.judged.outputs
    if ladder is None:
        return []
    found = []
    for metric, threshold, better, figure in _figures(findings):
        values = {}
        for kernel, scores in ladder.scores.items():
            replaced = outputs.outputs.copy()
            replaced[ladder.members] = scores
            values[kernel] = figure(replaced, findings.classifier.probabilities(replaced))
        found.append(KernelFinding(metric, threshold, better, ladder_finding(values, threshold)))
    return found


def kernel_verdict(findings: Findings, verdict: Verdict) -> Verdict | None:
    """Return the verdict that overrules another one because the kernel decides, else None.

    A failure stands as long as one figure fails whatever the kernel; anything else falls with the first figure that
    the kernel moves.
    """
    found = kernel_findings(findings)
    if verdict.status == "fail":
        failing = [one for one in found if one.fails]
        if not failing or not all(one.finding.limited for one in failing):
            return None
        found = failing
    limited = [one for one in found if one.finding.limited]
    return limited[0].finding.verdict(limited[0].metric) if limited else None


def _figures(findings: Findings) -> list[tuple[str, float, str, _Figure]]:
    """Return name, threshold, better side and formula of what the verdict turns on."""
    if findings.plan.level == "none":
        return [("identity_consistency", 1.0, "higher", lambda scores, _: identity_consistency(decisions_of(scores)))]
    limits = findings.thresholds
    return [
        (
            "modal_consistency",
            limits.modal_consistency,
            "higher",
            lambda scores, _: modal_consistency(decisions_of(scores)),
        ),
        ("jensen_shannon", limits.jensen_shannon, "lower", lambda _, probabilities: jensen_shannon(probabilities)),
    ]
