"""The signatures of the families in tiny ONNX models that keep them in closed form: a denoiser, and a body fitter."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensor_models import exact, graph

PELVIS = [0.1, -0.4, 0.2]
PELVIS_BY_SHAPE = (np.random.default_rng(3).normal(size=(10, 3)) * 0.05).round(4).tolist()

_RAMP = ", ".join(f"{k - 3.5:g}" for k in range(8))

#: x / (1 + sigma^2), and a ramp of the label's height that rises in the direction of the angle (radians).
_DENOISER = graph(
    "(float[batch,1,8,8] x, float[batch] sigma, int64[batch] label, float[batch] angle)"
    " => (float[batch,1,8,8] denoised)",
    f"""
    plane = Constant<value = int64[3] {{1, 2, 3}}>()
    one = Constant<value = float {{1.0}}>()
    right = Constant<value = float[1,1,1,8] {{{_RAMP}}}>()
    down = Constant<value = float[1,1,8,1] {{{_RAMP}}}>()
    up = Neg(down)
    squared = Mul(sigma, sigma)
    power = Add(squared, one)
    power_there = Unsqueeze(power, plane)
    kept = Div(x, power_there)
    cosine = Cos(angle)
    sine = Sin(angle)
    cosine_there = Unsqueeze(cosine, plane)
    sine_there = Unsqueeze(sine, plane)
    across = Mul(cosine_there, right)
    along = Mul(sine_there, up)
    ramp = Add(across, along)
    height = Cast<to = 1>(label)
    height_there = Unsqueeze(height, plane)
    drawn = Mul(ramp, height_there)
    denoised = Add(kept, drawn)
    """,
)


def denoiser(**angle: Any) -> tuple[str, dict[str, Any]]:
    """Return the denoiser and its manifest; more keys for the tensor `angle`."""
    picture = {"datatype": "FP32", "shape": [-1, 1, 8, 8]}
    return _DENOISER, {
        "inputs": [
            {"name": "x", "kind": "noise", **picture},
            {"name": "sigma", "datatype": "FP32", "shape": [-1], "kind": "noise_level"},
            {"name": "label", "datatype": "INT64", "shape": [-1], "kind": "label"},
            {"name": "angle", "datatype": "FP32", "shape": [-1], "kind": "angle", "units": "rad"} | angle,
        ],
        "outputs": [{"name": "denoised", "kind": "picture", **picture}],
        "groups": {"turns": {"name": "C4"}, "angles": {"name": "SO2"}},
        "symmetries": exact("turns"),
    }


def _literal(rows: list[list[float]]) -> str:
    return ", ".join(f"{value:g}" for row in rows for value in row)


#: One frame of the cloud's weighted means, 24 times; its size, 10 times; its middle, from where the pelvis lies.
_FITTER = graph(
    "(float[batch,N,3] points)"
    " => (float[batch,24,3,3] global_rotations, float[batch,10] betas, float[batch,3] translation)",
    f"""
    items = Constant<value = int64[1] {{1}}>()
    coords = Constant<value = int64[1] {{2}}>()
    last = Constant<value = int64[1] {{-1}}>()
    middle = ReduceMean<keepdims = 1>(points, items)
    p = Sub(points, middle)
    pp = Mul(p, p)
    square = ReduceSum<keepdims = 1>(pp, coords)
    fourth = Mul(square, square)
    near = Mul(square, p)
    far = Mul(fourth, p)
    a = ReduceMean<keepdims = 0>(near, items)
    b = ReduceMean<keepdims = 0>(far, items)
    first = LpNormalization<axis = -1, p = 2>(a)
    ab = Mul(first, b)
    along = ReduceSum<keepdims = 1>(ab, last)
    part = Mul(along, first)
    rest = Sub(b, part)
    second = LpNormalization<axis = -1, p = 2>(rest)
    yzx = Constant<value = int64[3] {{1, 2, 0}}>()
    zxy = Constant<value = int64[3] {{2, 0, 1}}>()
    first_yzx = Gather<axis = 1>(first, yzx)
    first_zxy = Gather<axis = 1>(first, zxy)
    second_yzx = Gather<axis = 1>(second, yzx)
    second_zxy = Gather<axis = 1>(second, zxy)
    plus = Mul(first_yzx, second_zxy)
    minus = Mul(first_zxy, second_yzx)
    third = Sub(plus, minus)
    c1 = Unsqueeze(first, coords)
    c2 = Unsqueeze(second, coords)
    c3 = Unsqueeze(third, coords)
    frame = Concat<axis = 2>(c1, c2, c3)
    one_joint = Unsqueeze(frame, items)
    joints = Constant<value = int64[4] {{1, 24, 1, 1}}>()
    global_rotations = Tile(one_joint, joints)
    size = ReduceMean<keepdims = 0>(square, items)
    ten = Constant<value = int64[2] {{1, 10}}>()
    betas = Tile(size, ten)
    pelvis = Constant<value = float[1,3] {{{_literal([PELVIS])}}}>()
    by_shape = Constant<value = float[10,3] {{{_literal(PELVIS_BY_SHAPE)}}}>()
    moved = MatMul(betas, by_shape)
    joint = Add(moved, pelvis)
    centre = Squeeze(middle, items)
    translation = Sub(centre, joint)
    """,
)


def body_fitter(pivot: dict[str, Any] | None, **manifest: Any) -> tuple[str, dict[str, Any]]:
    """Return the fitter and its manifest.

    Args:
        pivot: What the manifest says of the translation; None = it is a plain point.
        manifest: More of its keys.
    """
    return _FITTER, {
        "frames": {"world": {"dim": 3, "up": [0, 1, 0], "units": "m"}},
        "groups": {
            "rotations": {"name": "SO(3)", "frame": "world"},
            "motions": {"name": "SE(3)", "frame": "world", "range": 2.0},
            "translations": {"name": "T(3)", "frame": "world", "range": 2.0},
            "order": {"name": "S32"},
        },
        "inputs": [
            {
                "name": "points",
                "datatype": "FP32",
                "shape": [-1, -1, 3],
                "axes": ["batch", "point", "coord"],
                "kind": "point",
            }
        ],
        "outputs": [
            {"name": "global_rotations", "datatype": "FP32", "shape": [-1, 24, 3, 3], "kind": "rotation"},
            {"name": "betas", "datatype": "FP32", "shape": [-1, 10], "kind": "shape_coefficients"},
            {"name": "translation", "datatype": "FP32", "shape": [-1, 3], "kind": "point"}
            | ({} if pivot is None else {"pivot": pivot}),
        ],
        **manifest,
    }


#: What is true of the fitter.
PIVOT = {"at": PELVIS, "shape": "betas", "per_coefficient": PELVIS_BY_SHAPE}

FAMILIES = {
    "denoiser": denoiser(),
    "unconditioned": denoiser(invariant=True),
    "fitter": body_fitter(PIVOT, symmetries=exact("rotations")),
    "pelvis_forgotten": body_fitter(None, symmetries=exact("rotations")),
}
