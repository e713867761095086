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
from equiserve.symmetry.detections import declared_detections, in_one_order, padded
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
    """Return the `relative_l2` of some pairs, by output; of lists of boxes in one order, see `in_one_order`.

    Args:
        signature: How the tensors move.
        elements: Of all pairs.
        inputs: By name, an input a row.
        pairs: Numbers of the pairs.
        outputs: What the model says of their moved inputs, a row a pair.
        answers: What it says of the inputs, a row an input.
    """
    known = [name for name in outputs if name in signature.fields]
    found: dict[str, list[NDArray[np.float64]]] = {}
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite counts as a failure
        for place, pair in enumerate(pairs):
            given = _row(inputs, pair)
            of_moved = {name: outputs[name][place : place + 1] for name in known}
            back = signature.without_offset(signature.pull_back(elements[pair], of_moved), given)
            own = signature.without_offset(_row({name: answers[name] for name in known}, pair), given)
            own, back = _boxes_in_order(signature, elements[pair], own, back, signature.valid(elements[pair], of_moved))
            for name, answer in own.items():
                found.setdefault(name, []).append(relative_l2(back[name], answer))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _boxes_in_order(
    signature: Signature, element: Element, own: Named, back: Named, seen: Mapping[str, NDArray[np.bool_]]
) -> tuple[Named, Named]:
    """Return two answers [1, ...] with the boxes of both in the order of the first, as corners only."""
    found = declared_detections(signature)
    names = [name for one in found for name in one.names]
    if not names:
        return own, back
    longest = max(answer[name].shape[1] for answer in (own, back) for name in names)
    both = {name: np.concatenate([padded(own[name], longest), padded(back[name], longest)]) for name in names}
    boxes = {one.boxes for one in found}
    masks = {
        name: np.concatenate([np.ones_like(both[name][:1], np.bool_), padded(seen[name], longest)])
        for name in boxes & seen.keys()
    }
    ordered, _ = in_one_order(signature, [signature.group.identity, element], both, masks)
    ordered = {name: array[..., :4] if name in boxes else array for name, array in ordered.items()}
    others = own.keys() - set(names)
    first, second = ({name: array[k : k + 1] for name, array in ordered.items()} for k in (0, 1))
    return first | {name: own[name] for name in others}, second | {name: back[name] for name in others}


def _row(arrays: Mapping[str, NDArray[Any]], pair: int) -> Named:
    return {name: array[pair % len(array)][None] for name, array in arrays.items()}
