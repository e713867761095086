"""Representations: parsing, laws, e3nn's numbers, and the counts of equivariant maps that are known."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import block_diag

from equiserve.errors import InvalidRequest
from equiserve.symmetry import (
    O3,
    SE3,
    SO2,
    SO3,
    Icosahedral,
    MatrixGroup,
    Representation,
    Rotation3D,
    Scale,
    Scaling,
    Translations,
    equivariant_basis,
    group_from_spec,
)
from equiserve.symmetry.representations.wigner import spherical_harmonics, wigner_d

E3NN = json.loads((Path(__file__).parent / "e3nn_wigner.json").read_text())
SO2_Z, O2_Z = group_from_spec("SO2 about z"), group_from_spec("O2 about z")
LORENTZ = MatrixGroup(lie=[[[0, 1], [1, 0]]])
REPS = ["V", "V**2", "V.T", "5*V**0 + V", "V*V.T", "2*(V + V**0)*V", {"irreps": "1x0e+2x1o"}, {"irreps": "3e + 2x2o"}]


def elements(group, seed, count):
    return group.sample(np.random.default_rng(seed), count)


@given(st.sampled_from(REPS), st.sampled_from([SO3(), O3(), SO2_Z, Icosahedral(), SE3()]), st.integers(0, 999))
def test_every_representation_is_a_homomorphism(rep, group, seed):
    rho = Representation.of(rep, group)
    g, h = elements(group, seed, 2)
    np.testing.assert_allclose(rho.matrix(group.compose(g, h)), rho.matrix(g) @ rho.matrix(h), atol=1e-7)
    np.testing.assert_allclose(rho.matrix(group.identity), np.eye(rho.dim), atol=1e-12)


@given(st.sampled_from(["V", "V.T", "V*V.T", "V**2"]), st.integers(0, 999))
def test_duals_are_told_apart_where_matrices_are_not_orthogonal(rep, seed):
    rho = Representation.of(rep, LORENTZ)
    g, h = elements(LORENTZ, seed, 2)
    product = rho.matrix(g) @ rho.matrix(h)
    np.testing.assert_allclose(rho.matrix(LORENTZ.compose(g, h)), product, rtol=1e-6, atol=1e-6 * np.abs(product).max())
    # The pairing of V.T with V is invariant.
    a, b = Representation.of("V.T", LORENTZ).matrix(g), Representation.of("V", LORENTZ).matrix(g)
    np.testing.assert_allclose(a.T @ b, np.eye(2), atol=1e-6)


def test_powers_are_tensors_in_row_major_order():
    g = elements(SO3(), 0, 1)[0]
    r = g.matrix()
    tensor = np.random.default_rng(0).normal(size=(3, 3))
    moved = Representation.of("V**2", SO3()).matrix(g) @ tensor.reshape(-1)
    np.testing.assert_allclose(moved.reshape(3, 3), r @ tensor @ r.T, atol=1e-12)
    expected = block_diag(*[np.eye(1)] * 5, r)
    np.testing.assert_allclose(Representation.of("5*V**0+V", SO3()).matrix(g), expected, atol=1e-12)


def test_irreps_are_those_of_e3nn():
    g = Rotation3D(tuple(E3NN["quaternion"]))
    for degree in range(5):
        ours = Representation.of({"irreps": f"{degree}e"}, O3()).matrix(g)
        np.testing.assert_allclose(ours, E3NN["matrices"][f"{degree}e"], atol=1e-10)
    for text, expected in E3NN["inverted"].items():
        inverted = Rotation3D(g.quaternion, inverted=True)
        np.testing.assert_allclose(Representation.of({"irreps": text}, O3()).matrix(inverted), expected, atol=1e-10)


def test_polar_vectors_follow_the_matrix_and_axial_ones_its_rotation():
    g = Rotation3D(elements(SO3(), 3, 1)[0].quaternion, inverted=True)
    np.testing.assert_allclose(Representation.of({"irreps": "1o"}, O3()).matrix(g), g.matrix(), atol=1e-12)
    np.testing.assert_allclose(Representation.of({"irreps": "1e"}, O3()).matrix(g), -g.matrix(), atol=1e-12)


@pytest.mark.parametrize("degree", range(7))
def test_wigner_matrices_are_orthogonal_and_of_the_right_character(degree):
    for g in elements(SO3(), degree, 5):
        matrix = wigner_d(degree, g.matrix())
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(2 * degree + 1), atol=1e-11)
        half = np.deg2rad(SO3().distance(g, SO3().identity)) / 2
        assert np.trace(matrix) == pytest.approx(np.sin((2 * degree + 1) * half) / np.sin(half), abs=1e-9)


def test_degree_two_is_the_traceless_symmetric_tensor():
    # x_i x_j - trace, contracted with a fixed basis, transforms as the harmonics of degree two do.
    points = np.random.default_rng(0).normal(size=(20, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    x, y, z = points.T
    closed = np.stack([x * z, x * y, (2 * y**2 - x**2 - z**2) / (2 * 3**0.5), y * z, (z**2 - x**2) / 2], axis=1)
    np.testing.assert_allclose(spherical_harmonics(2, points), closed * 3**0.5, atol=1e-12)


COUNTS = [
    (O3(), [[1, 0, 1], [0, 1, 0], [1, 0, 3]]),
    (O2_Z, [[1, 1, 2], [1, 2, 4], [2, 4, 10]]),
    (group_from_spec("O2 about x"), [[1, 1, 2], [1, 2, 4], [2, 4, 10]]),
    (SO3(), [[1, 0, 1], [0, 1, 1], [1, 1, 3]]),
    (Icosahedral(), [[1, 0, 1], [0, 1, 1], [1, 1, 3]]),
    (Icosahedral(inversion=True), [[1, 0, 1], [0, 1, 0], [1, 0, 3]]),
    (SO2_Z, [[1, 1, 3], [1, 3, 7], [3, 7, 19]]),
    (MatrixGroup(lie=np.array([[[0, -7, 0], [7, 0, 0], [0, 0, 0]]]).tolist()), [[1, 1, 3], [1, 3, 7], [3, 7, 19]]),
    (Scaling(0.5, 2), [[1, 0, 0], [0, 9, 0], [0, 0, 81]]),
    (Translations(3), [[1, 3, 9], [3, 9, 27], [9, 27, 81]]),
]


@pytest.mark.parametrize(("group", "counts"), COUNTS, ids=lambda value: getattr(value, "name", ""))
def test_the_number_of_equivariant_maps_between_tensors_is_the_known_one(group, counts):
    found = [[len(equivariant_basis(f"V**{a}", f"V**{b}", group)) for b in range(3)] for a in range(3)]
    assert found == counts


def test_five_masses_and_positions_have_five_maps_to_an_inertia_tensor():
    assert len(equivariant_basis("5*V**0 + 5*V", "V**2", O3())) == 5


@pytest.mark.parametrize(
    ("rep_in", "rep_out", "group"),
    [
        ("2*V**0 + V", "V**2 + V", O2_Z),
        ("V", {"irreps": "1o+1e"}, SO3()),
        ({"irreps": "2x0e+1x2e"}, "V**2", O3()),
        ("V**2", "V*V.T", LORENTZ),
        ("V", "V**2", group_from_spec("C3")),
    ],
)
def test_the_basis_is_orthonormal_commutes_and_is_complete(rep_in, rep_out, group):
    basis = equivariant_basis(rep_in, rep_out, group)
    rho_in, rho_out = Representation.of(rep_in, group), Representation.of(rep_out, group)
    flat = basis.reshape(len(basis), -1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(len(basis)), atol=1e-10)
    characters = []
    for g in elements(group, 0, 20) if group.order is None else group.elements():
        size = np.abs(rho_out.matrix(g)).max() * np.abs(rho_in.matrix(g)).max()
        np.testing.assert_allclose(rho_out.matrix(g) @ basis, basis @ rho_in.matrix(g), atol=1e-9 * size)
        characters.append(np.trace(rho_out.matrix(g)) * np.trace(np.linalg.inv(rho_in.matrix(g))))
    if group.order is not None:
        # Of a finite group: the dimension is the mean of the product of the characters.
        assert len(basis) == round(float(np.mean(characters)))


def test_a_rank_two_tensor_is_a_sum_of_irreps():
    # 0e + 1e + 2e: one map for each of them.
    assert len(equivariant_basis("V**2", {"irreps": "0e+1e+2e"}, O3())) == 3


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("V**", 4, "a power"),
        ("5*", 3, "'V' or '('"),
        ("V + ", 5, "a number, 'V' or '('"),
        ("V)", 2, "the end"),
        ("3", 2, "'*'"),
        ("V * 2", 6, "a number comes first"),
        ("V**9", 5, "at most 8"),
        ("(V", 3, "')'"),
        ("W", 1, "'V'"),
        ("V..T", 2, "the end"),
        ("__import__('os')", 1, "'V'"),
        ("99999*V", 6, "4096"),
        ("((((((((((V))))))))))", 10, "brackets"),
        ("", 1, "'V'"),
    ],
)
def test_a_text_that_makes_no_sense_is_refused_with_the_place(text, place, expected):
    with pytest.raises(InvalidRequest, match=f"at character {place}") as caught:
        Representation.of(text, SO3())
    assert expected in caught.value.message


@pytest.mark.parametrize(
    ("irreps", "place"),
    [("", 1), ("1x", 1), ("1x1", 1), ("2x1o+", 6), ("1o-1e", 3), ("7e", 1), ("0x1o", 1), ("1o 1e", 4)],
)
def test_irreps_that_make_no_sense_are_refused_with_the_place(irreps, place):
    with pytest.raises(InvalidRequest, match=f"at character {place}"):
        Representation.of({"irreps": irreps}, SO3())


def test_representations_that_do_not_fit_the_group_are_refused():
    with pytest.raises(InvalidRequest, match="need 3 coordinates, got 2"):
        Representation.of({"irreps": "1o"}, SO2())
    with pytest.raises(InvalidRequest, match="override"):
        Representation.of({"irreps": "1o"}, Scaling(0.5, 2)).matrix(Scale(1.5))
    with pytest.raises(InvalidRequest, match="6561 components"):
        Representation.of("V**8", SO3())
    with pytest.raises(InvalidRequest, match="irreps"):
        Representation.of({"irrep": "1o"}, SO3())
