"""The body network's laws: what turning, moving and shuffling a cloud does to its answers, exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

pytest.importorskip("torch", reason="the train extra is not installed")

import torch

from equiserve.numerics.body_model import bundled_body
from equiserve.numerics.point_ordering import farthest_point_order
from equiserve.numerics.rotation_averaging import nearest_rotation as nearest_by_svd
from equiserve.numerics.skinning import global_rotations, skin
from equiserve_models.body import harmonics, icosahedron
from equiserve_models.body.layers import DirectionConvolution, SurfaceMoments
from equiserve_models.body.network import CONFIGS, BodyNetwork
from equiserve_models.body.rotation_average import nearest_rotation
from equiserve_models.body.sample_clouds import sample_clouds
from equiserve_models.body.skeleton import PartCentres, Skeleton, part_shares, skinned

seeds = st.integers(0, 2**32 - 1)
ROTATIONS = torch.tensor(icosahedron.rotations())


@pytest.fixture(scope="module")
def network() -> BodyNetwork:
    """The default network on small levels, random weights, float64."""
    torch.manual_seed(0)
    return BodyNetwork(replace(CONFIGS["body2048"], points=(96, 40, 16), labelled=128)).double().eval()


@pytest.fixture(scope="module")
def cloud() -> torch.Tensor:
    return torch.from_numpy(sample_clouds(1, 400, seed=3)).double()


@torch.no_grad()
def answers(network: BodyNetwork, clouds: torch.Tensor) -> list[torch.Tensor]:
    return list(network(clouds))


def test_twelve_directions_carry_nine_harmonics_exactly() -> None:
    values = harmonics.harmonics(icosahedron.directions())
    np.testing.assert_allclose(values.T @ values / 12, np.eye(9), atol=1e-12)


@settings(deadline=None, max_examples=10)
@given(seeds)
def test_couplings_turn_with_every_rotation(seed: int) -> None:
    """C(D u, D v) = D C(u, v) for every path, those that tell left from right among them."""
    rng = np.random.default_rng(seed)
    turn = Rotation.random(random_state=rng).as_matrix()
    for result in harmonics.DEGREES:
        for part, degree in harmonics.paths(result):
            kernel = harmonics.KERNEL_DEGREES[part]
            u, v = rng.normal(size=2 * kernel + 1), rng.normal(size=2 * degree + 1)
            table = harmonics.coupling(kernel, degree, result)
            turned = np.einsum(
                "a,b,abc->c", harmonics.wigner(turn, kernel) @ u, harmonics.wigner(turn, degree) @ v, table
            )
            expected = harmonics.wigner(turn, result) @ np.einsum("a,b,abc->c", u, v, table)
            np.testing.assert_allclose(turned, expected, atol=1e-9)


def test_two_vectors_couple_to_their_cross_product() -> None:
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=(2, 3))
    coupled = np.einsum("a,b,abc->c", u, v, harmonics.coupling(1, 1, 1))
    cross = np.cross(u, v)
    assert abs(coupled @ cross) == pytest.approx(np.linalg.norm(coupled) * np.linalg.norm(cross))


def test_rotations_are_the_sixty_directed_edges() -> None:
    starts, ends = icosahedron.directed_edges()
    assert len(set(zip(starts.tolist(), ends.tolist(), strict=True))) == 60
    cosines = (icosahedron.directions()[starts] * icosahedron.directions()[ends]).sum(1)
    np.testing.assert_allclose(cosines, 1 / np.sqrt(5), atol=1e-12)


@settings(deadline=None, max_examples=10)
@given(seeds, st.booleans())
def test_a_convolution_of_smooth_features_turns_with_every_rotation(seed: int, gathered: bool) -> None:
    """Not only with the sixty: features of degree 2 lose nothing on twelve directions."""
    torch.manual_seed(seed % 1000)
    layer = DirectionConvolution(3, 4, radius=0.5).double()
    coefficients, points = torch.randn(1, 20, 9, 3).double(), torch.randn(1, 20, 3).double() * 0.3
    turn = Rotation.random(random_state=np.random.default_rng(seed)).as_matrix()
    wigner = torch.block_diag(*(torch.from_numpy(harmonics.wigner(turn, degree)) for degree in harmonics.DEGREES))
    index = torch.arange(5).expand(1, 7, 5).contiguous() if gathered else None
    plain = layer.analysis @ (layer(layer.synthesis @ coefficients, points, points[:, :7], index) - layer.bias)
    turned = points @ torch.from_numpy(turn).T
    found = layer(layer.synthesis @ (wigner @ coefficients), turned, turned[:, :7], index) - layer.bias
    torch.testing.assert_close(layer.analysis @ found, wigner @ plain, atol=1e-5, rtol=0)


@settings(deadline=None, max_examples=20)
@given(seeds)
def test_surface_moments_turn_with_every_rotation(seed: int) -> None:
    """The moment along a turned direction of a turned cloud is the same: for all rotations, not only sixty."""
    rng = np.random.default_rng(seed)
    layer = SurfaceMoments(2, radius=0.4, neighbours=12).double()
    points = torch.from_numpy(rng.normal(0, 0.3, (1, 40, 3)))
    turn = torch.from_numpy(Rotation.random(random_state=rng).as_matrix())
    plain = layer.moments(points, points[:, :5])
    layer.axes = turn.to(layer.axes) @ layer.axes
    torch.testing.assert_close(layer.moments(points @ turn.T, points[:, :5] @ turn.T), plain, atol=1e-5, rtol=0)


@settings(deadline=None, max_examples=20)
@given(seeds)
def test_the_rotation_average_is_the_projection_by_singular_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rotations = Rotation.random(6, random_state=rng).as_matrix()
    # Away from ties: there two rotations are almost equally near.
    matrices = rotations @ (np.eye(3) + rng.uniform(-0.25, 0.25, (6, 3, 3))) * rng.uniform(0.1, 3)
    matrices[0] = rotations[0] @ np.diag([1.0, 0.9, -0.3])  # determinant below 0
    found = nearest_rotation(torch.from_numpy(matrices)).numpy()
    np.testing.assert_allclose(found, nearest_by_svd(matrices), atol=1e-6)


def test_skinning_in_torch_is_that_of_the_server() -> None:
    body, rng = bundled_body(), np.random.default_rng(0)
    local = Rotation.from_rotvec(rng.normal(0, 0.5, (2 * 24, 3))).as_matrix().reshape(2, 24, 3, 3)
    rotations, betas = global_rotations(local), rng.normal(size=(2, 10))
    vertices, joints = skin(body, rotations, betas, np.zeros((2, 3)))
    turns, shape = torch.tensor(rotations, dtype=torch.float32), torch.tensor(betas, dtype=torch.float32)
    found, parts = Skeleton(body)(turns, shape)
    np.testing.assert_allclose(found, joints, atol=1e-6)
    surface = skinned(
        torch.tensor(body.template, dtype=torch.float32),
        torch.tensor(body.shape_directions, dtype=torch.float32).reshape(-1, 10),
        torch.tensor(body.weights, dtype=torch.float32),
        shape,
        parts,
    )
    np.testing.assert_allclose(surface, vertices, atol=1e-6)
    centres = PartCentres(body)(turns, shape, parts)
    np.testing.assert_allclose(centres, np.einsum("jv,bvc->bjc", part_shares(body), vertices), atol=1e-6)


def test_all_sixty_rotations_turn_the_parts_and_nothing_else(network: BodyNetwork, cloud: torch.Tensor) -> None:
    rotations, betas, translation, probabilities, mass = answers(network, cloud)
    turned = answers(network, cloud @ ROTATIONS.transpose(1, 2))
    torch.testing.assert_close(turned[0], ROTATIONS[:, None] @ rotations, atol=1e-5, rtol=0)
    torch.testing.assert_close(turned[2], (ROTATIONS @ translation[0, :, None])[..., 0], atol=1e-6, rtol=0)
    for got, wanted in ((turned[1], betas), (turned[3], probabilities), (turned[4], mass)):
        torch.testing.assert_close(got, wanted.expand_as(got), atol=1e-6, rtol=0)


@pytest.mark.parametrize("shift", [(0.3, -0.2, 0.1), (-100.0, 3.0, 40.0)])
def test_a_translation_moves_the_position_and_nothing_else(
    network: BodyNetwork, cloud: torch.Tensor, shift: tuple[float, float, float]
) -> None:
    plain = answers(network, cloud)
    moved = answers(network, cloud + torch.tensor(shift, dtype=torch.float64))
    plain[2] = plain[2] + torch.tensor(shift, dtype=torch.float64)
    for got, wanted in zip(moved, plain, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-7, rtol=0)


def test_the_order_in_which_points_come_is_forgotten(network: BodyNetwork, cloud: torch.Tensor) -> None:
    shuffled = cloud[0].numpy()[np.random.default_rng(0).permutation(400)]
    ordered = shuffled[farthest_point_order(shuffled, 128)]
    for got, wanted in zip(answers(network, torch.from_numpy(ordered)[None]), answers(network, cloud), strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-6, rtol=0)


def test_a_rotation_between_group_elements_is_only_learned(network: BodyNetwork, cloud: torch.Tensor) -> None:
    between = torch.from_numpy(Rotation.from_rotvec([0.0, np.radians(36), 0.0]).as_matrix())
    plain, turned = answers(network, cloud), answers(network, cloud @ between.T)
    assert float((turned[0] - between @ plain[0]).abs().max()) > 1e-2


def test_left_and_right_are_told_apart(network: BodyNetwork, cloud: torch.Tensor) -> None:
    # Mirror images are not in the group: a network that could not see them would exchange left and right at random.
    mirrored = answers(network, cloud * torch.tensor([-1.0, 1.0, 1.0]).double())
    assert float((mirrored[1] - answers(network, cloud)[1]).abs().max()) > 1e-6


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_the_published_sizes_stay_within_1_3_million_parameters(name: str) -> None:
    network = BodyNetwork(CONFIGS[name])
    assert sum(parameter.numel() for parameter in network.parameters()) <= 1_300_000
    assert CONFIGS[name].points[0] <= CONFIGS[name].labelled <= CONFIGS[name].samples
