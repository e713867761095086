"""`symmetrize`: how the server makes any model of pictures invariant, whether the model knows of it or not.

One spelling in the manifest, in requests and in replies:

- `canonical_origin` or `canonical_origin:PATCH`: every picture is rolled to its canonical origin, so that the answer is
  the same for all circular shifts, at the cost of one evaluation (`numerics/canonical_origin.py`).
- the name of a finite group that permutes pixels (`C4`): the mean answer over the group, its Reynolds operator.
- `none`: nothing, where the manifest sets a default.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from equiserve.artifact import TensorSpec
from equiserve.engine import ServedModel
from equiserve.errors import InvalidRequest, TooLarge, Unsupported
from equiserve.numerics.canonical_origin import canonical_origin, default_patch
from equiserve.symmetry import CyclicShift, Group, PictureAction, group_from_spec

#: Groups that can be averaged over: all that are finite and only permute the pixels of a (square) picture.
GROUPS = ("C2", "C4", "D1", "D2", "D4", "Flip", "Flip:left_right", "Flip:up_down")
KNOWN = ("none", "canonical_origin", "canonical_origin:PATCH", *GROUPS)
_ORIGIN = re.compile(r"canonical_origin(?::([1-9][0-9]{0,3}))?")


@dataclass(frozen=True, slots=True)
class CanonicalOrigin:
    """Rolls pictures to their canonical origin; `patch` None follows the size (`default_patch`)."""

    patch: int | None = None

    def __str__(self) -> str:
        return "canonical_origin" if self.patch is None else f"canonical_origin:{self.patch}"

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """Return rows [N, C, H, W] in their canonical frames; raises InvalidRequest where the patch does not fit."""
        return canonical_origin(rows, self.patch or default_patch(rows.shape[2], rows.shape[3]))[0]


@dataclass(frozen=True, slots=True)
class GroupAverage:
    """Averages the answer over a finite group that permutes pixels."""

    group: Group[Any]

    def __str__(self) -> str:
        return self.group.name

    @property
    def order(self) -> int:
        """Evaluations a picture."""
        return len(self.group.elements())

    def require_fit(self, height: int, width: int) -> None:
        """Raise InvalidRequest unless every element permutes the pixels of pictures of this size."""
        action = PictureAction(self.group)
        try:
            for element in self.group.elements():
                action.exact(element, (height, width))
        except InvalidRequest as error:
            raise _refused(f"{self.group.name} does not act on this picture: {error.message}") from None

    def require_room(self, pictures: int, most: int) -> None:
        """Raise TooLarge where this takes more than `most` evaluations of the model."""
        if pictures * self.order > most:
            raise TooLarge(
                f"symmetrize: {pictures} pictures x {self.order} elements of {self.group.name} are "
                f"{pictures * self.order} evaluations, at most {most} are made for one request",
                code="orbit_too_large",
                field="symmetrize",
            )

    def orbit(self, rows: np.ndarray) -> np.ndarray:
        """Return every element's image of rows [N, C, H, W]: [order, N, C, H, W]."""
        return PictureAction(self.group).orbit(rows, self.group.elements())


Symmetrization = CanonicalOrigin | GroupAverage


@lru_cache(maxsize=64)
def symmetrization_from_text(text: str) -> Symmetrization | None:
    """Read what a manifest or a request says; None for `none`.

    Raises:
        InvalidRequest: Unknown, infinite, or a group that has to resample or that has a cheaper way; the message lists
            the known values.
    """
    if text == "none":
        return None
    if origin := _ORIGIN.fullmatch(text):
        return CanonicalOrigin(int(origin[1]) if origin[1] else None)
    if text in GROUPS:
        return GroupAverage(group_from_spec(text))
    try:
        group = group_from_spec(text, height=1, width=1)
    except InvalidRequest:
        raise _refused(f"got {text[:80]!r}") from None
    if isinstance(group, CyclicShift):
        raise _refused(
            f"got {text!r}, whose mean would take one evaluation a pixel; canonical_origin makes the answer exactly "
            "the same for every circular shift with a single one"
        )
    if group.order is None:
        raise _refused(f"{group.name} is infinite, a mean over it would be of samples")
    raise _refused(f"{group.name} does not only permute pixels: what it resamples or cuts off changes the answer")


def symmetrization_of(model: ServedModel, asked: str | None) -> Symmetrization | None:
    """Return what holds for one request: what it asks for, else the manifest's default.

    Raises:
        InvalidRequest: As `symmetrization_from_text`.
        Unsupported: The model takes no pictures (`takes_no_pictures`).
    """
    text = model.manifest.symmetrize if asked is None else asked
    chosen = None if text is None else symmetrization_from_text(text)
    if chosen is not None:
        _require_pictures(model)
    return chosen


def _require_pictures(model: ServedModel) -> None:
    inputs = model.manifest.inputs
    if len(inputs) != 1 or not inputs[0].takes_pictures:
        got = ", ".join(f"{spec.name!r} {spec.datatype} {list(spec.shape)} of kind {spec.kind!r}" for spec in inputs)
        raise Unsupported(
            f"symmetrize: model {model.name} takes no pictures: its inputs are {got}; expected one input of kind "
            "picture, UINT8 or floating, [batch, channel, height, width]",
            code="takes_no_pictures",
            field="symmetrize",
        )


def require_invariant(spec: TensorSpec, symmetrization: Symmetrization) -> None:
    """Raise Unsupported for an output that a symmetrised model cannot give.

    In the canonical frame, what has a place in the picture would lie in another one than the caller's; a mean needs
    numbers that can be averaged.
    """
    averaged = isinstance(symmetrization, GroupAverage)
    if not spec.is_invariant or (averaged and spec.datatype not in ("FP16", "FP32", "FP64")):
        raise Unsupported(
            f"symmetrize: output {spec.name!r} is {spec.datatype} {list(spec.shape)} of kind {spec.kind!r}, expected "
            f"{'floating' if averaged else 'one'} that does not move with the picture, e.g. scores; name the outputs "
            "that you want",
            code="output_not_invariant",
            field=f"outputs.{spec.name}",
        )


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"symmetrize: {why}; expected one of {', '.join(KNOWN)}", code="invalid_symmetrize", field="symmetrize"
    )
