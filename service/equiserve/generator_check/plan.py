"""From a request to an orbit of generations: the group acts on the angle, and with it on all noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from equiserve.artifact import Symmetry
from equiserve.checks.planner import standing_level
from equiserve.checks.selection import Draw, select
from equiserve.engine import ServedModel
from equiserve.errors import InvalidRequest
from equiserve.numerics.sampling import Sampling
from equiserve.symmetry import Group, Level, PictureAction, Rotation, group_from_spec
from equiserve.tasks.generate import GenerateRequest, Generation, plan_generation
from equiserve.tasks.generate.generator import PictureGenerator


@dataclass(slots=True)
class GeneratorCheckRequest:
    """What to draw, and by what to turn it.

    Attributes:
        generate: What is drawn for the identity; its angle is where the orbit begins.
        group: Rotations of the picture plane, as `symmetry.group_from_spec` reads them.
        elements: As in `CheckRequest`; None = all of a finite group, 72 of a continuous one.
    """

    generate: GenerateRequest
    group: str | Mapping[str, Any] = "SO2"
    elements: int | Sequence[Any] | Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class GeneratorPlan:
    """What will be drawn.

    Attributes:
        generation: Of the identity.
        group: The group.
        elements: Its m elements, the identity first.
        exact: Which of them permute pixels.
        draw: How they were drawn at random; None where they were not.
        level: What the model declares of the group; `none` where it declares nothing.
        declared: The manifest's entry for it.
    """

    generation: Generation
    group: Group[Any]
    elements: tuple[Rotation, ...]
    exact: tuple[bool, ...]
    draw: Draw | None
    level: Level
    declared: Symmetry | None

    def sampling(self, element: Rotation) -> Sampling:
        """Return how the element's pictures come about."""
        base = self.generation.plan
        return Sampling.of(
            base.solver,
            self.generation.parameters.steps,
            (self.generation.generator.options.sigma_min, self.generation.generator.options.sigma_max),
            shape=base.shape,
            seeds=base.seeds,
            mode=base.mode,
            angle_deg=base.angle_deg + element.angle_deg,
            band=self.generation.generator.options.drift_band,
        )


def plan_generator_check(
    model: ServedModel, request: GeneratorCheckRequest, *, max_orbit: int, max_pictures: int
) -> GeneratorPlan:
    """Plan a check; nothing is drawn yet.

    Raises:
        Unsupported: The model draws no pictures.
        InvalidRequest: A field of the request; a group that does more than turn pictures.
        TooLarge: The orbit (`orbit_too_large`).
    """
    generator = PictureGenerator.of(model)
    generation = plan_generation(generator, replace(request.generate, previews=0), max_pictures=max_pictures)
    _, height, width = generator.shape
    group = group_from_spec(request.group, height=height, width=width)
    selection = select(request.elements, group, max(max_orbit // generation.parameters.n, 1), model)
    chosen = selection.elements
    listed = group.grid(chosen) if isinstance(chosen, int) else [group.canonical(element) for element in chosen]
    elements = tuple(dict.fromkeys([group.identity, *listed]))
    turns = tuple(element for element in elements if isinstance(element, Rotation) and not element.reflected)
    if len(turns) < len(elements):
        raise InvalidRequest(
            f"group: {group.name} does more than turn pictures, and a generator is asked for an angle; expected "
            "rotations, e.g. 'SO2' or 'C4'",
            code="group_does_not_act",
            field="group",
        )
    action = PictureAction(group)
    exact = tuple(action.exact(element, (height, width)) for element in turns)
    manifest = model.manifest
    declared = next((one for one in manifest.symmetries if manifest.groups[one.group].name == group.name), None)
    level = standing_level(declared, manifest, model.version)
    return GeneratorPlan(generation, group, turns, exact, selection.draw, level, declared)
