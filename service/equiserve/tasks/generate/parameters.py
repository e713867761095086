"""What a caller may ask of a generator, and what becomes of it: every picture's parameters, complete and canonical."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from typing import Any, NoReturn, Self

import orjson

from equiserve.errors import InvalidRequest
from equiserve.numerics.noise import SEEDS
from equiserve.numerics.rotation import ROTATION_MODES, RotationMode
from equiserve.numerics.solvers import PRESETS, SOLVERS
from equiserve.tasks.generate.generator import PictureGenerator

MAX_STEPS = 1000
MAX_GUIDANCE = 20.0
MAX_ANGLE = 3600.0
DEFAULT_PRESET = "balanced"


@dataclass(slots=True)
class GenerateRequest:
    """What to draw; None leaves the choice to the server.

    Attributes:
        model: Name of the model.
        version: Its version; empty = the newest that is loaded.
        runtime: Runtime to use; None = the model's first.
        label: Class, by index or name; None = no class.
        angle: Degrees counter-clockwise as seen.
        mode: One of `ROTATION_MODES`; `conditioned` where the model can, else `exact`.
        seed: 0 to 2^64 - 1; drawn where not given. Picture i of n has seed + i.
        steps: 1 to 1000.
        solver: One of `SOLVERS`.
        preset: One of `PRESETS`: what solver and steps are where they are not given.
        guidance: Weight of the class, 0 to 20; 1 = none. With a label, the manifest's where not given.
        n: Number of pictures.
        priority: 1 is the most urgent; 0 = the default.
        previews: Previews that a stream sends at most.
    """

    model: str
    version: str = ""
    runtime: str | None = None
    label: int | str | None = None
    angle: float | None = None
    mode: str | None = None
    seed: int | None = None
    steps: int | None = None
    solver: str | None = None
    preset: str | None = None
    guidance: float | None = None
    n: int = 1
    priority: int = 0
    previews: int = 0


@dataclass(frozen=True, slots=True)
class GenerateParameters:
    """What a picture is a function of, nothing left open; two requests of equal parameters give equal bits.

    Attributes:
        model: Name of the model.
        version: Its version.
        file_digest: SHA-256 of the file that ran.
        runtime: Runtime that ran it.
        label: Class index; None = none.
        angle, mode, seed, steps, solver, guidance, n: As in `GenerateRequest`.
    """

    model: str
    version: str
    file_digest: str
    runtime: str
    label: int | None
    angle: float
    mode: RotationMode
    seed: int
    steps: int
    solver: str
    guidance: float
    n: int

    @classmethod
    def of(cls, request: GenerateRequest, generator: PictureGenerator, *, max_pictures: int) -> Self:
        """Complete and check a request; raises InvalidRequest naming the field, what came and what is taken."""
        model = generator.model
        preset = PRESETS[_name(request.preset, "preset", PRESETS, DEFAULT_PRESET)]
        solver = _name(request.solver, "solver", SOLVERS, preset.solver)
        steps = _whole(preset.steps if request.steps is None else request.steps, "steps", 1, MAX_STEPS)
        angle = _real(0.0 if request.angle is None else request.angle, "angle", -MAX_ANGLE, MAX_ANGLE, "degrees ")
        if angle % 180 and generator.shape[1] != generator.shape[2]:
            _refuse("angle", angle, f"0 or 180: pictures of {generator.shape[1]} x {generator.shape[2]} are not square")
        own = "conditioned" if generator.conditioned else "exact"
        known = [mode for mode in ROTATION_MODES if mode != "conditioned" or generator.conditioned]
        mode = _name(request.mode, "mode", known, own)
        label = _label(request.label, generator)
        usual = 1.0 if label is None else generator.options.guidance
        guidance = _real(usual if request.guidance is None else request.guidance, "guidance", 0.0, MAX_GUIDANCE)
        if guidance != 1 and not generator.options.classes:
            _refuse("guidance", guidance, f"1: model {model.name} knows no classes")
        if guidance != 1 and label is None:
            _refuse("guidance", guidance, "1 where no label is given")
        n = _whole(request.n, "n", 1, max_pictures)
        _whole(request.priority, "priority", 0, 1 << 31)
        _whole(request.previews, "previews", 0, MAX_STEPS)
        seed = secrets.randbits(64) if request.seed is None else _whole(request.seed, "seed", 0, SEEDS - 1)
        return cls(
            model=model.name,
            version=model.version,
            file_digest=model.file_digest,
            runtime=model.runtime.name,
            label=label,
            angle=angle,
            mode=next(known_mode for known_mode in ROTATION_MODES if known_mode == mode),
            seed=seed,
            steps=steps,
            solver=solver,
            guidance=guidance,
            n=n,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the parameters as JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def canonical(self) -> bytes:
        """Return the one JSON text of these parameters: sorted keys, no spaces."""
        return orjson.dumps(self.to_json(), option=orjson.OPT_SORT_KEYS)


def _label(asked: object, generator: PictureGenerator) -> int | None:
    classes, names = generator.options.classes, generator.model.manifest.labels or []
    if asked is None or asked == "none":
        return None
    if isinstance(asked, str) and asked in names[:classes]:
        return names.index(asked)
    if isinstance(asked, bool) or not isinstance(asked, int) or not 0 <= asked < classes:
        expected = f"0 to {classes - 1}, or none" if classes else f"none: model {generator.model.name} knows no classes"
        _refuse("label", asked, f"one of {names[:classes]}, {expected}" if names and classes else expected)
    return asked


def _name(asked: object, field: str, known: Any, default: str) -> str:
    if asked is None:
        return default
    if not isinstance(asked, str) or asked not in known:
        _refuse(field, asked, f"one of {list(known)}")
    return asked


def _whole(asked: object, field: str, least: int, most: int) -> int:
    if isinstance(asked, bool) or not isinstance(asked, int) or not least <= asked <= most:
        _refuse(field, asked, f"a whole number from {least} to {most}")
    return asked


def _real(asked: object, field: str, least: float, most: float, unit: str = "") -> float:
    if isinstance(asked, bool) or not isinstance(asked, int | float) or not math.isfinite(asked):
        _refuse(field, asked, f"{unit}from {least:g} to {most:g}")
    if not least <= asked <= most:
        _refuse(field, asked, f"{unit}from {least:g} to {most:g}")
    return float(asked) + 0.0


def _refuse(field: str, got: object, expected: str) -> NoReturn:
    raise InvalidRequest(f"{field}: got {str(got)[:80]!r}, expected {expected}", code=f"invalid_{field}", field=field)
