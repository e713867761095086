from . import classifier_pb2 as _classifier_pb2
from . import picture_pb2 as _picture_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Reference(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REFERENCE_UNSPECIFIED: _ClassVar[Reference]
    REFERENCE_CONSENSUS: _ClassVar[Reference]
    REFERENCE_IDENTITY: _ClassVar[Reference]
    REFERENCE_LABEL: _ClassVar[Reference]

class VerdictStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_STATUS_UNSPECIFIED: _ClassVar[VerdictStatus]
    VERDICT_STATUS_PASS: _ClassVar[VerdictStatus]
    VERDICT_STATUS_FAIL: _ClassVar[VerdictStatus]
    VERDICT_STATUS_INCONCLUSIVE: _ClassVar[VerdictStatus]
    VERDICT_STATUS_NOT_INFORMATIVE: _ClassVar[VerdictStatus]

class SymmetryLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SYMMETRY_LEVEL_UNSPECIFIED: _ClassVar[SymmetryLevel]
    SYMMETRY_LEVEL_NONE: _ClassVar[SymmetryLevel]
    SYMMETRY_LEVEL_APPROXIMATE: _ClassVar[SymmetryLevel]
    SYMMETRY_LEVEL_EXACT: _ClassVar[SymmetryLevel]
REFERENCE_UNSPECIFIED: Reference
REFERENCE_CONSENSUS: Reference
REFERENCE_IDENTITY: Reference
REFERENCE_LABEL: Reference
VERDICT_STATUS_UNSPECIFIED: VerdictStatus
VERDICT_STATUS_PASS: VerdictStatus
VERDICT_STATUS_FAIL: VerdictStatus
VERDICT_STATUS_INCONCLUSIVE: VerdictStatus
VERDICT_STATUS_NOT_INFORMATIVE: VerdictStatus
SYMMETRY_LEVEL_UNSPECIFIED: SymmetryLevel
SYMMETRY_LEVEL_NONE: SymmetryLevel
SYMMETRY_LEVEL_APPROXIMATE: SymmetryLevel
SYMMETRY_LEVEL_EXACT: SymmetryLevel

class CheckRequest(_message.Message):
    __slots__ = ("model", "version", "runtime", "picture", "group", "count", "elements", "random", "reference", "label_index", "label_name", "metrics", "include_outputs", "include_svg", "compare_with", "inputs", "search", "search_budget", "gate")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    RANDOM_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    LABEL_INDEX_FIELD_NUMBER: _ClassVar[int]
    LABEL_NAME_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SVG_FIELD_NUMBER: _ClassVar[int]
    COMPARE_WITH_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    SEARCH_BUDGET_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    runtime: str
    picture: _picture_pb2.Picture
    group: Group
    count: int
    elements: ElementList
    random: RandomElements
    reference: Reference
    label_index: int
    label_name: str
    metrics: _containers.RepeatedScalarFieldContainer[str]
    include_outputs: bool
    include_svg: bool
    compare_with: str
    inputs: _containers.RepeatedCompositeFieldContainer[Tensor]
    search: bool
    search_budget: int
    gate: _struct_pb2.Struct
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., runtime: _Optional[str] = ..., picture: _Optional[_Union[_picture_pb2.Picture, _Mapping]] = ..., group: _Optional[_Union[Group, _Mapping]] = ..., count: _Optional[int] = ..., elements: _Optional[_Union[ElementList, _Mapping]] = ..., random: _Optional[_Union[RandomElements, _Mapping]] = ..., reference: _Optional[_Union[Reference, str]] = ..., label_index: _Optional[int] = ..., label_name: _Optional[str] = ..., metrics: _Optional[_Iterable[str]] = ..., include_outputs: bool = ..., include_svg: bool = ..., compare_with: _Optional[str] = ..., inputs: _Optional[_Iterable[_Union[Tensor, _Mapping]]] = ..., search: bool = ..., search_budget: _Optional[int] = ..., gate: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class RandomElements(_message.Message):
    __slots__ = ("count", "seed")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    count: int
    seed: int
    def __init__(self, count: _Optional[int] = ..., seed: _Optional[int] = ...) -> None: ...

class Tensor(_message.Message):
    __slots__ = ("name", "datatype", "shape", "data")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATATYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    name: str
    datatype: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    data: bytes
    def __init__(self, name: _Optional[str] = ..., datatype: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., data: _Optional[bytes] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ("name", "parameters")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    parameters: _struct_pb2.Struct
    def __init__(self, name: _Optional[str] = ..., parameters: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class ElementList(_message.Message):
    __slots__ = ("elements",)
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    elements: _containers.RepeatedCompositeFieldContainer[Element]
    def __init__(self, elements: _Optional[_Iterable[_Union[Element, _Mapping]]] = ...) -> None: ...

class Element(_message.Message):
    __slots__ = ("shift", "rotation", "json")
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    ROTATION_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    shift: Shift
    rotation: Rotation
    json: str
    def __init__(self, shift: _Optional[_Union[Shift, _Mapping]] = ..., rotation: _Optional[_Union[Rotation, _Mapping]] = ..., json: _Optional[str] = ...) -> None: ...

class Shift(_message.Message):
    __slots__ = ("dy", "dx")
    DY_FIELD_NUMBER: _ClassVar[int]
    DX_FIELD_NUMBER: _ClassVar[int]
    dy: int
    dx: int
    def __init__(self, dy: _Optional[int] = ..., dx: _Optional[int] = ...) -> None: ...

class Rotation(_message.Message):
    __slots__ = ("angle_deg", "reflected")
    ANGLE_DEG_FIELD_NUMBER: _ClassVar[int]
    REFLECTED_FIELD_NUMBER: _ClassVar[int]
    angle_deg: float
    reflected: bool
    def __init__(self, angle_deg: _Optional[float] = ..., reflected: bool = ...) -> None: ...

class CheckResponse(_message.Message):
    __slots__ = ("statement", "verdict", "id", "model", "version", "runtime", "file_digest", "group", "level", "declared", "coverage", "reference", "summary", "worst", "bitwise_identical", "noise_floor", "controls", "symmetrized_prediction", "elements", "resized_from", "cost", "provenance", "svg", "comparison", "outputs", "sampled", "spectrum", "search", "gates", "error_split")
    class OutputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: OutputFinding
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[OutputFinding, _Mapping]] = ...) -> None: ...
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    FILE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    DECLARED_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    WORST_FIELD_NUMBER: _ClassVar[int]
    BITWISE_IDENTICAL_FIELD_NUMBER: _ClassVar[int]
    NOISE_FLOOR_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    SYMMETRIZED_PREDICTION_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    RESIZED_FROM_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    SVG_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    SAMPLED_FIELD_NUMBER: _ClassVar[int]
    SPECTRUM_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    ERROR_SPLIT_FIELD_NUMBER: _ClassVar[int]
    statement: str
    verdict: Verdict
    id: str
    model: str
    version: str
    runtime: str
    file_digest: str
    group: CheckedGroup
    level: SymmetryLevel
    declared: _struct_pb2.Struct
    coverage: Coverage
    reference: ReferenceAnswer
    summary: Summary
    worst: WorstElement
    bitwise_identical: BitwiseIdentity
    noise_floor: NoiseFloor
    controls: Controls
    symmetrized_prediction: SymmetrizedPrediction
    elements: OrbitColumns
    resized_from: _picture_pb2.PictureSize
    cost: CheckCost
    provenance: Provenance
    svg: str
    comparison: Comparison
    outputs: _containers.MessageMap[str, OutputFinding]
    sampled: RandomElements
    spectrum: OrbitSpectrum
    search: WorstSearch
    gates: _containers.RepeatedCompositeFieldContainer[GateResult]
    error_split: ErrorSplit
    def __init__(self, statement: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, _Mapping]] = ..., id: _Optional[str] = ..., model: _Optional[str] = ..., version: _Optional[str] = ..., runtime: _Optional[str] = ..., file_digest: _Optional[str] = ..., group: _Optional[_Union[CheckedGroup, _Mapping]] = ..., level: _Optional[_Union[SymmetryLevel, str]] = ..., declared: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., coverage: _Optional[_Union[Coverage, _Mapping]] = ..., reference: _Optional[_Union[ReferenceAnswer, _Mapping]] = ..., summary: _Optional[_Union[Summary, _Mapping]] = ..., worst: _Optional[_Union[WorstElement, _Mapping]] = ..., bitwise_identical: _Optional[_Union[BitwiseIdentity, _Mapping]] = ..., noise_floor: _Optional[_Union[NoiseFloor, _Mapping]] = ..., controls: _Optional[_Union[Controls, _Mapping]] = ..., symmetrized_prediction: _Optional[_Union[SymmetrizedPrediction, _Mapping]] = ..., elements: _Optional[_Union[OrbitColumns, _Mapping]] = ..., resized_from: _Optional[_Union[_picture_pb2.PictureSize, _Mapping]] = ..., cost: _Optional[_Union[CheckCost, _Mapping]] = ..., provenance: _Optional[_Union[Provenance, _Mapping]] = ..., svg: _Optional[str] = ..., comparison: _Optional[_Union[Comparison, _Mapping]] = ..., outputs: _Optional[_Mapping[str, OutputFinding]] = ..., sampled: _Optional[_Union[RandomElements, _Mapping]] = ..., spectrum: _Optional[_Union[OrbitSpectrum, _Mapping]] = ..., search: _Optional[_Union[WorstSearch, _Mapping]] = ..., gates: _Optional[_Iterable[_Union[GateResult, _Mapping]]] = ..., error_split: _Optional[_Union[ErrorSplit, _Mapping]] = ...) -> None: ...

