"""`model.yaml`: what a model is, how each of its tensors transforms, and what was measured of it (schema 1).

The schema is one for all families. A tensor says what it *is* (`kind`), what its axes are (`axes`) and by which
representation its components transform (`rep`); `groups` name the candidate symmetries and `symmetries` say how far
each holds, on what evidence. Unknown keys are errors: a misspelt declaration must not silently declare nothing.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from equiserve.artifact.datatypes import NUMPY_OF
from equiserve.numerics.dividing_steps import patches_that_fit

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

Task = Literal["infer", "classify", "generate", "fit", "regress"]
Kind = Literal[
    "picture",  # samples of a trivial field on the pixel grid
    "segmentation",  # class ids on the pixel grid: never interpolated
    "vector_field",  # moves and turns
    "scalar",
    "pseudoscalar",
    "point",  # affected by translations
    "vector",  # not affected by translations
    "pseudovector",
    "tensor",
    "rotation",
    "logits",
    "probabilities",
    "embedding",
    "label",
    "angle",
    "noise",
    "noise_level",
    "shape_coefficients",
    "body_pose",
    "boxes",
    "keypoints",
    "other",
]
Level = Literal["exact", "approximate", "none"]
# `symmetrized`: the server's doing (`symmetrize`), whatever the model does by itself.
Source = Literal["declared", "measured", "snapped", "certified", "symmetrized"]

# Kinds that have neither place nor direction: no motion of a picture moves them.
_UNMOVED_KINDS = frozenset({"scalar", "logits", "probabilities", "embedding", "label", "shape_coefficients"})


# A manifest that says more would have the server fill its memory when it tries the model.
_MOST_POINTS = 100_000


class Strict(BaseModel):
    """A frozen record in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Frame(Strict):
    """A coordinate frame that representations refer to; `up` and `units` say what its numbers mean."""

    dim: int = Field(ge=1, le=4)
    handedness: Literal["right", "left"] = "right"
    up: tuple[float, ...] | None = None
    units: str | None = None


class Pivot(Strict):
    """The point J that a translation t carries: t + J is where it lies. Of a body in SMPL's layout that is the pelvis.

    Attributes:
        at: J for shape coefficients 0, a number a coordinate.
        shape: Tensor of the shape coefficients, on the same side of the model; None = J is fixed.
        per_coefficient: How far each coefficient moves J, a row a coefficient.
    """

    at: tuple[float, ...] = Field(min_length=1)
    shape: str | None = None
    per_coefficient: list[tuple[float, ...]] = []

    @model_validator(mode="after")
    def _has_rows_for_its_shape(self) -> Pivot:
        if (self.shape is None) != (not self.per_coefficient):
            raise ValueError("pivot: shape and per_coefficient go together")
        if any(len(row) != len(self.at) for row in self.per_coefficient):
            raise ValueError(f"pivot.per_coefficient: expected rows of {len(self.at)} numbers, as in at")
        return self


class Normalisation(Strict):
    """What a model does to an input first: (x - mean) / scale along the last axis; one number holds for all of it."""

    mean: float | tuple[float, ...] = 0.0
    scale: float | tuple[float, ...] = 1.0


class TensorSpec(Strict):
    """One input or output: its v2 type and shape, and how it transforms.

    Attributes:
        name: The tensor's name in the graph.
        datatype: A v2 datatype (`FP32`, `UINT8`, ...).
        shape: Sizes with the batch first; -1 = any size.
        axes: A name an axis: `batch`, `channel`, `height`, `width`, `class`, `item`, `coord`, `time`, ...
        kind: What the tensor holds.
        rep: Its representation: `V`, `V**2`, `5*V**0 + V` (sums of tensor powers, row-major) or
            `{irreps: "1x0e+1x1o"}`. None for pictures and other fields whose action follows from `kind` and `axes`.
        frame: The frame that `rep` refers to; None where there is only one.
        relative_to: An input whose position is subtracted before comparing (for outputs that carry an offset).
        pivot: For a point that says where something lies by where another point of it does: see `Pivot`.
        units: Physical unit of the numbers.
        value_range: Smallest and largest meaningful value (the background of a picture is its lower end).
        invariant: True where no declared group moves this tensor.
        normalisation: What the model does to this input first; a group that it does not commute with is broken by it.
    """

    name: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    datatype: str
    shape: tuple[int, ...]
    axes: tuple[str, ...] | None = None
    kind: Kind = "other"
    rep: str | dict[str, str] | None = None
    frame: str | None = None
    relative_to: str | None = None
    pivot: Pivot | None = None
    units: str | None = None
    value_range: tuple[float, float] | None = None
    invariant: bool = False
    normalisation: Normalisation | None = None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> TensorSpec:
        if self.datatype not in NUMPY_OF:
            raise ValueError(f"datatype: got {self.datatype!r}, expected one of {', '.join(NUMPY_OF)}")
        if any(size == 0 or size < -1 for size in self.shape):
            raise ValueError(f"shape: got {list(self.shape)}, expected sizes >= 1, or -1 for any size")
        if self.axes is not None and len(self.axes) != len(self.shape):
            raise ValueError(f"axes: got {len(self.axes)} names for a shape of {len(self.shape)} axes")
        if self.pivot is not None and self.kind != "point":
            raise ValueError(f"pivot: got kind {self.kind!r}, expected 'point'")
        if self.normalisation is not None:
            for key in ("mean", "scale"):
                value = getattr(self.normalisation, key)
                if isinstance(value, tuple) and len(value) != (self.shape or (1,))[-1]:
                    raise ValueError(
                        f"normalisation.{key}: got {len(value)} numbers for a last axis of {self.shape[-1]}"
                    )
        return self

    @property
    def takes_pictures(self) -> bool:
        """Whether this can be an input of pictures, [batch, channel, height, width]."""
        return (
            self.kind in ("picture", "other")
            and self.datatype in ("UINT8", "FP16", "FP32", "FP64")
            and len(self.shape) == 4
            and (self.kind == "picture" or self.shape[1] in (1, 3, -1))
            and (self.axes is None or self.axes[1] == "channel")
        )

    @property
    def is_invariant(self) -> bool:
        """Whether no motion of a picture moves this tensor: declared, or of a kind without a place; of a tensor of
        undeclared kind, whether it has no axes but batch and class.
        """
        return self.invariant or self.kind in _UNMOVED_KINDS or (self.kind == "other" and len(self.shape) <= 2)


