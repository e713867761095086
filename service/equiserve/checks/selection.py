"""Which elements of a group a check tries: a grid, a list, or random draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equiserve.checks.estimate import learned_seconds
from equiserve.engine import ServedModel
from equiserve.errors import InvalidRequest, TooLarge
from equiserve.symmetry import Element, Group, element_from_json
from equiserve.symmetry.orbit import DEFAULT_CONTINUOUS_GRID

_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Draw:
    """Uniform (Haar) draws from a group, distinct where it is finite.

    Attributes:
        count: How many.
        seed: Of the generator, Philox.
    """

    count: int
    seed: int

    def to_json(self) -> dict[str, int]:
        """Return the draw as a request writes it."""
        return {"random": self.count, "seed": self.seed}


@dataclass(frozen=True, slots=True)
class Selection:
    """What to try.

    Attributes:
        elements: So many of the group's grid, or these.
        draw: How they were drawn at random; None where they were not, or where all of a group was asked for so.
    """

    elements: int | list[Element]
    draw: Draw | None = None


def select(asked: object, group: Group[Any], max_orbit: int, model: ServedModel) -> Selection:
    """Return the elements that a request asks for.

    Args:
        asked: A number, a list of elements as JSON values, `{"random": number, "seed": number}`, or None.
        group: Whose elements.
        max_orbit: Most elements.
        model: For the cost that an error tells.

    Raises:
        InvalidRequest: Anything else.
        TooLarge: More than `max_orbit` (`orbit_too_large`).
    """
    if asked is None:
        size = DEFAULT_CONTINUOUS_GRID if group.order is None else group.order
    elif isinstance(asked, int) and not isinstance(asked, bool) and asked >= 1:
        size = asked if group.order is None else min(asked, group.order)
    elif isinstance(asked, Mapping):
        draw = _draw(asked)
        _bounded(draw.count, asked, group, max_orbit, model)
        return _drawn(group, draw)
    elif isinstance(asked, Sequence) and not isinstance(asked, str | bytes) and asked:
        _bounded(len(asked), asked, group, max_orbit, model)
        return Selection([element_from_json(value, f"elements[{index}]") for index, value in enumerate(asked)])
    else:
        raise InvalidRequest(
            f"elements: got {asked!r}, expected a whole number >= 1, a list of elements or "
            '{"random": number, "seed": number}',
            field="elements",
        )
    # An explicit number: the orbit of a continuous group defaults to it too.
    return Selection(_bounded(size, asked, group, max_orbit, model))


def _drawn(group: Group[Any], draw: Draw) -> Selection:
    if group.order is not None and draw.count >= group.order - 1:
        return Selection(group.order)  # all of it: nothing is left to chance
    rng = np.random.Generator(np.random.Philox(draw.seed))
    # Neither repetitions nor the identity, which is tried anyway: the bounds on the share of the group still hold.
    found: dict[Element, None] = {}
    while len(found) < draw.count:
        found |= dict.fromkeys(element for element in group.sample(rng, draw.count) if element != group.identity)
    return Selection(list(found)[: draw.count], draw)


def _bounded(size: int, asked: object, group: Group[Any], max_orbit: int, model: ServedModel) -> int:
    if size <= max_orbit:
        return size
    what = f"{group.name} has {size} elements" if asked is None else f"{size} elements were asked for"
    seconds = learned_seconds(model, size, -(-size // model.max_batch))
    cost = "" if seconds is None else f" (about {seconds:.3g} s of the model's time)"
    raise TooLarge(
        f"elements: {what}{cost}, at most {max_orbit} are checked in one request; set elements to {max_orbit} or "
        "less, or submit a job",
        code="orbit_too_large",
        field="elements",
    )


def _draw(asked: Mapping[str, Any]) -> Draw:
    count, seed = asked.get("random"), asked.get("seed", 0)
    if asked.keys() - {"random", "seed"} or type(count) is not int or count < 1:
        raise InvalidRequest(
            f'elements: got {dict(asked)!r}, expected {{"random": number of draws, "seed": number}}', field="elements"
        )
    if type(seed) is not int or not 0 <= seed <= _LARGEST_SEED:
        raise InvalidRequest(
            f"elements.seed: got {seed!r}, expected a whole number from 0 to {_LARGEST_SEED}", field="elements.seed"
        )
    return Draw(count, seed)