class OrbitSpectrum(_message.Message):
    __slots__ = ("statement", "exact_subgroup", "elements", "shares")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    EXACT_SUBGROUP_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    statement: str
    exact_subgroup: int
    elements: int
    shares: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, statement: _Optional[str] = ..., exact_subgroup: _Optional[int] = ..., elements: _Optional[int] = ..., shares: _Optional[_Iterable[float]] = ...) -> None: ...

class WorstSearch(_message.Message):
    __slots__ = ("budget", "uniform", "searched", "ended", "worst", "elements")
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    UNIFORM_FIELD_NUMBER: _ClassVar[int]
    SEARCHED_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    WORST_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    budget: int
    uniform: int
    searched: int
    ended: str
    worst: WorstElement
    elements: OrbitColumns
    def __init__(self, budget: _Optional[int] = ..., uniform: _Optional[int] = ..., searched: _Optional[int] = ..., ended: _Optional[str] = ..., worst: _Optional[_Union[WorstElement, _Mapping]] = ..., elements: _Optional[_Union[OrbitColumns, _Mapping]] = ...) -> None: ...

class GateResult(_message.Message):
    __slots__ = ("gate", "inputs", "value", "low", "high", "confidence", "status", "reason", "next_step")
    GATE_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    NEXT_STEP_FIELD_NUMBER: _ClassVar[int]
    gate: str
    inputs: int
    value: float
    low: float
    high: float
    confidence: float
    status: VerdictStatus
    reason: str
    next_step: str
    def __init__(self, gate: _Optional[str] = ..., inputs: _Optional[int] = ..., value: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., confidence: _Optional[float] = ..., status: _Optional[_Union[VerdictStatus, str]] = ..., reason: _Optional[str] = ..., next_step: _Optional[str] = ...) -> None: ...

