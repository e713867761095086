"""How a model's inputs and outputs transform together: what equivariance of the model means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.artifact.manifest import Manifest, Relabelling, TensorSpec
from equiserve.errors import InvalidRequest
from equiserve.symmetry.actions import Action, PixelCoordinates
from equiserve.symmetry.actions.action import Arrays
from equiserve.symmetry.declared_groups import declared_group
from equiserve.symmetry.elements import Element
from equiserve.symmetry.field_type import FieldType
from equiserve.symmetry.groups import Group
from equiserve.symmetry.relabelling import declared_relabelling


@dataclass(frozen=True, eq=False)
class Signature:
    """rho_in and rho_out of a model, tensor by tensor; f is equivariant where f(rho_in(g) x) = rho_out(g) f(x).

    Every input and every output has an action; `Invariant` is one, and is chosen, never assumed.

    Args:
        group: Acts on both sides.
        inputs: Actions that together move every input once.
        outputs: Actions that together move every output once.
        relative: Outputs whose error is judged without the position of an input, e.g. {"future": "past"}.
        fields: What the tensors are, where a manifest said so.
    """

    group: Group[Any]
    inputs: tuple[Action, ...]
    outputs: tuple[Action, ...]
    relative: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, FieldType] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for side, actions in (("inputs", self.inputs), ("outputs", self.outputs)):
            names = [name for action in actions for name in action.names]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise InvalidRequest(f"{side}: {twice[0]} has two actions, expected one", field=twice[0])

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        group: str | Group[Any],
        *,
        shapes: Mapping[str, Sequence[int]] | None = None,
        coupled: Sequence[Action] = (),
    ) -> Signature:
        """Read a signature from a manifest.

        Args:
            manifest: Says what each tensor is.
            group: A key of the manifest's groups (its overrides and its frame then hold), or any group.
            shapes: Of the arrays that will be sent, for sizes that the manifest leaves open.
            coupled: Actions on several tensors at once (`BodyAction`), instead of the tensors' own.

        Raises:
            InvalidRequest: Nothing says how a tensor moves, or the group does not fit it.
        """
        known = dict(shapes or {})
        sized = [_with_shape(tensor, known.get(tensor.name)) for tensor in manifest.inputs]
        outputs = [_with_shape(tensor, known.get(tensor.name)) for tensor in manifest.outputs]
        picture = _picture(sized)
        key = group if isinstance(group, str) else None
        size = (None, None) if picture is None else (picture.height, picture.width)
        if isinstance(group, str):
            group = declared_group(manifest, group, height=size[0], width=size[1])
        frame = manifest.groups[key].frame if key is not None else None
        said = [o for o in manifest.overrides if o.group == key and not isinstance(o.action, Relabelling)]
        overrides = {o.tensor: o.action for o in said}
        fields = {t.name: FieldType(t, _override(t, frame, overrides.get(t.name))) for t in (*sized, *outputs)}
        together = {name for action in coupled for name in action.names}
        sides = []
        for tensors in (sized, outputs):
            names = {tensor.name for tensor in tensors}
            joint = [action for action in coupled if set(action.names) <= names]
            own = [
                declared_relabelling(manifest, tensor.name, group, height=size[0], width=size[1])
                or fields[tensor.name].action(group, picture)
                for tensor in tensors
                if tensor.name not in together
            ]
            sides.append((*joint, *own))
        if stray := sorted(together - {name for side in sides for action in side for name in action.names}):
            raise InvalidRequest(
                f"coupled: got an action on {stray}, expected names that are all inputs or all outputs", field="coupled"
            )
        relative = {t.name: t.relative_to for t in outputs if t.relative_to is not None}
        return cls(group, sides[0], sides[1], relative, fields)

    def move(self, element: Element, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return rho_in(g) x; InvalidRequest naming an input that is missing or has no action."""
        self._require_named(inputs)
        return _applied(self.inputs, element, inputs)

    def orbit(self, elements: Sequence[Element], inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return rho_in(g) x for every g, stacked in front: each [n, ...]; raises as `move`."""
        self._require_named(inputs)
        moved: dict[str, NDArray[Any]] = {}
        for action in self.inputs:
            moved |= action.orbit(elements, inputs)
        return moved

    def push_forward(self, element: Element, outputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return rho_out(g) y of those outputs that are given."""
        return _applied(_present(self.outputs, outputs), element, outputs)

    def pull_back(self, element: Element, outputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return rho_out(g)^-1 y of those outputs that are given: what an equivariant model says of x itself."""
        return self.push_forward(self.group.inverse(self.group.canonical(element)), outputs)

    def valid(self, element: Element, outputs: Arrays) -> dict[str, NDArray[np.bool_]]:
        """Return where outputs that were pulled back from ``element`` mean something; left out: everywhere."""
        back = self.group.inverse(self.group.canonical(element))
        masks: dict[str, NDArray[np.bool_]] = {}
        for action in _present(self.outputs, outputs):
            masks |= action.valid(back, outputs)
        return masks

    def without_offset(self, outputs: Arrays, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return outputs minus the position of the input that they are relative to.

        Errors relative to the size of an output hide behind a large common offset; here it is gone. Pull back first.

        Args:
            outputs: By name, as for the untransformed inputs.
            inputs: The untransformed inputs; where shapes differ, the mean over the input's items is subtracted.
        """
        return {name: self._relative(name, value, inputs) for name, value in outputs.items()}

    def exact(self, element: Element) -> bool:
        """Return whether neither side interpolates, rounds or loses anything."""
        element = self.group.canonical(element)
        return all(action.exact(element) for action in (*self.inputs, *self.outputs))

    def prepare(self, elements: Sequence[Element], inputs: Arrays) -> tuple[Signature, dict[str, NDArray[Any]]]:
        """Return the signature and the inputs to act with and on, so that no element loses content that others keep."""
        prepared = [action.prepare(elements, inputs) for action in self.inputs]
        changed = {name: array for _, arrays in prepared for name, array in arrays.items()}
        return replace(self, inputs=tuple(action for action, _ in prepared)), {**inputs, **changed}

    def _require_named(self, inputs: Arrays) -> None:
        named = {name for action in self.inputs for name in action.names}
        if unknown := sorted(inputs.keys() - named):
            raise InvalidRequest(
                f"{unknown[0]}: nothing says how it moves, expected one of {sorted(named)}", field=unknown[0]
            )

    def _relative(self, name: str, value: NDArray[Any], inputs: Arrays) -> NDArray[Any]:
        anchor = inputs.get(self.relative.get(name, ""))
        if anchor is None:
            return value
        if anchor.shape != value.shape:
            # [batch, items, coordinates] -> [batch, 1, ..., coordinates]
            middle = tuple(range(1, anchor.ndim - 1))
            anchor = anchor.mean(axis=middle)
            anchor = anchor.reshape(anchor.shape[0], *[1] * (value.ndim - 2), anchor.shape[-1])
        return np.asarray(value - anchor)


def _applied(actions: Sequence[Action], element: Element, arrays: Arrays) -> dict[str, NDArray[Any]]:
    moved: dict[str, NDArray[Any]] = {}
    for action in actions:
        moved |= action.apply(element, arrays)
    return moved


def _present(actions: Sequence[Action], arrays: Arrays) -> list[Action]:
    return [action for action in actions if set(action.names) <= arrays.keys()]


def _with_shape(tensor: TensorSpec, shape: Sequence[int] | None) -> TensorSpec:
    if shape is None:
        return tensor
    if len(shape) != len(tensor.shape) or any(e not in (-1, g) for e, g in zip(tensor.shape, shape, strict=True)):
        raise InvalidRequest(
            f"{tensor.name}.shape: got {list(shape)}, expected {list(tensor.shape)}", field=f"{tensor.name}.shape"
        )
    # The batch stays open: any number of rows may come.
    batch = tensor.shape[:1] if tensor.shape[:1] == (-1,) else tuple(shape[:1])
    return tensor.model_copy(update={"shape": (*batch, *shape[1:])})


def _picture(tensors: Sequence[TensorSpec]) -> PixelCoordinates | None:
    """Return the size of the one picture among the inputs, if there is one of known size."""
    grids = []
    for tensor in tensors:
        if tensor.kind == "picture":
            try:
                grids.append(FieldType(tensor).grid())
            except InvalidRequest:
                continue
    sizes = {(grid.height, grid.width) for grid in grids}
    return PixelCoordinates(*sizes.pop()) if len(sizes) == 1 else None


def _override(tensor: TensorSpec, frame: str | None, override: Any) -> Any:
    # A group of one frame does not move what is measured in another.
    elsewhere = frame is not None and tensor.frame is not None and tensor.frame != frame
    return "invariant" if override is None and elsewhere else override
