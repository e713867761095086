"""What users demand, as text and as JSON, and what an interval answers."""

import pytest

from equiserve.errors import InvalidRequest
from equiserve.symmetry.gates import Gate, gate_from_text, gates_from_json, verdict_of
from equiserve.symmetry.verdict import Verdict


@pytest.mark.parametrize(
    ("text", "metric", "bound", "better"),
    [
        ("orbit_consistency=0.95", "modal_consistency", 0.95, "higher"),
        ("modal_consistency>=0.95", "modal_consistency", 0.95, "higher"),
        (" relative_error <= 1e-3 ", "relative_error", 1e-3, "lower"),
        ("jensen_shannon=0.02", "jensen_shannon", 0.02, "lower"),
        ("max_error=12.5", "max_error", 12.5, "lower"),
    ],
)
def test_a_gate_is_read_from_text(text, metric, bound, better):
    assert gate_from_text(text) == Gate(metric, bound, better)


def test_a_gate_is_read_from_json_and_written_back():
    gates = gates_from_json({"orbit_consistency": {"min": 0.9, "confidence": 0.99}, "relative_error": 0.1})
    assert gates == [Gate("modal_consistency", 0.9, "higher", 0.99), Gate("relative_error", 0.1, "lower")]
    assert [gates_from_json(gate.to_json()) for gate in gates] == [[gate] for gate in gates]
    assert gates_from_json(["orbit_consistency=0.9", {"relative_error": {"max": 0.1}}])[1].bound == 0.1
    assert len(gates_from_json("orbit_consistency=0.9,relative_error=0.1")) == 2
    assert gates_from_json(None) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("accuracy=0.9", "unknown metric 'accuracy', expected any of modal_consistency"),
        ("orbit_consistency", "expected metric=bound"),
        ("orbit_consistency=high", "expected a number from 0 to 1"),
        ("orbit_consistency=95", "expected a number from 0 to 1"),
        ("orbit_consistency=nan", "expected a number from 0 to 1"),
        ("orbit_consistency<=0.9", "expected a min bound, got a max bound"),
        ({"relative_error": {"min": 0.1}}, "expected a max bound, got a min bound"),
        ({"relative_error": {"max": True}}, "expected a number"),
        ({"relative_error": {}}, "expected {'max': number"),
        ({"relative_error": {"max": 0.1, "level": 2}}, "expected {'max': number"),
        ({"relative_error": {"max": 0.1, "confidence": 1}}, "between 0.5 and 1"),
        (0.95, "expected text or an object"),
    ],
)
def test_a_demand_that_cannot_be_read_says_what_was_expected(value, expected):
    with pytest.raises(InvalidRequest, match="gate") as refused:
        gates_from_json(value)
    assert expected in str(refused.value)
    assert refused.value.field.startswith("gate")


@pytest.mark.parametrize(
    ("low", "high", "status"), [(0.96, 0.99, "pass"), (0.9, 0.94, "fail"), (0.93, 0.97, "inconclusive")]
)
def test_an_interval_passes_fails_or_decides_nothing(low, high, status):
    verdict = gate_from_text("orbit_consistency=0.95").judge(
        low, (low + high) / 2, high, over="40 inputs", next_step="Submit more."
    )
    assert verdict.status == status
    assert "40 inputs" in verdict.reason
    assert "at least 0.95" in verdict.reason
    assert verdict.next_step == {"pass": None, "inconclusive": "Submit more."}.get(status, verdict.next_step)
    error = gate_from_text("relative_error=0.05").judge(1 - high, 0, 1 - low, over="40 inputs", next_step="")
    assert error.status == status


def test_several_demands_pass_only_together():
    passed, failed = Verdict("pass", "A."), Verdict("fail", "B.", "Mend B.")
    undecided = Verdict("inconclusive", "C.", "More C.")
    assert verdict_of([passed, passed]).status == "pass"
    assert verdict_of([passed, undecided, failed]) == failed
    assert verdict_of([passed, undecided]) == undecided
    assert verdict_of([failed, failed]) == Verdict("fail", "B. B.", "Mend B.")