class ErrorSplit(_message.Message):
    __slots__ = ("total", "incurable", "curable")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    INCURABLE_FIELD_NUMBER: _ClassVar[int]
    CURABLE_FIELD_NUMBER: _ClassVar[int]
    total: float
    incurable: float
    curable: float
    def __init__(self, total: _Optional[float] = ..., incurable: _Optional[float] = ..., curable: _Optional[float] = ...) -> None: ...

class OutputFinding(_message.Message):
    __slots__ = ("kind", "verdict", "reference", "summary", "worst", "noise_floor", "relative_errors", "agrees", "values", "shape")
    KIND_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    WORST_FIELD_NUMBER: _ClassVar[int]
    NOISE_FLOOR_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_ERRORS_FIELD_NUMBER: _ClassVar[int]
    AGREES_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    verdict: Verdict
    reference: str
    summary: Summary
    worst: int
    noise_floor: float
    relative_errors: _containers.RepeatedScalarFieldContainer[float]
    agrees: _containers.RepeatedScalarFieldContainer[bool]
    values: _containers.RepeatedCompositeFieldContainer[OutputRow]
    shape: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, kind: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, _Mapping]] = ..., reference: _Optional[str] = ..., summary: _Optional[_Union[Summary, _Mapping]] = ..., worst: _Optional[int] = ..., noise_floor: _Optional[float] = ..., relative_errors: _Optional[_Iterable[float]] = ..., agrees: _Optional[_Iterable[bool]] = ..., values: _Optional[_Iterable[_Union[OutputRow, _Mapping]]] = ..., shape: _Optional[_Iterable[int]] = ...) -> None: ...