class GroupSpec(Strict):
    """A candidate symmetry: a named group with its parameters, or a matrix group by generators."""

    name: str
    frame: str | None = None
    axis: str | tuple[float, ...] | None = None
    plane: tuple[str, str] | None = None
    range: float | tuple[float, float] | None = None
    parameters: dict[str, Any] = {}
    lie: list[list[list[float]]] = []
    discrete: list[list[list[float]]] = []


class ClassMoves(Strict):
    """What one element makes of classes, old to new, by the names of `labels` or by index; the others stay."""

    element: dict[str, Any]
    classes: dict[str | int, str | int]


class Relabelling(Strict):
    """Elements that change what a class is: a 6 that is turned by 180 degrees is a 9."""

    relabel: list[ClassMoves] = Field(min_length=1)


class Override(Strict):
    """Says that one group moves one tensor otherwise than its `rep` would, or changes what its classes are."""

    group: str
    tensor: str
    action: Literal["invariant"] | Relabelling | dict[str, float]


class Symmetry(Strict):
    """How far one group's symmetry holds, and on what evidence.

    `file_digest` ties a measured level to the file it was measured on: a changed file voids it.
    """

    group: str
    level: Level
    source: Source = "declared"
    metric: str | None = None
    value: float | None = None
    interval: tuple[float, float] | None = None
    tolerance: float | None = None
    elements: int | None = Field(default=None, ge=1)
    inputs: int | None = Field(default=None, ge=1)
    file_digest: Sha256 | None = None
    note: str | None = None


class Batching(Strict):
    """How rows of different requests may share a call of the model.

    Attributes:
        max_batch: Most rows in one call; 0 = the graph has no batch axis and every request runs alone.
        batch_invariance: `exact` pads lone rows to the smallest batch whose bits do not depend on company;
            `floor` publishes the measured difference instead.
        delay_us: How long a batch that is not full waits for company; 0 = never.
        instances: Calls of this model that may run at the same time.
    """

    max_batch: int = Field(default=16, ge=0, le=4096)
    batch_invariance: Literal["exact", "floor"] | None = None
    delay_us: int = Field(default=0, ge=0, le=1_000_000)
    instances: int = Field(default=1, ge=1, le=64)


class Device(Strict):
    """Where the model runs and with how many threads a call (None = measured at load)."""

    kind: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(default=None, ge=1, le=256)


class File(Strict):
    """A file of a version folder."""

    sha256: Sha256
    bytes: int = Field(ge=1)
    opset: int | None = None
    exporter: str | None = None


class ExportCheck(Strict):
    """What the exporter measured after reloading a file: largest differences to the eager network."""

    file: str
    batch_sizes: list[int]
    max_abs_error: float
    identical_under_group: bool | None = None
    detail: str | None = None


class Version(Strict):
    """One version of a model: its files, how it was trained, what the export checks found."""

    files: dict[str, File]
    created: date | None = None
    training: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    export_checks: list[ExportCheck] = []
    tool_versions: dict[str, str] = {}


