"""Verdicts on orbits whose truth is known: the models here are three lines each."""

import numpy as np
import pytest

from equiserve.symmetry import SO2, CropShift, Cyclic, CyclicShift, Orbit, OrbitOutputs, Shift, Thresholds, judge

NAMES = ["coat", "shirt", "boot"]
PICTURE = np.random.default_rng(0).integers(0, 256, (1, 8, 8), np.uint8)
SHIFTS = CyclicShift(8, 8)


def always(label, n, share=0.9):
    p = np.full((n, 3), (1 - share) / 2)
    p[:, label] = share
    return p


def verdict(level, probabilities, group=SHIFTS, picture=PICTURE, *, logits=None, elements=None, **options):
    orbit = Orbit.of(picture, group, elements=elements)
    changed = np.concatenate([chunk.changed for chunk in orbit.chunks(100)])
    outputs = OrbitOutputs(probabilities if logits is None else logits, probabilities)
    return judge(
        level,
        group=group,
        elements=orbit.elements,
        exact=orbit.exact,
        changed=changed,
        outputs=outputs,
        class_names=NAMES,
        **options,
    )


def place(element, group=SHIFTS):
    return group.elements().index(element)


@pytest.mark.parametrize("level", ["exact", "approximate", "none"])
def test_a_consistent_model_passes_whatever_it_says(level):
    # Consistency is not correctness: no label enters.
    result = verdict(level, always(2, 64))
    assert result.status == "pass"
    assert "'boot'" in result.reason
    assert result.next_step is None


@pytest.mark.parametrize("level", ["exact", "approximate", "none"])
def test_a_picture_that_the_group_does_not_change_is_not_informative(level):
    for picture in (np.zeros((1, 8, 8), np.uint8), np.full((1, 8, 8), 9, np.uint8)):
        result = verdict(level, always(0, 64), picture=picture)
        assert result.status == "not_informative"
        assert "changes this input" in result.reason


def test_one_changed_decision_refutes_an_exact_declaration_and_is_told_in_words():
    p = always(0, 64)
    p[place(Shift(5, 3))] = [0.1, 0.8, 0.1]
    result = verdict("exact", p)
    assert result.status == "fail"
    assert result.reason == "The answer changes from 'coat' to 'shirt' under a circular shift by 3 right, 3 up."


def test_the_worst_of_several_changed_decisions_is_named():
    p = always(0, 64)
    p[place(Shift(1, 0))] = [0.45, 0.5, 0.05]
    p[place(Shift(0, 2))] = [0.0, 0.0, 1.0]
    p[place(Shift(3, 0))] = [0.4, 0.6, 0.0]
    result = verdict("exact", p)
    assert result.reason == (
        "The answer changes from 'coat' to 'boot' under a circular shift by 2 right, and on 2 more of 64 elements."
    )


@pytest.mark.parametrize(("size", "status"), [(1e-7, "pass"), (1e-3, "fail")])
def test_exact_outputs_must_agree_to_rounding_even_where_the_decision_stays(size, status):
    logits = np.tile([5.0, 1.0, -2.0], (64, 1))
    logits[place(Shift(0, 1)), 0] += 5 * size
    result = verdict("exact", always(0, 64), logits=logits)
    assert result.status == status
    if status == "fail":
        assert "a circular shift by 1 right" in result.reason


def test_half_precision_is_given_its_own_tolerance():
    logits = np.tile([5.0, 1.0, -2.0], (64, 1))
    logits[place(Shift(0, 1)), 0] += 0.01
    assert verdict("exact", always(0, 64), logits=logits, thresholds=Thresholds.for_dtype("float16")).status == "pass"
    assert verdict("exact", always(0, 64), logits=logits, thresholds=Thresholds.for_dtype("float32")).status == "fail"


def test_an_exact_claim_is_not_refuted_by_resampled_elements_but_they_are_reported():
    p = always(0, 72)
    p[1:9] = [0.1, 0.8, 0.1]  # 5 to 40 degrees
    result = verdict("exact", p, SO2())
    assert result.status == "pass"
    assert "of the 68 others, which are not exact, 88.2 % give it too" in result.reason
    p[18] = [0.1, 0.8, 0.1]  # 90 degrees
    result = verdict("exact", p, SO2())
    assert result.status == "fail"
    assert "a rotation by 90 degrees counter-clockwise." in result.reason


def test_an_exact_claim_cannot_be_decided_without_exact_elements():
    result = verdict("exact", always(0, 25), CropShift(2))
    assert result.status == "inconclusive"
    assert "C4" in result.next_step


@pytest.mark.parametrize("level", ["exact", "approximate", "none"])
def test_outputs_that_are_not_finite_fail_and_are_said_to_be(level):
    p = always(0, 64)
    p[place(Shift(0, 1))] = np.nan
    result = verdict(level, p)
    assert result.status == "fail"
    assert "not finite" in result.reason
    assert "a circular shift by 1 right" in result.reason
    p[0] = np.inf
    assert "on the input itself, and on 1 more of 64 elements" in verdict(level, p).reason


@pytest.mark.parametrize(("changed", "status"), [(3, "pass"), (4, "fail")])
def test_an_approximate_claim_is_held_to_its_share_of_the_orbit(changed, status):
    p = np.tile([0.34, 0.33, 0.33], (64, 1))
    p[1 : 1 + changed] = [0.33, 0.34, 0.33]
    result = verdict("approximate", p)
    assert result.status == status
    assert f"'coat' on {95.3 if changed == 3 else 93.7} % of 64 elements" in result.reason