class Comparison(_message.Message):
    __slots__ = ("statement", "model", "version", "runtime", "file_digest", "verdict", "level", "coverage", "summary", "elements", "cost", "paired", "difference")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    FILE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    PAIRED_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    statement: str
    model: str
    version: str
    runtime: str
    file_digest: str
    verdict: Verdict
    level: SymmetryLevel
    coverage: Coverage
    summary: Summary
    elements: OrbitColumns
    cost: CheckCost
    paired: PairedCounts
    difference: PairedDifferences
    def __init__(self, statement: _Optional[str] = ..., model: _Optional[str] = ..., version: _Optional[str] = ..., runtime: _Optional[str] = ..., file_digest: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, _Mapping]] = ..., level: _Optional[_Union[SymmetryLevel, str]] = ..., coverage: _Optional[_Union[Coverage, _Mapping]] = ..., summary: _Optional[_Union[Summary, _Mapping]] = ..., elements: _Optional[_Union[OrbitColumns, _Mapping]] = ..., cost: _Optional[_Union[CheckCost, _Mapping]] = ..., paired: _Optional[_Union[PairedCounts, _Mapping]] = ..., difference: _Optional[_Union[PairedDifferences, _Mapping]] = ...) -> None: ...

class PairedCounts(_message.Message):
    __slots__ = ("elements", "both_agree", "only_this_agrees", "only_other_agrees", "neither_agrees", "same_label", "modal_consistency", "probability", "margin")
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    BOTH_AGREE_FIELD_NUMBER: _ClassVar[int]
    ONLY_THIS_AGREES_FIELD_NUMBER: _ClassVar[int]
    ONLY_OTHER_AGREES_FIELD_NUMBER: _ClassVar[int]
    NEITHER_AGREES_FIELD_NUMBER: _ClassVar[int]
    SAME_LABEL_FIELD_NUMBER: _ClassVar[int]
    MODAL_CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    elements: int
    both_agree: int
    only_this_agrees: int
    only_other_agrees: int
    neither_agrees: int
    same_label: int
    modal_consistency: float
    probability: float
    margin: float
    def __init__(self, elements: _Optional[int] = ..., both_agree: _Optional[int] = ..., only_this_agrees: _Optional[int] = ..., only_other_agrees: _Optional[int] = ..., neither_agrees: _Optional[int] = ..., same_label: _Optional[int] = ..., modal_consistency: _Optional[float] = ..., probability: _Optional[float] = ..., margin: _Optional[float] = ...) -> None: ...

class PairedDifferences(_message.Message):
    __slots__ = ("indices", "probabilities", "margins")
    INDICES_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    MARGINS_FIELD_NUMBER: _ClassVar[int]
    indices: _containers.RepeatedScalarFieldContainer[int]
    probabilities: _containers.RepeatedScalarFieldContainer[float]
    margins: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, indices: _Optional[_Iterable[int]] = ..., probabilities: _Optional[_Iterable[float]] = ..., margins: _Optional[_Iterable[float]] = ...) -> None: ...

class CheckStreamRequest(_message.Message):
    __slots__ = ("check",)
    CHECK_FIELD_NUMBER: _ClassVar[int]
    check: CheckRequest
    def __init__(self, check: _Optional[_Union[CheckRequest, _Mapping]] = ...) -> None: ...

class CheckStreamResponse(_message.Message):
    __slots__ = ("started", "progress", "verdict", "completed")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    started: CheckStarted
    progress: CheckProgress
    verdict: CheckJudged
    completed: CheckResponse
    def __init__(self, started: _Optional[_Union[CheckStarted, _Mapping]] = ..., progress: _Optional[_Union[CheckProgress, _Mapping]] = ..., verdict: _Optional[_Union[CheckJudged, _Mapping]] = ..., completed: _Optional[_Union[CheckResponse, _Mapping]] = ...) -> None: ...