class Manifest(Strict):
    """The content of `model.yaml`. `schema_version` is spelt `schema` in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_version: Literal[1] = Field(alias="schema")
    name: Name
    task: Task = "infer"
    description: str = ""
    licence: str | None = None
    inputs: list[TensorSpec] = Field(min_length=1)
    outputs: list[TensorSpec] = Field(min_length=1)
    frames: dict[str, Frame] = {}
    groups: dict[str, GroupSpec] = {}
    overrides: list[Override] = []
    symmetries: list[Symmetry] = []
    labels: list[str] | None = None
    input_fit: Literal["reject", "resize", "pad"] = "reject"
    # `canonical_origin` or `canonical_origin:PATCH`: the server rolls every picture to its canonical origin.
    symmetrize: Annotated[str, StringConstraints(pattern=r"^canonical_origin(:[1-9][0-9]{0,3})?$")] | None = None
    runtimes: list[Literal["onnx", "torchscript"]] = Field(default=["onnx"], min_length=1)
    batching: Batching = Batching()
    device: Device = Device()
    versions: dict[str, Version] = {}
    task_options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _names_exist(self) -> Manifest:
        for side in (self.inputs, self.outputs):
            names = [tensor.name for tensor in side]
            if len(set(names)) != len(names):
                raise ValueError(f"tensor names must differ, got {names}")
            for tensor in side:
                if tensor.pivot is not None and tensor.pivot.shape not in (None, *names):
                    raise ValueError(f"{tensor.name}.pivot.shape: {tensor.pivot.shape!r} is not one of {names}")
        tensors = {tensor.name for tensor in (*self.inputs, *self.outputs)}
        inputs = {tensor.name for tensor in self.inputs}
        for tensor in (*self.inputs, *self.outputs):
            if tensor.frame is not None and tensor.frame not in self.frames:
                raise ValueError(f"{tensor.name}.frame: unknown frame {tensor.frame!r}; known: {sorted(self.frames)}")
            if tensor.relative_to is not None and tensor.relative_to not in inputs:
                raise ValueError(f"{tensor.name}.relative_to: {tensor.relative_to!r} is not an input")
        for key, group in self.groups.items():
            if group.frame is not None and group.frame not in self.frames:
                raise ValueError(f"groups.{key}.frame: unknown frame {group.frame!r}")
        for symmetry in self.symmetries:
            if symmetry.group not in self.groups:
                raise ValueError(f"symmetries: unknown group {symmetry.group!r}; known: {sorted(self.groups)}")
        for override in self.overrides:
            if override.group not in self.groups or override.tensor not in tensors:
                raise ValueError(f"overrides: {override.group!r} on {override.tensor!r}: unknown group or tensor")
        if any(not version.isdigit() or int(version) < 1 for version in self.versions):
            raise ValueError(f"versions: got {sorted(self.versions)}, expected whole numbers >= 1")
        return self

    @model_validator(mode="after")
    def _can_be_symmetrized(self) -> Manifest:
        if self.symmetrize is None:
            return self
        if len(self.inputs) != 1 or not self.inputs[0].takes_pictures:
            got = [(spec.name, spec.datatype, list(spec.shape), spec.kind) for spec in self.inputs]
            raise ValueError(
                f"symmetrize: the inputs are {got}, expected one of kind picture, UINT8 or floating, "
                "[batch, channel, height, width]"
            )
        patch = int(self.symmetrize.partition(":")[2] or 1)
        sizes = self.inputs[0].shape[2:]
        known = {axis: size for axis, size in zip(("height", "width"), sizes, strict=True) if size != -1}
        if any(size % patch for size in known.values()):
            raise ValueError(
                f"symmetrize: patch {patch} does not divide pictures of {sizes[0]} x {sizes[1]} pixels; "
                f"{patches_that_fit(patch, known)}"
            )
        moved = [spec.name for spec in self.outputs if not spec.is_invariant]
        if moved:
            raise ValueError(
                f"symmetrize: outputs {moved} move with the picture, expected such that do not, e.g. logits"
            )
        return self

    def as_served(self) -> Manifest:
        """Return what holds of the server's answers: with `symmetrize`, circular shifts are an exact symmetry of them,
        whatever was measured of the file itself.
        """
        if self.symmetrize is None:
            return self
        shifts = [key for key, group in self.groups.items() if group.name.startswith("CyclicShift")]
        key = shifts[0] if shifts else "CyclicShift"
        promise = Symmetry(group=key, level="exact", source="symmetrized", note=f"symmetrize: {self.symmetrize}")
        others = [symmetry for symmetry in self.symmetries if symmetry.group not in shifts]
        groups = self.groups if shifts else {**self.groups, key: GroupSpec(name="CyclicShift")}
        return self.model_copy(update={"groups": groups, "symmetries": [promise, *others]})

    @property
    def points(self) -> int | None:
        """How many points a body fitter takes (`task_options`): it runs on no fewer; None for other models."""
        points = self.task_options.get("points") if self.task == "fit" else None
        return points if isinstance(points, int) and 0 < points <= _MOST_POINTS else None

    def declared_exact(self) -> bool:
        """Return whether any symmetry is declared exact."""
        return any(symmetry.level == "exact" for symmetry in self.symmetries)

    def keeps_batch_invariance(self) -> bool:
        """Return whether lone rows are padded until company cannot change their bits.

        The default is `exact` for a model that declares an exact symmetry, and for one that draws pictures, which must
        not depend on their company; `floor` for all others.
        """
        choice = self.batching.batch_invariance
        return choice == "exact" or (choice is None and (self.declared_exact() or self.task == "generate"))
