"""From what was measured on one orbit to a verdict that a person can act on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry import metrics
from equiserve.symmetry.clustered import error_interval
from equiserve.symmetry.elements import Element
from equiserve.symmetry.evidence import Evidence
from equiserve.symmetry.groups import Group
from equiserve.symmetry.orbit_outputs import OrbitOutputs
from equiserve.symmetry.reference import consensus_reference
from equiserve.symmetry.statistics import certified_share, elements_needed, percent, wilson_interval
from equiserve.symmetry.verdict import Level, Thresholds, Verdict

# A measured error below this share of the declared one is worth telling.
_MUCH_LESS = 0.1


def judge(
    level: Level,
    *,
    group: Group[Any],
    elements: Sequence[Element],
    exact: NDArray[np.bool_],
    changed: NDArray[np.bool_],
    outputs: OrbitOutputs,
    class_names: Sequence[str] | None = None,
    sampled: bool = False,
    thresholds: Thresholds | None = None,
) -> Verdict:
    """Judge what a model said about one orbit by the level of symmetry that it declares.

    - ``exact``: under every exact element the decision is the identity's and the outputs agree to rounding.
      Resampled elements are reported, not held against it.
    - ``approximate``: modal consistency and Jensen-Shannon divergence over the whole orbit reach their thresholds; the
      mean relative error stays below the declared one where the output is no distribution.
    - ``none``: nothing is declared; the verdict answers the question alone, whether the answer stays the same.

    Consistency is judged, never correctness: a model that gives the same wrong answer everywhere passes.

    Args:
        level: What the model declares for this group.
        group: The group of the orbit; gives the words.
        elements: n members, the identity first.
        exact: [n], as `Orbit.exact`.
        changed: [n], as `OrbitChunk.changed`.
        outputs: Of the n members. Without probabilities (no classifier) ``approximate`` needs an error level in the
            thresholds, and ``none`` passes where all agree to rounding, else can only be reported.
        class_names: Names of the K classes.
        sampled: Whether the elements were drawn at random, so that shares carry a confidence bound.
        thresholds: Defaults to `Thresholds()`.
    """
    evidence = Evidence(group, elements, exact, changed, outputs, class_names, sampled, thresholds or Thresholds())
    if not changed.any():
        return Verdict(
            "not_informative",
            f"No element of {group.name} that was tried changes this input, so every model would pass.",
            "Submit an input that the group does change.",
        )
    failed = np.flatnonzero(~np.isfinite(outputs.rows).all(axis=1))
    if failed.size:
        return Verdict(
            "fail",
            f"The model's output is not finite (NaN or infinity) {evidence.under(failed)}.",
            "Look for an overflow or a division by zero in the model; such outputs count as failures.",
        )
    if level == "exact":
        return _judge_exact(evidence)
    if outputs.probabilities is None:
        if level == "approximate" and evidence.thresholds.error_level is not None:
            return _judge_error_level(evidence, evidence.thresholds.error_level)
        if level == "none" and evidence.errors.max() <= evidence.thresholds.exact_error:
            return Verdict(
                "pass",
                f"All {len(elements)} elements tried agree to {evidence.errors.max():.1g} (relative)"
                f"{evidence.certificate()}; the model declares no symmetry under {group.name}.",
            )
        return Verdict(
            "inconclusive",
            f"The outputs differ by up to {evidence.errors.max():.2g} (relative) "
            f"{evidence.under([int(evidence.errors.argmax())])}, and no bound is declared for them.",
            "Declare the symmetry as exact or with the error it has, or demand one with a gate.",
        )
    return _judge_approximate(evidence) if level == "approximate" else _judge_undeclared(evidence)


def _judge_exact(e: Evidence) -> Verdict:
    if not (e.exact & e.changed).any():
        return Verdict(
            "inconclusive",
            f"No element of {e.group.name} that moves this input without loss was tried, so a failure of the model "
            "cannot be told from one of the resampling or of the border.",
            "Check a group with exact elements: CyclicShift, C4, D4 or Flip.",
        )
    refuted = "The declared exactness is refuted: see whether the served file is the one that was declared."
    classified = e.outputs.probabilities is not None
    answer = int(e.outputs.decisions[0]) if classified else -1
    differing = e.differing(answer, e.exact)
    if differing.size:
        other = int(e.outputs.decisions[differing[0]])
        return Verdict(
            "fail", f"The answer changes from {e.name(answer)} to {e.name(other)} {e.under(differing)}.", refuted
        )
    errors = np.where(e.exact, e.errors, 0.0)
    above = np.flatnonzero(errors > e.thresholds.exact_error)
    above = above[np.argsort(-errors[above], kind="stable")]
    if above.size:
        return Verdict(
            "fail",
            f"The outputs differ by {errors.max():.2g} (relative; an exact symmetry allows "
            f"{e.thresholds.exact_error:.0e}) {e.under(above)}.",
            refuted,
        )
    same = f" give {e.name(answer)} and" if classified else ""
    resampled = ~e.exact
    if resampled.any() and classified:
        share = percent(np.mean(e.outputs.decisions[resampled] == answer))
        rest = f"; of the {resampled.sum()} others, which are not exact, {share} give it too"
    else:
        rest = "" if resampled.any() else e.certificate()
    return Verdict(
        "pass", f"All {e.exact.sum()} exact elements tried{same} agree to {errors.max():.1g} (relative){rest}."
    )


def _judge_approximate(e: Evidence) -> Verdict:
    assert e.outputs.probabilities is not None
    n, limits = len(e.elements), e.thresholds
    label = consensus_reference(e.outputs.outputs).label
    assert label is not None  # every output is finite here
    differing = e.differing(label)
    low, high = _share_bounds(differing, e)
    share = percent(1 - len(differing) / n)
    worst = ""
    if differing.size:
        worst = f", but {e.name(int(e.outputs.decisions[differing[0]]))} {e.under(differing[:1])}"
    reason = (
        f"The answer is {e.name(label)} on {share} of {n} elements ({percent(limits.modal_consistency)} needed){worst}"
    )
    if high < limits.modal_consistency:
        return Verdict("fail", f"{reason}.", _after_failure(e))
    divergence = metrics.jensen_shannon(e.outputs.probabilities)
    if divergence > limits.jensen_shannon:
        worst_margin = int(metrics.margins(e.outputs.probabilities, label).argmin())
        return Verdict(
            "fail",
            f"The class probabilities diverge by {divergence:.3g} bits over {n} elements (allowed: "
            f"{limits.jensen_shannon:g}); {e.name(label)} is weakest {e.under([worst_margin])}.",
            _after_failure(e),
        )
    if low < limits.modal_consistency:
        return Verdict(
            "inconclusive",
            f"{reason}; {n} random elements only bound the share between {percent(low)} and {percent(high)}.",
            f"Draw at least {_elements_to_decide(len(differing), n, limits)} random elements.",
        )
    return Verdict("pass", f"{reason}{'' if differing.size else e.certificate()}.")


def _judge_error_level(e: Evidence, level: float) -> Verdict:
    """Hold the mean error over the elements, the identity left out, to the declared one."""
    limits, errors = e.thresholds, e.errors[1:]
    allowed = limits.largest_error
    assert allowed is not None
    mean, worst = float(errors.mean()), int(e.errors.argmax())
    low = high = mean
    if e.sampled or e.group.order is None:
        # The ends of a two-sided interval of 90 % each hold at 95 %.
        interval = error_interval(errors, 2 * limits.confidence - 1, worst=1.0, negligible=limits.exact_error)
        low, high = interval.low, interval.high
    shown = f"The mean relative error over {len(errors)} elements is {mean:.2g}"
    if low != high:
        shown += f" (between {low:.2g} and {high:.2g} at {percent(limits.confidence)} confidence each)"
    declared = f"declared is {level:g}, and {limits.error_tolerance:.0%} more is allowed"
    if low > allowed:
        return Verdict("fail", f"{shown}; {declared}. It is largest {e.under([worst])}.", _after_failure(e))
    if high > allowed:
        return Verdict(
            "inconclusive",
            f"{shown}, which does not decide: {declared}.",
            f"Raise the number of elements, to {2 * len(errors)} or more.",
        )
    if high < level * _MUCH_LESS:
        return Verdict(
            "pass",
            f"{shown}: more symmetric than declared ({level:g}).",
            "Declare the measured error, or snap the weights to the exact symmetry if it is meant to be one.",
        )
    return Verdict("pass", f"{shown}; {declared}.")


def _judge_undeclared(e: Evidence) -> Verdict:
    answer = int(e.outputs.decisions[0])
    differing = e.differing(answer)
    undeclared = f"the model declares no symmetry under {e.group.name}"
    if differing.size:
        other = int(e.outputs.decisions[differing[0]])
        return Verdict(
            "fail",
            f"The answer changes from {e.name(answer)} to {e.name(other)} {e.under(differing)}; {undeclared}.",
            "Serve a model that declares this symmetry, or use the consensus over the orbit.",
        )
    return Verdict(
        "pass", f"The answer is {e.name(answer)} on all {len(e.elements)} elements{e.certificate()}; {undeclared}."
    )


def _share_bounds(differing: NDArray[np.intp], e: Evidence) -> tuple[float, float]:
    n = len(e.elements)
    if not e.sampled:
        return 1 - len(differing) / n, 1 - len(differing) / n
    # The identity was not drawn.
    drawn, failures = n - 1, int(np.count_nonzero(differing))
    if not failures:
        return certified_share(drawn, e.thresholds.confidence), 1.0
    return wilson_interval(drawn - failures, drawn, e.thresholds.confidence)


def _elements_to_decide(failures: int, n: int, limits: Thresholds) -> int:
    """Return how many random elements would decide if the share stays as it is (normal approximation)."""
    if not failures:
        return elements_needed(limits.modal_consistency, limits.confidence)
    share, z = 1 - failures / n, NormalDist().inv_cdf((1 + limits.confidence) / 2)
    # Closer to the threshold than one element is a tie that only a much larger sample breaks.
    gap = max(abs(share - limits.modal_consistency), 1 / (2 * n))
    return max(2 * n, math.ceil(z * z * share * (1 - share) / gap**2))


def _after_failure(e: Evidence) -> str:
    if e.exact.all():
        return "Withdraw the declaration, or use the consensus over the orbit."
    return "Repeat with C4, D4 or CyclicShift, which resample nothing, to tell the model from the transformation."
