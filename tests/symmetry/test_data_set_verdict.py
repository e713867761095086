"""Verdicts over several inputs: inputs count, elements do not."""

import numpy as np
import pytest

from equiserve.errors import InvalidRequest
from equiserve.symmetry.data_set_judgement import InputFinding, judge_inputs, metric_interval
from equiserve.symmetry.gates import gate_from_text
from equiserve.symmetry.verdict import Thresholds, Verdict

PASS, FAIL = Verdict("pass", "All agree."), Verdict("fail", "The answer changes under a flip.", "Look at it.")
SILENT = Verdict("not_informative", "No element changes this input.", "Submit another.")
OPEN = Verdict("inconclusive", "Too few elements.", "Draw more.")


def findings(verdicts, consistency=1.0, divergence=0.0, **metrics):
    values = np.broadcast_to(consistency, len(verdicts))
    return [
        InputFinding(f"picture {k}", verdict, {"modal_consistency": float(v), "jensen_shannon": divergence, **metrics})
        for k, (verdict, v) in enumerate(zip(verdicts, values, strict=True))
    ]


def test_an_exact_symmetry_must_hold_on_every_input_and_names_the_first_that_refutes_it():
    assert judge_inputs("exact", findings([PASS] * 59)).status == "pass"
    assert "at least 95 % of inputs drawn like these" in judge_inputs("exact", findings([PASS] * 59)).reason
    refuted = judge_inputs("exact", findings([PASS, FAIL, PASS, FAIL]))
    assert refuted.status == "fail"
    assert "2 of 4 inputs; picture 1: The answer changes under a flip." in refuted.reason
    assert judge_inputs("exact", findings([PASS, OPEN])).status == "inconclusive"


@pytest.mark.parametrize(("inputs", "status"), [(20, "inconclusive"), (58, "inconclusive"), (59, "pass")])
def test_clean_inputs_meet_a_gate_of_95_percent_from_59_on(inputs, status):
    verdict = judge_inputs("none", findings([PASS] * inputs), gates=[gate_from_text("orbit_consistency=0.95")])
    assert verdict.status == status
    if status == "inconclusive":
        assert verdict.next_step == "Submit at least 59 inputs."


def test_a_data_set_below_its_gate_fails_however_many_elements_each_input_has():
    values = np.random.default_rng(0).beta(8, 2, 100)
    verdict = judge_inputs("none", findings([FAIL] * 100, values), gates=[gate_from_text("orbit_consistency=0.95")])
    assert verdict.status == "fail"
    assert "over 100 inputs" in verdict.reason


def test_only_the_gates_decide_where_the_user_gives_some():
    data = findings([PASS] * 60 + [FAIL], np.r_[np.ones(60), 0.97])
    assert judge_inputs("exact", data).status == "fail"
    assert judge_inputs("exact", data, gates=[gate_from_text("orbit_consistency=0.9")]).status == "pass"


def test_an_approximate_symmetry_is_held_to_its_thresholds_over_inputs():
    values = np.random.default_rng(0).uniform(0.97, 0.999, 80)
    assert judge_inputs("approximate", findings([PASS] * 80, values, 0.0)).status == "pass"
    assert judge_inputs("approximate", findings([PASS] * 3, values[:3], 0.0)).status == "inconclusive"
    spread = judge_inputs("approximate", findings([PASS] * 80, values, 0.5))
    assert spread.status == "fail"
    assert "jensen_shannon is 0.5" in spread.reason
    assert judge_inputs("approximate", findings([FAIL] * 80, values - 0.2, 0.0)).status == "fail"


@pytest.mark.parametrize(("size", "status"), [(0.05, "pass"), (0.2, "fail"), (0.108, "inconclusive")])
def test_a_declared_error_is_held_against_its_interval(size, status):
    errors = size * np.random.default_rng(0).uniform(0.5, 1.5, 40)
    data = [InputFinding(f"cloud {k}", PASS, {"relative_error": float(error)}) for k, error in enumerate(errors)]
    assert judge_inputs("approximate", data, thresholds=Thresholds(error_level=0.1)).status == status


def test_inputs_that_could_not_have_failed_are_left_out_and_counted():
    assert judge_inputs("exact", findings([SILENT, SILENT])).status == "not_informative"
    verdict = judge_inputs("exact", findings([SILENT, PASS, SILENT]))
    assert verdict.status == "pass"
    assert "2 of 3 inputs could not have failed" in verdict.reason


def test_without_a_declaration_the_share_of_inputs_is_reported():
    verdict = judge_inputs("none", findings([PASS] * 6 + [FAIL] * 4))
    assert verdict.status == "fail"
    assert "6 of 10 inputs pass by themselves (of all such inputs between 26.2 % and 87.8 %" in verdict.reason
    assert judge_inputs("none", findings([PASS] * 3)).status == "pass"
    assert judge_inputs("none", findings([PASS, OPEN])).status == "inconclusive"


def test_a_gate_on_what_was_not_measured_is_refused():
    with pytest.raises(InvalidRequest, match="box_iou was not measured"):
        judge_inputs("none", findings([PASS]), gates=[gate_from_text("box_iou=0.9")])
    data = findings([PASS], equivariance_psnr=40.0)
    with pytest.raises(InvalidRequest, match="no mean over inputs"):
        judge_inputs("none", data, gates=[gate_from_text("equivariance_psnr=30")])


def test_metrics_of_other_ranges_keep_their_scale():
    margins = np.random.default_rng(0).uniform(-0.5, 0.9, 50)
    interval = metric_interval("worst_margin", margins)
    assert interval.mean == pytest.approx(margins.mean())
    assert -1 < interval.low < interval.mean < interval.high < 1
    assert metric_interval("geodesic_angle", [180.0] * 3).high == 180
