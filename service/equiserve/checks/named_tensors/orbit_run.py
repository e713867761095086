"""One orbit of named tensors and its controls on their way through the engine, in the background."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.checks.estimate import smallest_batch
from equiserve.checks.named_tensors.controls import repeat_place, repeat_sizes, unrelated_inputs
from equiserve.checks.named_tensors.measurement import TensorMeasurement
from equiserve.checks.named_tensors.outputs import orbit_outputs
from equiserve.checks.named_tensors.planner import TensorPlan
from equiserve.engine import ComputePool, ServedModel
from equiserve.errors import InternalError, Overloaded
from equiserve.symmetry import Element, TensorOrbitChunk
from equiserve.symmetry.detections import declared_detections, in_one_order
from equiserve.symmetry.member_errors import member_errors

Named = dict[str, NDArray[Any]]


class TensorOrbitRun:
    """One check under way; `measured` fills up as it goes.

    Args:
        model: The model.
        plan: The orbit.
        compute: Moves tensors there and back.
    """

    def __init__(self, model: ServedModel, plan: TensorPlan, compute: ComputePool) -> None:
        self._model = model
        self._plan = plan
        self._compute = compute
        self._orbit = plan.orbit
        self._chunks: Iterator[TensorOrbitChunk] = plan.orbit.chunks(plan.batch)
        self._input: Named = {name: array[None] for name, array in plan.orbit.inputs.items()}
        self._lists = {name for found in declared_detections(plan.orbit.signature) for name in found.names}
        self.measured = TensorMeasurement.of(len(plan.orbit), plan.batch)

    async def controls(self) -> None:
        """Run the repeats, in the company of another element of the orbit, and the unrelated inputs."""
        orbit, batch = self._orbit, self.measured.batch
        last: Sequence[Element] = orbit.elements[-1:]
        company = await self._compute.run(orbit.signature.orbit, last, orbit.inputs)
        for call, size in enumerate(repeat_sizes(batch, smallest_batch(self._model))):
            place = repeat_place(call, size)
            members = {
                name: np.concatenate([array if row == place else company[name] for row in range(size)])
                for name, array in self._input.items()
            }
            answer = {name: array[place : place + 1] for name, array in (await self._infer(members, size)).items()}
            self.measured.repeats.append(await self._compute.run(self._as_came, answer))
        for name, inputs in (await self._compute.run(unrelated_inputs, orbit.inputs)).items():
            try:
                alone = {key: array[None] for key, array in inputs.items()}
                answer = await self._infer_padded(alone, smallest_batch(self._model))
            except InternalError:
                # It is no input that anybody cares for: the model may refuse it.
                self.measured.unrelated[name] = None
            else:
                self.measured.unrelated[name] = await self._compute.run(self._as_came, answer)

    async def next_batch(self) -> NDArray[np.intp] | None:
        """Run the next batch of elements; returns their indices [k], or None after the last."""
        chunk = await self._compute.run(self._next_chunk)
        if chunk is None:
            return None
        outputs = await self._infer_padded(chunk.inputs, self.measured.batch)
        members = await self._compute.run(self._take, chunk, outputs)
        self.measured.answered[members] = True
        return members

    # ---------------------------------------------------------------- on threads

    def _next_chunk(self) -> TensorOrbitChunk | None:
        began = time.thread_time()
        chunk = next(self._chunks, None)
        self.measured.transform_s += time.thread_time() - began
        return chunk

    def _take(self, chunk: TensorOrbitChunk, outputs: Named) -> NDArray[np.intp]:
        began, measured = time.thread_time(), self.measured
        members = np.arange(chunk.start, chunk.start + len(chunk.elements))
        settled, masks = self._settled(chunk.elements, outputs)
        measured.add(members, settled, masks, chunk.changed, self._lists)
        signature, rows = self._orbit.signature, np.concatenate([[0], members])
        given, shown = in_one_order(
            signature,
            [self._orbit.elements[k] for k in rows],
            {name: array[rows] for name, array in measured.outputs.items()},
            {name: mask[rows] for name, mask in measured.masks.items()},
        )
        for name, array in given.items():
            seen = orbit_outputs(signature.fields[name], array, shown.get(name))
            errors = member_errors(seen, seen.outputs[0])[1:]
            measured.errors[members] = np.maximum(measured.errors[members], errors)
        measured.transform_s += time.thread_time() - began
        return members

    def _as_came(self, outputs: Named) -> Named:
        """Return the outputs of one member that no element moved, as `_settled` does those of the orbit."""
        return self._settled((self._plan.group.identity,), outputs)[0]

    def _settled(self, elements: Sequence[Element], outputs: Named) -> tuple[Named, dict[str, NDArray[np.bool_]]]:
        """Return outputs [k, ...] pulled back, without what they are relative to and without a batch axis of one row,
        and where they mean something.
        """
        signature = self._orbit.signature
        with np.errstate(invalid="ignore", over="ignore"):  # outputs that are not finite are counted later
            back = self._orbit.pull_back(elements, outputs)
            members = [
                signature.without_offset({name: array[k] for name, array in back.items()}, self._orbit.inputs)
                for k in range(len(elements))
            ]
        settled = {name: self._one_row(name, np.stack([member[name] for member in members])) for name in back}
        found = [
            signature.valid(element, {name: array[k] for name, array in outputs.items()})
            for k, element in enumerate(elements)
        ]
        masks = {
            name: self._one_row(
                name, np.stack([seen.get(name, np.ones(back[name].shape[1:], np.bool_)) for seen in found])
            )
            for name in {name for seen in found for name in seen}
        }
        return settled, masks

    def _one_row(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        batched = self._model.batched or self._orbit.signature.fields[name].batched
        return array[:, 0] if batched and array.ndim > 1 and array.shape[1] == 1 else array

    # ---------------------------------------------------------------- through the engine

    async def _infer_padded(self, members: Named, batch: int) -> Named:
        """Return the outputs of at most a batch of members, padded with the input: all batches are of one size."""
        size = len(next(iter(members.values())))
        missing = batch - size
        if missing:
            members = {
                name: np.concatenate([array, np.repeat(self._input[name], missing, axis=0)])
                for name, array in members.items()
            }
        return {name: array[:size] for name, array in (await self._infer(members, batch)).items()}

    async def _infer(self, members: Named, size: int) -> Named:
        """Return the outputs [size, ...] of one call; a full queue is waited for once the check has begun."""
        batched = self._model.batched
        rows = [
            np.ascontiguousarray(members[spec.name].reshape(-1, *members[spec.name].shape[2:]))
            if batched
            else members[spec.name][0]
            for spec in self._model.runtime.inputs
        ]
        while True:
            try:
                outputs = await self._model.infer_background(rows)
                break
            except Overloaded as error:
                if not self.measured.batches:
                    raise
                await asyncio.sleep(min(max(error.retry_after_s, 0.05), 1.0))
        self.measured.batches += 1
        self.measured.forward_passes += size
        return {
            # A batch axis of one row in each member, as the inputs have it.
            spec.name: array[:, None] if batched else array[None]
            for spec, array in zip(self._model.runtime.outputs, outputs, strict=True)
            if spec.name in self._orbit.signature.fields
        }
