"""One verdict over many inputs: what the gates decide, what is left out, and when more inputs are needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sample_reports import sample_report

from equiserve.checks.gated import gated_report
from equiserve.errors import InvalidRequest
from equiserve.symmetry.gates import gate_from_text

PASS = {"status": "pass", "reason": "All is well.", "next_step": None}
SILENT = {"status": "not_informative", "reason": "Nothing moves.", "next_step": "Send another."}


def consistent(share: float, verdict: dict[str, Any] = PASS) -> dict[str, Any]:
    """Return a report in which `share` of 100 elements agree."""
    values = np.where(np.arange(100) < round(100 * share), 0.9, 0.1)
    return sample_report("SO2", values, 100, verdict=verdict)


def judged(reports: list[dict[str, Any]], *gates: str) -> dict[str, Any]:
    return gated_report({f"{k}.png": report for k, report in enumerate(reports)}, [gate_from_text(g) for g in gates])


@pytest.mark.parametrize(("share", "status"), [(0.95, "pass"), (0.94, "fail")])
def test_the_figure_of_one_input_is_exact_and_decides(share, status):
    report = judged([consistent(share)], "orbit_consistency=0.95")
    assert report["verdict"]["status"] == status
    (gate,) = report["gates"]
    assert (gate["value"], gate["low"], gate["high"]) == (share, share, share)
    assert report["elements"] is not None


def test_a_few_perfect_inputs_do_not_prove_a_gate_and_enough_do():
    # Clopper and Pearson's bound at zero failures: 0.05 ** (1 / n) >= 0.95 from n = 59 on.
    assert judged([consistent(1.0)] * 58, "orbit_consistency=0.95")["verdict"]["status"] == "inconclusive"
    assert judged([consistent(1.0)] * 59, "orbit_consistency=0.95")["verdict"]["status"] == "pass"


def test_an_inconclusive_gate_says_how_many_inputs_might_decide():
    assert "Check about 59 inputs" in judged([consistent(1.0)] * 5, "orbit_consistency=0.95")["verdict"]["next_step"]


def test_inputs_that_are_clearly_below_fail():
    report = judged([consistent(share) for share in np.linspace(0.3, 0.6, 20)], "orbit_consistency=0.95")
    assert report["verdict"]["status"] == "fail"


def test_every_gate_must_pass():
    report = judged([consistent(1.0)], "orbit_consistency=0.95", "jensen_shannon=0.01")
    assert [gate["status"] for gate in report["gates"]] == ["pass", "fail"]
    assert report["verdict"]["status"] == "fail"


def test_inputs_that_say_nothing_do_not_help_to_reach_a_gate():
    report = judged([consistent(0.5), *[consistent(1.0, SILENT)] * 9], "orbit_consistency=0.9")
    assert report["verdict"]["status"] == "fail"
    assert report["gates"][0]["inputs"] == 1
    assert "9 of 10 inputs say nothing" in report["verdict"]["reason"]


@pytest.mark.parametrize("count", [1, 3])
def test_no_gate_passes_where_no_input_says_anything(count):
    report = judged([consistent(1.0, SILENT)] * count, "orbit_consistency=0.5")
    assert report["verdict"]["status"] == "not_informative"
    assert report["gates"] == []


def test_a_check_that_was_not_finished_decides_nothing():
    partial = consistent(1.0)
    partial["coverage"] |= {"checked": 99}
    assert judged([partial], "orbit_consistency=0.5")["verdict"]["status"] == "inconclusive"


def test_a_figure_that_is_not_finite_counts_as_the_worst():
    broken = consistent(1.0)
    broken["summary"]["all"]["modal_consistency"] = None
    report = judged([broken], "orbit_consistency=0.5")
    assert (report["verdict"]["status"], report["gates"][0]["value"]) == ("fail", 0.0)


def test_without_gates_one_input_that_fails_fails_all():
    fail = {"status": "fail", "reason": "The answer changes.", "next_step": None}
    assert judged([consistent(1.0), consistent(0.4, fail)])["verdict"]["status"] == "fail"
    assert judged([consistent(1.0), consistent(1.0)])["verdict"]["status"] == "pass"


def test_reports_of_two_models_or_groups_are_not_mixed():
    with pytest.raises(InvalidRequest, match="differ in file_digest"):
        judged([consistent(1.0), consistent(1.0) | {"file_digest": "f" * 64}])
    with pytest.raises(InvalidRequest, match="differ in group"):
        judged([consistent(1.0), sample_report("C4")])


def test_a_gate_on_a_metric_that_the_check_does_not_have_is_refused_with_those_that_it_has():
    with pytest.raises(InvalidRequest, match=r"has no worst_margin, expected one of \['modal_consistency'"):
        judged([consistent(1.0)], "worst_margin=0.5")


def test_no_input_is_refused():
    with pytest.raises(InvalidRequest, match="at least one"):
        judged([])
