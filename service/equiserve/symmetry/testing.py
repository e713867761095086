"""A test helper: does a function commute with a group?

    from equiserve.symmetry import SO3
    from equiserve.symmetry.testing import assert_equivariant

    def test_the_layer_turns_with_its_input():
        points = numpy.random.default_rng(0).normal(size=(10, 3))
        assert_equivariant(lambda v: v * numpy.linalg.norm(v), points, SO3(), in_rep="V", out_rep="V")

In the spirit of e3nn's helper of the same name; for a served or exported model pass a `Signature` made of its manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.symmetry.actions import Components
from equiserve.symmetry.elements import Element
from equiserve.symmetry.groups import Group, LinearGroup
from equiserve.symmetry.representations import Representation
from equiserve.symmetry.signature import Signature

_TOLERANCE = {8: 1e-9, 4: 1e-3, 2: 3e-2}  # by bytes of a floating number

Arrays = Mapping[str, NDArray[Any]]


def assert_equivariant(
    function: Callable[..., Any],
    inputs: NDArray[Any] | Arrays,
    group: Group[Any] | None = None,
    *,
    signature: Signature | None = None,
    in_rep: str | Mapping[str, str] | None = None,
    out_rep: str | Mapping[str, str] | None = None,
    tolerance: float | None = None,
    n: int = 32,
    seed: int = 0,
) -> float:
    """Raise AssertionError unless f(rho_in(g) x) = rho_out(g) f(x), to a tolerance, for random elements g.

    Args:
        function: With ``signature`` from arrays by name to arrays by name; else from one array to one.
        inputs: x: arrays by name, or one array whose last axis transforms by ``in_rep``.
        group: Acts; the signature's own where there is one.
        signature: How each input and output moves.
        in_rep: Representation of the last axis of the input, as `Representation.of` reads it.
        out_rep: The same of the output.
        tolerance: Largest allowed error; by default 1e-9 for outputs of float64, 1e-3 for float32, 3e-2 for float16.
        n: Number of random elements; a finite group of no more elements is tried whole.
        seed: Of the random elements.

    Returns:
        The worst error that was found: the largest difference of any component of the output, pulled back, over the
        largest component of f(x) (over 1 where f(x) is 0).

    Raises:
        AssertionError: Names the worst element, the output and the error; or no element moved any input.
        InvalidRequest: Neither a signature nor a group with both representations is given, or they do not fit.
    """
    if signature is None:
        signature, function, inputs = _named(function, inputs, group, in_rep, out_rep)
    if not isinstance(inputs, Mapping):
        raise InvalidRequest(
            "inputs: got one array, expected arrays by name, as the signature has them", field="inputs"
        )
    acting = signature.group
    elements = acting.elements() if (acting.order or n + 1) <= n else acting.sample(np.random.default_rng(seed), n)
    signature, inputs = signature.prepare(elements, inputs)
    expected: Arrays = function(inputs)
    findings, acted = [], False
    for element in elements:
        moved = signature.move(element, inputs)
        acted = acted or any(not np.array_equal(moved[name], array) for name, array in inputs.items())
        findings += _findings(signature, element, function(moved), expected, tolerance)
    if not findings:
        raise AssertionError("nothing was tested: the function gave none of the signature's outputs")
    if not acted:
        raise AssertionError(f"nothing was tested: {acting.name} moved no input")
    worst = max(findings, key=lambda f: (f.excess, f.error))
    if worst.excess > 1:
        raise AssertionError(
            f"not equivariant under {acting.name}: output {worst.output!r} is off by {worst.error:.3g} of its largest "
            f"component under {acting.describe(worst.element)} (tolerance {worst.limit:g}, {len(elements)} elements, "
            f"seed {seed})"
        )
    return worst.error


@dataclass(frozen=True)
class _Finding:
    output: str
    element: Element
    error: float
    limit: float

    @property
    def excess(self) -> float:
        """How often the error is its limit."""
        return self.error / self.limit if self.limit else np.inf if self.error else 0.0


def _named(
    function: Callable[[NDArray[Any]], NDArray[Any]],
    inputs: NDArray[Any] | Arrays,
    group: Group[Any] | None,
    in_rep: str | Mapping[str, str] | None,
    out_rep: str | Mapping[str, str] | None,
) -> tuple[Signature, Callable[[Arrays], Arrays], Arrays]:
    if not isinstance(group, LinearGroup) or in_rep is None or out_rep is None or isinstance(inputs, Mapping):
        raise InvalidRequest(
            "signature: got none, expected one, or one array with a group of coordinates, in_rep and out_rep",
            field="signature",
        )
    actions = [
        Components(name, Representation.of(rep, group)) for name, rep in (("input", in_rep), ("output", out_rep))
    ]
    named = Signature(group, (actions[0],), (actions[1],))
    return named, lambda arrays: {"output": np.asarray(function(arrays["input"]))}, {"input": inputs}


def _findings(
    signature: Signature, element: Element, answered: Arrays, expected: Arrays, tolerance: float | None
) -> list[_Finding]:
    back, masks = signature.pull_back(element, answered), signature.valid(element, answered)
    found = []
    for name, value in back.items():
        truth = np.asarray(expected[name])
        seen = np.asarray(masks.get(name, np.ones(value.shape, np.bool_)))
        limit = _TOLERANCE.get(truth.dtype.itemsize, 0.0) if truth.dtype.kind == "f" else 0.0
        if value.shape == truth.shape and np.isfinite(value[seen]).all() and np.isfinite(truth[seen]).all():
            difference = np.abs(value[seen].astype(np.float64) - truth[seen].astype(np.float64))
            error = float(difference.max(initial=0.0)) / (float(np.abs(truth[seen]).max(initial=0.0)) or 1.0)
        else:
            error = np.inf
        found.append(_Finding(name, element, error, limit if tolerance is None else tolerance))
    return found