class CheckStarted(_message.Message):
    __slots__ = ("id", "model", "version", "runtime", "group", "level", "estimate")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    version: str
    runtime: str
    group: CheckedGroup
    level: SymmetryLevel
    estimate: CheckEstimate
    def __init__(self, id: _Optional[str] = ..., model: _Optional[str] = ..., version: _Optional[str] = ..., runtime: _Optional[str] = ..., group: _Optional[_Union[CheckedGroup, _Mapping]] = ..., level: _Optional[_Union[SymmetryLevel, str]] = ..., estimate: _Optional[_Union[CheckEstimate, _Mapping]] = ...) -> None: ...

class CheckEstimate(_message.Message):
    __slots__ = ("elements", "exact", "batch_size", "batches", "forward_passes", "seconds", "searched")
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    FORWARD_PASSES_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    SEARCHED_FIELD_NUMBER: _ClassVar[int]
    elements: int
    exact: int
    batch_size: int
    batches: int
    forward_passes: int
    seconds: float
    searched: int
    def __init__(self, elements: _Optional[int] = ..., exact: _Optional[int] = ..., batch_size: _Optional[int] = ..., batches: _Optional[int] = ..., forward_passes: _Optional[int] = ..., seconds: _Optional[float] = ..., searched: _Optional[int] = ...) -> None: ...

class CheckProgress(_message.Message):
    __slots__ = ("model", "done", "planned", "reference", "indices", "elements")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    PLANNED_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    INDICES_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    model: str
    done: int
    planned: int
    reference: ClassName
    indices: _containers.RepeatedScalarFieldContainer[int]
    elements: OrbitColumns
    def __init__(self, model: _Optional[str] = ..., done: _Optional[int] = ..., planned: _Optional[int] = ..., reference: _Optional[_Union[ClassName, _Mapping]] = ..., indices: _Optional[_Iterable[int]] = ..., elements: _Optional[_Union[OrbitColumns, _Mapping]] = ...) -> None: ...

class CheckJudged(_message.Message):
    __slots__ = ("statement", "verdict", "coverage")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    statement: str
    verdict: Verdict
    coverage: Coverage
    def __init__(self, statement: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, _Mapping]] = ..., coverage: _Optional[_Union[Coverage, _Mapping]] = ...) -> None: ...

class EstimateCheckRequest(_message.Message):
    __slots__ = ("check",)
    CHECK_FIELD_NUMBER: _ClassVar[int]
    check: CheckRequest
    def __init__(self, check: _Optional[_Union[CheckRequest, _Mapping]] = ...) -> None: ...

class EstimateCheckResponse(_message.Message):
    __slots__ = ("plan", "comparison")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    plan: CheckStarted
    comparison: CheckStarted
    def __init__(self, plan: _Optional[_Union[CheckStarted, _Mapping]] = ..., comparison: _Optional[_Union[CheckStarted, _Mapping]] = ...) -> None: ...

class PreviewCheckRequest(_message.Message):
    __slots__ = ("check", "count")
    CHECK_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    check: CheckRequest
    count: int
    def __init__(self, check: _Optional[_Union[CheckRequest, _Mapping]] = ..., count: _Optional[int] = ...) -> None: ...

class PreviewCheckResponse(_message.Message):
    __slots__ = ("group", "planned", "prepared", "pictures")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    PLANNED_FIELD_NUMBER: _ClassVar[int]
    PREPARED_FIELD_NUMBER: _ClassVar[int]
    PICTURES_FIELD_NUMBER: _ClassVar[int]
    group: str
    planned: int
    prepared: str
    pictures: _containers.RepeatedCompositeFieldContainer[MovedPicture]
    def __init__(self, group: _Optional[str] = ..., planned: _Optional[int] = ..., prepared: _Optional[str] = ..., pictures: _Optional[_Iterable[_Union[MovedPicture, _Mapping]]] = ...) -> None: ...

