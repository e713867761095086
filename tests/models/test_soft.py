"""Soft regressors: projections against independent truths, exactness by construction, strengths, snapping."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch

from equiserve.errors import InvalidRequest
from equiserve.symmetry import SO2, SO3, equivariant_basis
from equiserve_models.soft import cosine_similarity, inertia, tables, walking
from equiserve_models.soft.candidates import Candidate, about, mirrors, of_space
from equiserve_models.soft.features import FeatureSpace, Summand, space
from equiserve_models.soft.methods import METHODS, predict
from equiserve_models.soft.network import PlainNetwork, TypedNetwork, Width
from equiserve_models.soft.projection import BlockLayout, project, quadratic_form
from equiserve_models.soft.snap import snap
from equiserve_models.soft.strengths import Strengths
from equiserve_models.soft.tasks import TASKS
from equiserve_models.soft.trial import Trial, equivariance_error

pytestmark = pytest.mark.torch

MIXED = FeatureSpace((Summand(2, 0), Summand(3, 1), Summand(2, 2), Summand(1, 1, degree=1)))
OUTPUT = space(scalars=2, vectors=2, matrices=1)
CANDIDATES = {
    "O3": of_space("O3"),
    "SO3": of_space("SO3"),
    "about z": about("z"),
    "about (1, 2, 0)": about("1,2,0", "SO2"),
    "mirrors": mirrors(),
    "scaling": Candidate(scaling=True),
    "both": Candidate(of_space("SO3").group, scaling=True),
}
SMALL = Width(6, 3, 2)


def dense_matrix(source: FeatureSpace, n: int, matrices: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """rho(g) of one element as a matrix, a column a moved unit vector."""
    unit = torch.eye(source.size)
    return source.move(unit, matrices[n].expand(source.size, 3, 3), factors[n].expand(source.size)).T


@pytest.mark.parametrize("name", CANDIDATES)
def test_projected_weights_commute_with_the_group_and_nothing_equivariant_is_lost(name: str) -> None:
    candidate = CANDIDATES[name]
    layout = BlockLayout([(MIXED, OUTPUT)])
    flat = torch.randn(layout.size, generator=torch.Generator().manual_seed(0))
    projectors = layout.projectors(candidate)
    nearest = project(flat, layout, projectors)
    weight = nearest[: OUTPUT.size * MIXED.size].unflatten(0, (OUTPUT.size, MIXED.size))
    bias = nearest[OUTPUT.size * MIXED.size :]
    matrices, factors = candidate.draw(5, seed=1)
    for n in range(5):
        rho_in, rho_out = (dense_matrix(s, n, matrices, factors) for s in (MIXED, OUTPUT))
        torch.testing.assert_close(rho_out @ weight, weight @ rho_in, atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(rho_out @ bias, bias, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(project(nearest, layout, projectors), nearest, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("group", "count"), [(of_space("O3"), 5), (about("z"), 30)])
def test_the_rank_of_the_projection_is_the_known_number_of_equivariant_maps(group: Candidate, count: int) -> None:
    layout = BlockLayout([(inertia.SOURCE, inertia.TARGET)])
    weights = inertia.TARGET.size * inertia.SOURCE.size
    columns = project(torch.eye(layout.size), layout, layout.projectors(group))[:weights, :weights]
    assert int(torch.linalg.matrix_rank(columns, atol=1e-4)) == count
    assert group.group is not None
    assert len(equivariant_basis("5*V**0 + 5*V", "V**2", group.group)) == count


def test_the_regulariser_is_the_sum_of_the_residuals_and_its_gradient_that_of_the_plain_formula() -> None:
    layout = BlockLayout([(MIXED, OUTPUT), (OUTPUT, inertia.TARGET)])
    candidates = [CANDIDATES["about z"], CANDIDATES["O3"], CANDIDATES["scaling"]]
    strengths = torch.tensor([[3.0, 0.5, 1.0], [0.0, 2.0, 4.0]])
    flat = torch.randn(2, layout.size, requires_grad=True)
    fused = quadratic_form(flat, layout, layout.complements(candidates, strengths))
    residuals = layout.residuals(flat.detach(), candidates)
    torch.testing.assert_close(fused, (strengths * residuals).sum(-1), atol=1e-3, rtol=1e-4)
    (gradient,) = torch.autograd.grad(fused.sum(), flat)
    plain = sum(
        strengths[:, k, None] * (flat - project(flat, layout, layout.projectors(candidate)))
        for k, candidate in enumerate(candidates)
    )
    torch.testing.assert_close(gradient, torch.as_tensor(plain), atol=1e-3, rtol=1e-4)


def test_blocks_survive_being_split_and_joined() -> None:
    layout = BlockLayout([(MIXED, OUTPUT), (OUTPUT, MIXED)])
    flat = torch.randn(3, layout.size)
    assert torch.equal(layout.join(layout.split(flat)), flat)


@pytest.mark.parametrize("name", ["O3", "about z", "mirrors", "both"])
def test_exact_networks_are_exact_whatever_their_weights(name: str) -> None:
    candidate = CANDIDATES[name]
    torch.manual_seed(2)
    network = TypedNetwork(MIXED, OUTPUT, SMALL, 2, 2, "exact", candidate)
    task = dataclasses.replace(TASKS["inertia-o3"], source=MIXED, target=OUTPUT)
    inputs = torch.randn(2, 64, MIXED.size)
    assert float(equivariance_error(network, task, inputs, candidate).max()) < 1e-5


def test_the_bilinear_and_gated_layer_is_equivariant_under_the_largest_group() -> None:
    network = TypedNetwork(MIXED, OUTPUT, SMALL, 1, None, "soft", CANDIDATES["O3"])
    prepared, features = SMALL.prepared, SMALL.features
    x = torch.randn(20, prepared.size)
    matrices, factors = CANDIDATES["O3"].draw(20, seed=0)
    of_moved = network._nonlinear(prepared.move(x, matrices, factors), None)
    torch.testing.assert_close(of_moved, features.move(network._nonlinear(x, None), matrices, factors))


def test_members_side_by_side_are_what_each_is_alone() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(3, 7, MIXED.size)
    for form in ("soft", "exact", "residual"):
        network = TypedNetwork(MIXED, OUTPUT, SMALL, 2, 3, form, CANDIDATES["about z"])
        together = network(inputs)
        for member in range(3):
            torch.testing.assert_close(network.member(member)(inputs[member]), together[member])
    assert PlainNetwork(MIXED, OUTPUT, 16, 2, 3)(inputs).shape == (3, 7, OUTPUT.size)


def test_moving_features_is_moving_the_tensors() -> None:
    masses, positions = inertia.draw(10, 0)
    matrices, factors = of_space("O3").draw(10, 1)
    moved = inertia.features(masses, torch.einsum("nij,npj->npi", matrices, positions))
    torch.testing.assert_close(inertia.SOURCE.move(inertia.features(masses, positions), matrices, factors), moved)


def test_the_inertia_tensor_is_that_of_the_textbook() -> None:
    masses, positions = inertia.draw(4, 3)
    found = inertia.truth(inertia.features(masses, positions), (0.0, 0.0, -1.0)).unflatten(-1, (3, 3)).numpy()
    for n in range(4):
        expected = np.zeros((3, 3))
        for mass, r in zip(masses[n].numpy(), positions[n].numpy(), strict=True):
            expected += mass * (r @ r * np.eye(3) - np.outer(r, r))
        expected[:, 2] = 0.0  # J + a (J e) e^T with a = -1
        np.testing.assert_allclose(found[n], expected, atol=1e-4)


@pytest.mark.parametrize("name", ["inertia-o3", "inertia-o2z", "inertia-axes", "cosine-both", "cosine-scale"])
def test_the_truth_has_exactly_the_symmetry_that_the_task_claims(name: str) -> None:
    task = TASKS[name]
    source, _ = task.draw("test", (0,))
    assert task.truth is not None
    assert float(equivariance_error(task.truth, task, source, task.true)) < 1e-5
    if task.true.name != task.largest.name:
        assert float(equivariance_error(task.truth, task, source, task.largest)) > 0.02


def test_forward_kinematics_keeps_bones_and_turns_with_the_root() -> None:
    rng = np.random.default_rng(0)
    quaternions = (32767 * rng.normal(size=(3, 4, 4)) / 4).astype(np.int16)
    offsets, parents = rng.normal(size=(4, 3)).astype(np.float32), np.array([-1, 0, 1, 1], np.int16)
    joints = walking.forward_kinematics(np.zeros((3, 3), np.float32), quaternions, offsets, parents)
    lengths = np.linalg.norm(joints[:, 1:] - joints[:, parents[1:]], axis=-1)
    np.testing.assert_allclose(lengths, np.broadcast_to(np.linalg.norm(offsets[1:], axis=-1), (3, 3)), rtol=1e-4)
    np.testing.assert_array_equal(joints[:, 0], 0.0)


def test_walking_features_and_what_carries_on_move_with_the_poses() -> None:
    past = torch.randn(6, walking.PAST, walking.JOINTS, 3)
    future = torch.randn(6, walking.JOINTS, 3)
    matrices, factors = of_space("O3").draw(6, 1)
    moved = torch.einsum("nij,n...j->n...i", matrices, past), torch.einsum("nij,npj->npi", matrices, future)
    torch.testing.assert_close(
        walking.features(moved[0]), walking.SOURCE.move(walking.features(past), matrices, factors), atol=1e-4, rtol=1e-4
    )
    torch.testing.assert_close(
        walking.displacement(*moved),
        walking.TARGET.move(walking.displacement(past, future), matrices, factors),
        atol=1e-4,
        rtol=1e-4,
    )
    carried = walking.carried_on(walking.features(past))
    steady = past[:, -1] + walking.HORIZON * (past[:, -1, :1] - past[:, 0, :1]) / (walking.PAST - 1)
    torch.testing.assert_close(carried, walking.displacement(past, steady), atol=1e-4, rtol=1e-4)


def test_directions_of_vectors_stay_under_scaling() -> None:
    vectors = cosine_similarity.draw(5, 0)
    features = cosine_similarity.features(vectors)
    scaled = cosine_similarity.features(2 * vectors)
    expected = cosine_similarity.SOURCE.move(features, torch.eye(3).expand(5, 3, 3), torch.full((5,), 2.0))
    torch.testing.assert_close(scaled, expected)


def test_a_candidate_that_does_not_act_on_the_space_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="2 coordinates"):
        Candidate(SO2())
    with pytest.raises(InvalidRequest, match="moves none"):
        Candidate(scaling=True).fits(inertia.SOURCE, inertia.TARGET)
    Candidate(SO3()).fits(inertia.SOURCE, inertia.TARGET)


def test_the_event_keeps_the_least_violated_candidate_and_shrinks_the_others() -> None:
    task = TASKS["inertia-o2z"]
    network = TypedNetwork(task.source, task.target, SMALL, 1, 2, "exact", about("z"))
    soft = TypedNetwork(task.source, task.target, SMALL, 1, 2, "soft", about("z"))
    with torch.no_grad():
        soft.weights.copy_(network.effective() + 1e-3 * torch.randn_like(soft.weights))
    strengths = Strengths(soft, task, event=10, members=2)
    for epoch in range(1, 11):
        strengths.after_epoch(soft, epoch)
    names = list(task.candidates)
    kept = strengths.values[:, names.index("O2 about z")]
    assert torch.equal(kept, torch.full((2,), task.strength))
    assert (strengths.values[:, : names.index("O2 about z")] < 0.5 * task.strength).all()
    again = Strengths(soft, task, event=10, members=2)
    again.restore(strengths.state())
    assert all(torch.equal(a, b) for a, b in zip(again.matrices, strengths.matrices, strict=True))


def test_weighed_by_errors_what_holds_is_enforced_and_what_does_not_is_let_go_at_two_events() -> None:
    task = dataclasses.replace(TASKS["cosine-none"], enforced=2.0, enforced_power=2.0)
    network = TypedNetwork(task.source, task.target, SMALL, 1, 2, "soft", task.largest)
    measured = torch.tensor([[0.005, 0.1], [0.04, 0.02]])
    strengths = Strengths(network, task, event=10, members=2, errors=lambda _: measured)
    torch.testing.assert_close(strengths.values, torch.full((2, 2), 0.02))
    for epoch in range(1, 11):
        strengths.after_epoch(network, epoch)
    torch.testing.assert_close(strengths.values, torch.tensor([[2.0, 0.02], [0.125, 0.5]]))
    measured = measured.flip(-1)
    for epoch in range(11, 21):
        strengths.after_epoch(network, epoch)
    torch.testing.assert_close(strengths.values, torch.tensor([[0.02, 2.0], [0.5, 0.125]]))
    for epoch in range(21, 41):
        strengths.after_epoch(network, epoch)
    torch.testing.assert_close(strengths.values, torch.tensor([[0.02, 2.0], [0.5, 0.125]]))


def test_snapping_to_what_was_found_is_free_and_to_what_was_not_is_refused_with_the_reason() -> None:
    torch.manual_seed(5)
    task = TASKS["inertia-o2z"]
    found = TypedNetwork(task.source, task.target, SMALL, 2, None, "exact", about("z"))
    network = TypedNetwork(task.source, task.target, SMALL, 2, None, "soft", about("z"))
    with torch.no_grad():
        network.weights.copy_(found.effective())

    def draw(split: str, seeds: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        source = inertia.features(*inertia.draw(200, 1))[None]
        target = network(source).detach()
        return source, target + 0.05 * target.std() * torch.randn_like(target)

    task = dataclasses.replace(task, draw=draw)
    exact = snap(network, task, about("z"), seed=0)
    source, _ = draw("test", (0,))
    assert float(equivariance_error(lambda x: predict(exact, task, x), task, source, about("z"))) < 1e-5
    for wrong in (about("x"), of_space("O3")):
        with pytest.raises(InvalidRequest, match="raises the validation error from") as raised:
            snap(network, task, wrong, seed=0)
        assert raised.value.code == "snap_costs_too_much"
        assert snap(network, task, wrong, seed=0, force=True).swish.abs().max() == 0


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Any]]]:
    """The tables in a minute: two seeds of two methods on the task whose vertical symmetry is the only one."""
    runs = tmp_path_factory.mktemp("soft")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, "inertia-o2z", dataclasses.replace(TASKS["inertia-o2z"], width=Width(16, 6, 3)))
        for method in ("soft", "plain"):
            result = Trial("inertia-o2z", method, (0, 1), epochs=100).run(runs)
            assert result is not None
            found[method] = result
    return runs, found


def test_the_strengths_order_the_candidates_rightly_in_every_seed(minute: Any) -> None:
    strengths = minute[1]["soft"]["strengths"]
    for member in range(2):
        right = strengths["O2 about z"][member]
        assert right > strengths["O2 about x"][member]
        assert right > strengths["O2 about y"][member]


def test_the_soft_network_is_closest_to_the_true_axis_and_closer_than_the_plain_one(minute: Any) -> None:
    soft, plain = minute[1]["soft"], minute[1]["plain"]
    assert max(soft["equivariance"]["O2 about z"]) < min(plain["equivariance"]["O2 about z"])
    assert max(soft["snapped"]["O2 about z"]["equivariance"]["O2 about z"]) < 1e-5


def test_a_trial_that_is_done_is_not_run_again_and_its_table_is_printed(minute: Any) -> None:
    runs, _ = minute
    said: list[str] = []
    assert tables.run([Trial("inertia-o2z", "soft", (0, 1), 100)], runs, 0.0, said.append)
    assert said == ["[1/1] inertia-o2z-soft: done"]
    text = tables.tables(runs)
    assert text.startswith("### inertia, a = 0.3 along z: O(2) about z holds")
    assert "| soft | " in text


def test_every_trial_of_the_tables_names_a_task_and_a_method() -> None:
    for trial in tables.trials():
        assert trial.task in TASKS
        assert trial.method in METHODS
        assert trial.seeds == (0, 1, 2)