def test_an_approximate_claim_is_held_to_its_divergence():
    p = always(0, 64, 0.99)
    p[1::2] = [0.5, 0.25, 0.25]
    result = verdict("approximate", p)
    assert result.status == "fail"
    assert "bits" in result.reason


def test_random_elements_that_do_not_decide_are_inconclusive_and_say_how_many_would():
    few = verdict("approximate", always(0, 21), SO2(), elements=SO2().grid(21), sampled=True)
    assert few.status == "inconclusive"
    assert few.next_step == "Draw at least 59 random elements."
    enough = verdict("approximate", always(0, 60), SO2(), elements=SO2().grid(60), sampled=True)
    assert enough.status == "pass"
    assert "certifies 95 % of the group at 95 % confidence" in enough.reason


def test_a_changed_answer_is_a_failure_even_where_nothing_is_declared():
    p = always(0, 64)
    p[place(Shift(0, 7))] = [0.1, 0.1, 0.8]
    result = verdict("none", p)
    assert result.status == "fail"
    assert "from 'coat' to 'boot' under a circular shift by 1 left; the model declares no symmetry" in result.reason


def test_outputs_that_are_no_distribution_are_judged_by_their_error():
    values = np.tile([1.0, 2.0, 3.0], (4, 1))
    assert verdict("exact", None, Cyclic(4), logits=values).status == "pass"
    values[2] += 1
    result = verdict("exact", None, Cyclic(4), logits=values)
    assert result.status == "fail"
    assert "a rotation by 180 degrees" in result.reason
    assert verdict("approximate", None, Cyclic(4), logits=values).status == "inconclusive"


def noisy(size, n=64, seed=0):
    """Return n outputs whose mean relative error against the first is about ``size``."""
    rng = np.random.default_rng(seed)
    outputs = np.tile(np.linspace(1, 2, 50), (n, 1))
    outputs[1:] *= 1 + 2 * size * rng.choice([-1, 1], (n - 1, 50)) * rng.uniform(0.5, 1.5, (n - 1, 1))
    return outputs


@pytest.mark.parametrize(
    ("size", "status", "words"),
    [
        (0.1, "pass", "declared is 0.1, and 10% more"),
        (0.2, "fail", "It is largest under"),
        (0.002, "pass", "more symm"),
    ],
)
def test_a_declared_error_holds_is_violated_or_is_better_than_declared(size, status, words):
    result = verdict("approximate", None, logits=noisy(size), thresholds=Thresholds(error_level=0.1))
    assert result.status == status
    assert words in result.reason
    assert (result.next_step is None) == (size == 0.1)
    if size == 0.002:
        assert "snap" in result.next_step


def test_a_declared_error_that_few_elements_of_a_continuous_group_cannot_decide_asks_for_more():
    few = verdict("approximate", None, SO2(), logits=noisy(0.1, 9), elements=9, thresholds=Thresholds(error_level=0.1))
    assert few.status == "inconclusive"
    assert few.next_step == "Raise the number of elements, to 16 or more."
    many = verdict(
        "approximate", None, SO2(), logits=noisy(0.1, 200), elements=200, thresholds=Thresholds(error_level=0.1)
    )
    assert many.status == "pass"
    assert "95 % confidence" in many.reason


@pytest.mark.parametrize(("floor", "status"), [(0.0, "fail"), (1e-4, "pass")])
def test_an_exact_claim_is_given_ten_times_the_noise_floor(floor, status):
    values = np.tile([1.0, 2.0, 3.0], (4, 1))
    values[2] *= 1.001
    thresholds = Thresholds(noise_floor=floor)
    assert verdict("exact", None, Cyclic(4), logits=values, thresholds=thresholds).status == status


def test_a_flow_that_is_not_turned_and_maps_that_move_fail_an_exact_claim():
    orbit = Orbit.of(PICTURE, Cyclic(4))
    everything = {"group": Cyclic(4), "elements": orbit.elements, "exact": orbit.exact, "changed": orbit.exact}
    flow = np.ones((4, 2, 3, 3))
    assert judge("exact", **everything, outputs=OrbitOutputs(flow, kind="flow")).status == "pass"
    flow[1, 0] = -1
    assert judge("exact", **everything, outputs=OrbitOutputs(flow, kind="flow")).status == "fail"
    maps = np.zeros((4, 3, 3), np.int64)
    assert judge("exact", **everything, outputs=OrbitOutputs(maps, kind="segmentation")).status == "pass"
    maps[3, 0, 0] = 2
    result = judge("exact", **everything, outputs=OrbitOutputs(maps, kind="segmentation"))
    assert result.status == "fail"
    assert "a rotation by 90 degrees clockwise" in result.reason


def test_a_verdict_is_json_and_classes_without_names_are_numbered():
    outputs = OrbitOutputs(always(1, 2), always(1, 2))
    flags = np.array([True, True])
    result = judge(
        "none", group=SHIFTS, elements=[Shift(0, 0), Shift(0, 1)], exact=flags, changed=~flags | flags, outputs=outputs
    )
    assert result.to_json()["status"] == "pass"
    assert "class 1" in result.to_json()["reason"]
