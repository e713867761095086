"""Independent pairs of a group element and an input: what an error over a group and over inputs is estimated from.

The error varies over elements far more than over inputs, so each input gets elements of its own: pair k is element k
with input k modulo their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.symmetry.candidate_judgement import relative_l2
from equiserve.symmetry.elements import Element
from equiserve.symmetry.signature import Signature

Named = dict[str, NDArray[Any]]


def draw_elements(signature: Signature, n: int, seed: int) -> list[Element]:
    """Return n independent elements of a signature's group."""
    group = signature.group
    return [group.canonical(element) for element in group.sample(np.random.Generator(np.random.Philox(seed)), n)]


def moved_rows(
    signature: Signature, elements: Sequence[Element], inputs: Mapping[str, NDArray[Any]], pairs: Iterable[int]
) -> Named:
    """Return the moved inputs of some pairs as rows of one batch.

    Args:
        signature: How the tensors move.
        elements: Of all pairs.
        inputs: By name, an input a row.
        pairs: Numbers of the pairs.
    """
    members = [signature.move(elements[pair], _row(inputs, pair)) for pair in pairs]
    return {name: np.concatenate([member[name] for member in members]) for name in members[0]}


def pair_errors(
    signature: Signature,
    elements: Sequence[Element],
    inputs: Mapping[str, NDArray[Any]],
    pairs: Iterable[int],
    outputs: Mapping[str, NDArray[Any]],
    answers: Mapping[str, NDArray[Any]],
) -> dict[str, NDArray[np.float64]]:
    """Return the `relative_l2` of some pairs, by output.

    Args:
        signature: How the tensors move.
        elements: Of all pairs.
        inputs: By name, an input a row.
        pairs: Numbers of the pairs.
        outputs: What the model says of their moved inputs, a row a pair.
        answers: What it says of the inputs, a row an input.
    """
    known = [name for name in outputs if name in signature.fields]
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in known}
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite counts as a failure
        for place, pair in enumerate(pairs):
            given = _row(inputs, pair)
            of_moved = {name: outputs[name][place : place + 1] for name in known}
            back = signature.without_offset(signature.pull_back(elements[pair], of_moved), given)
            own = signature.without_offset(_row({name: answers[name] for name in known}, pair), given)
            for name in known:
                found[name].append(relative_l2(back[name], own[name]))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _row(arrays: Mapping[str, NDArray[Any]], pair: int) -> Named:
    return {name: array[pair % len(array)][None] for name, array in arrays.items()}