class MovedPicture(_message.Message):
    __slots__ = ("index", "element", "description", "exact", "png")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ELEMENT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    PNG_FIELD_NUMBER: _ClassVar[int]
    index: int
    element: Element
    description: str
    exact: bool
    png: bytes
    def __init__(self, index: _Optional[int] = ..., element: _Optional[_Union[Element, _Mapping]] = ..., description: _Optional[str] = ..., exact: bool = ..., png: _Optional[bytes] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("status", "reason", "next_step")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    NEXT_STEP_FIELD_NUMBER: _ClassVar[int]
    status: VerdictStatus
    reason: str
    next_step: str
    def __init__(self, status: _Optional[_Union[VerdictStatus, str]] = ..., reason: _Optional[str] = ..., next_step: _Optional[str] = ...) -> None: ...

class CheckedGroup(_message.Message):
    __slots__ = ("name", "parameters", "order", "is_group")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    IS_GROUP_FIELD_NUMBER: _ClassVar[int]
    name: str
    parameters: _struct_pb2.Struct
    order: int
    is_group: bool
    def __init__(self, name: _Optional[str] = ..., parameters: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., order: _Optional[int] = ..., is_group: bool = ...) -> None: ...

class Coverage(_message.Message):
    __slots__ = ("checked", "planned", "exact")
    CHECKED_FIELD_NUMBER: _ClassVar[int]
    PLANNED_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    checked: int
    planned: int
    exact: int
    def __init__(self, checked: _Optional[int] = ..., planned: _Optional[int] = ..., exact: _Optional[int] = ...) -> None: ...

class ReferenceAnswer(_message.Message):
    __slots__ = ("kind", "prediction", "tied", "strength")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PREDICTION_FIELD_NUMBER: _ClassVar[int]
    TIED_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    kind: Reference
    prediction: ClassName
    tied: _containers.RepeatedScalarFieldContainer[str]
    strength: ConsensusStrength
    def __init__(self, kind: _Optional[_Union[Reference, str]] = ..., prediction: _Optional[_Union[ClassName, _Mapping]] = ..., tied: _Optional[_Iterable[str]] = ..., strength: _Optional[_Union[ConsensusStrength, _Mapping]] = ...) -> None: ...

class ClassName(_message.Message):
    __slots__ = ("label", "index")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    label: str
    index: int
    def __init__(self, label: _Optional[str] = ..., index: _Optional[int] = ...) -> None: ...

class ConsensusStrength(_message.Message):
    __slots__ = ("modal_share", "margin", "entropy")
    MODAL_SHARE_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_FIELD_NUMBER: _ClassVar[int]
    modal_share: float
    margin: float
    entropy: float
    def __init__(self, modal_share: _Optional[float] = ..., margin: _Optional[float] = ..., entropy: _Optional[float] = ...) -> None: ...

class Summary(_message.Message):
    __slots__ = ("exact", "resampled", "all")
    class ExactEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class ResampledEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class AllEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    EXACT_FIELD_NUMBER: _ClassVar[int]
    RESAMPLED_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    exact: _containers.ScalarMap[str, float]
    resampled: _containers.ScalarMap[str, float]
    all: _containers.ScalarMap[str, float]
    def __init__(self, exact: _Optional[_Mapping[str, float]] = ..., resampled: _Optional[_Mapping[str, float]] = ..., all: _Optional[_Mapping[str, float]] = ...) -> None: ...

class WorstElement(_message.Message):
    __slots__ = ("index", "element", "description", "label", "probability", "margin", "output", "relative_error")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ELEMENT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_ERROR_FIELD_NUMBER: _ClassVar[int]
    index: int
    element: Element
    description: str
    label: str
    probability: float
    margin: float
    output: str
    relative_error: float
    def __init__(self, index: _Optional[int] = ..., element: _Optional[_Union[Element, _Mapping]] = ..., description: _Optional[str] = ..., label: _Optional[str] = ..., probability: _Optional[float] = ..., margin: _Optional[float] = ..., output: _Optional[str] = ..., relative_error: _Optional[float] = ...) -> None: ...

class BitwiseIdentity(_message.Message):
    __slots__ = ("identical", "of")
    IDENTICAL_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    identical: int
    of: int
    def __init__(self, identical: _Optional[int] = ..., of: _Optional[int] = ...) -> None: ...

class NoiseFloor(_message.Message):
    __slots__ = ("value", "batch_invariance")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    BATCH_INVARIANCE_FIELD_NUMBER: _ClassVar[int]
    value: float
    batch_invariance: str
    def __init__(self, value: _Optional[float] = ..., batch_invariance: _Optional[str] = ...) -> None: ...

class Controls(_message.Message):
    __slots__ = ("repeat", "unrelated", "did_it_act", "round_trip", "kernel_ladder")
    class UnrelatedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    REPEAT_FIELD_NUMBER: _ClassVar[int]
    UNRELATED_FIELD_NUMBER: _ClassVar[int]
    DID_IT_ACT_FIELD_NUMBER: _ClassVar[int]
    ROUND_TRIP_FIELD_NUMBER: _ClassVar[int]
    KERNEL_LADDER_FIELD_NUMBER: _ClassVar[int]
    repeat: RepeatControl
    unrelated: _containers.ScalarMap[str, float]
    did_it_act: DidItActControl
    round_trip: RoundTripControl
    kernel_ladder: KernelLadderControl
    def __init__(self, repeat: _Optional[_Union[RepeatControl, _Mapping]] = ..., unrelated: _Optional[_Mapping[str, float]] = ..., did_it_act: _Optional[_Union[DidItActControl, _Mapping]] = ..., round_trip: _Optional[_Union[RoundTripControl, _Mapping]] = ..., kernel_ladder: _Optional[_Union[KernelLadderControl, _Mapping]] = ...) -> None: ...

class KernelLadderControl(_message.Message):
    __slots__ = ("elements", "figures")
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    elements: _containers.RepeatedCompositeFieldContainer[Element]
    figures: _containers.RepeatedCompositeFieldContainer[KernelFigure]
    def __init__(self, elements: _Optional[_Iterable[_Union[Element, _Mapping]]] = ..., figures: _Optional[_Iterable[_Union[KernelFigure, _Mapping]]] = ...) -> None: ...

class KernelFigure(_message.Message):
    __slots__ = ("metric", "threshold", "values", "moved", "limited")
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    METRIC_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    MOVED_FIELD_NUMBER: _ClassVar[int]
    LIMITED_FIELD_NUMBER: _ClassVar[int]
    metric: str
    threshold: float
    values: _containers.ScalarMap[str, float]
    moved: float
    limited: bool
    def __init__(self, metric: _Optional[str] = ..., threshold: _Optional[float] = ..., values: _Optional[_Mapping[str, float]] = ..., moved: _Optional[float] = ..., limited: bool = ...) -> None: ...

class RepeatControl(_message.Message):
    __slots__ = ("same_batch", "other_batches", "identical", "repeats")
    SAME_BATCH_FIELD_NUMBER: _ClassVar[int]
    OTHER_BATCHES_FIELD_NUMBER: _ClassVar[int]
    IDENTICAL_FIELD_NUMBER: _ClassVar[int]
    REPEATS_FIELD_NUMBER: _ClassVar[int]
    same_batch: float
    other_batches: float
    identical: bool
    repeats: int
    def __init__(self, same_batch: _Optional[float] = ..., other_batches: _Optional[float] = ..., identical: bool = ..., repeats: _Optional[int] = ...) -> None: ...

class DidItActControl(_message.Message):
    __slots__ = ("changed", "of")
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    changed: int
    of: int
    def __init__(self, changed: _Optional[int] = ..., of: _Optional[int] = ...) -> None: ...

class RoundTripControl(_message.Message):
    __slots__ = ("elements", "relative_error", "agrees")
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_ERROR_FIELD_NUMBER: _ClassVar[int]
    AGREES_FIELD_NUMBER: _ClassVar[int]
    elements: _containers.RepeatedCompositeFieldContainer[Element]
    relative_error: float
    agrees: float
    def __init__(self, elements: _Optional[_Iterable[_Union[Element, _Mapping]]] = ..., relative_error: _Optional[float] = ..., agrees: _Optional[float] = ...) -> None: ...

class SymmetrizedPrediction(_message.Message):
    __slots__ = ("averaged_over", "predictions")
    AVERAGED_OVER_FIELD_NUMBER: _ClassVar[int]
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    averaged_over: int
    predictions: _containers.RepeatedCompositeFieldContainer[_classifier_pb2.ClassPrediction]
    def __init__(self, averaged_over: _Optional[int] = ..., predictions: _Optional[_Iterable[_Union[_classifier_pb2.ClassPrediction, _Mapping]]] = ...) -> None: ...

class OrbitColumns(_message.Message):
    __slots__ = ("elements", "exact", "labels", "probabilities", "margins", "agrees", "relative_errors", "outputs")
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    MARGINS_FIELD_NUMBER: _ClassVar[int]
    AGREES_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_ERRORS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    elements: _containers.RepeatedCompositeFieldContainer[Element]
    exact: _containers.RepeatedScalarFieldContainer[bool]
    labels: _containers.RepeatedScalarFieldContainer[str]
    probabilities: _containers.RepeatedScalarFieldContainer[float]
    margins: _containers.RepeatedScalarFieldContainer[float]
    agrees: _containers.RepeatedScalarFieldContainer[bool]
    relative_errors: _containers.RepeatedScalarFieldContainer[float]
    outputs: _containers.RepeatedCompositeFieldContainer[OutputRow]
    def __init__(self, elements: _Optional[_Iterable[_Union[Element, _Mapping]]] = ..., exact: _Optional[_Iterable[bool]] = ..., labels: _Optional[_Iterable[str]] = ..., probabilities: _Optional[_Iterable[float]] = ..., margins: _Optional[_Iterable[float]] = ..., agrees: _Optional[_Iterable[bool]] = ..., relative_errors: _Optional[_Iterable[float]] = ..., outputs: _Optional[_Iterable[_Union[OutputRow, _Mapping]]] = ...) -> None: ...

class OutputRow(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, values: _Optional[_Iterable[float]] = ...) -> None: ...

class CheckCost(_message.Message):
    __slots__ = ("forward_passes", "batches", "batch_size", "wall_ms", "transform_ms", "cached")
    FORWARD_PASSES_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    WALL_MS_FIELD_NUMBER: _ClassVar[int]
    TRANSFORM_MS_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    forward_passes: int
    batches: int
    batch_size: int
    wall_ms: float
    transform_ms: float
    cached: int
    def __init__(self, forward_passes: _Optional[int] = ..., batches: _Optional[int] = ..., batch_size: _Optional[int] = ..., wall_ms: _Optional[float] = ..., transform_ms: _Optional[float] = ..., cached: _Optional[int] = ...) -> None: ...

class Provenance(_message.Message):
    __slots__ = ("kernel", "boundary", "dtype", "software", "cpu")
    class SoftwareEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    KERNEL_FIELD_NUMBER: _ClassVar[int]
    BOUNDARY_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    kernel: str
    boundary: str
    dtype: str
    software: _containers.ScalarMap[str, str]
    cpu: str
    def __init__(self, kernel: _Optional[str] = ..., boundary: _Optional[str] = ..., dtype: _Optional[str] = ..., software: _Optional[_Mapping[str, str]] = ..., cpu: _Optional[str] = ...) -> None: ...

class ListGroupsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListGroupsResponse(_message.Message):
    __slots__ = ("groups",)
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[GroupFamily]
    def __init__(self, groups: _Optional[_Iterable[_Union[GroupFamily, _Mapping]]] = ...) -> None: ...

class GroupFamily(_message.Message):
    __slots__ = ("name", "example", "parameters", "description", "exactness", "finite", "is_group")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    EXACTNESS_FIELD_NUMBER: _ClassVar[int]
    FINITE_FIELD_NUMBER: _ClassVar[int]
    IS_GROUP_FIELD_NUMBER: _ClassVar[int]
    name: str
    example: str
    parameters: _containers.ScalarMap[str, str]
    description: str
    exactness: str
    finite: bool
    is_group: bool
    def __init__(self, name: _Optional[str] = ..., example: _Optional[str] = ..., parameters: _Optional[_Mapping[str, str]] = ..., description: _Optional[str] = ..., exactness: _Optional[str] = ..., finite: bool = ..., is_group: bool = ...) -> None: ...

class ListMetricsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListMetricsResponse(_message.Message):
    __slots__ = ("metrics",)
    METRICS_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    def __init__(self, metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("name", "formula", "range", "better", "needs")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FORMULA_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    BETTER_FIELD_NUMBER: _ClassVar[int]
    NEEDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    formula: str
    range: _containers.RepeatedScalarFieldContainer[str]
    better: str
    needs: str
    def __init__(self, name: _Optional[str] = ..., formula: _Optional[str] = ..., range: _Optional[_Iterable[str]] = ..., better: _Optional[str] = ..., needs: _Optional[str] = ...) -> None: ...
