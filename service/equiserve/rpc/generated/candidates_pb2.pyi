from . import equivariance_pb2 as _equivariance_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CandidateStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANDIDATE_STATUS_UNSPECIFIED: _ClassVar[CandidateStatus]
    CANDIDATE_STATUS_HOLDS: _ClassVar[CandidateStatus]
    CANDIDATE_STATUS_VIOLATED: _ClassVar[CandidateStatus]
    CANDIDATE_STATUS_MORE_SYMMETRIC: _ClassVar[CandidateStatus]
    CANDIDATE_STATUS_INCONCLUSIVE: _ClassVar[CandidateStatus]
    CANDIDATE_STATUS_NOT_CLAIMED: _ClassVar[CandidateStatus]
    CANDIDATE_STATUS_REFUSED: _ClassVar[CandidateStatus]
CANDIDATE_STATUS_UNSPECIFIED: CandidateStatus
CANDIDATE_STATUS_HOLDS: CandidateStatus
CANDIDATE_STATUS_VIOLATED: CandidateStatus
CANDIDATE_STATUS_MORE_SYMMETRIC: CandidateStatus
CANDIDATE_STATUS_INCONCLUSIVE: CandidateStatus
CANDIDATE_STATUS_NOT_CLAIMED: CandidateStatus
CANDIDATE_STATUS_REFUSED: CandidateStatus

class CheckCandidatesRequest(_message.Message):
    __slots__ = ("model", "version", "runtime", "inputs", "groups", "elements", "seed")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    runtime: str
    inputs: _containers.RepeatedCompositeFieldContainer[_equivariance_pb2.Tensor]
    groups: _containers.RepeatedScalarFieldContainer[str]
    elements: int
    seed: int
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., runtime: _Optional[str] = ..., inputs: _Optional[_Iterable[_Union[_equivariance_pb2.Tensor, _Mapping]]] = ..., groups: _Optional[_Iterable[str]] = ..., elements: _Optional[int] = ..., seed: _Optional[int] = ...) -> None: ...

class CheckCandidatesResponse(_message.Message):
    __slots__ = ("id", "model", "version", "runtime", "file_digest", "statement", "agrees", "inputs", "elements", "seed", "candidates", "noise_floor")
    class NoiseFloorEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    FILE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    AGREES_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    NOISE_FLOOR_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    version: str
    runtime: str
    file_digest: str
    statement: str
    agrees: bool
    inputs: int
    elements: int
    seed: int
    candidates: _containers.RepeatedCompositeFieldContainer[CandidateFinding]
    noise_floor: _containers.ScalarMap[str, float]
    def __init__(self, id: _Optional[str] = ..., model: _Optional[str] = ..., version: _Optional[str] = ..., runtime: _Optional[str] = ..., file_digest: _Optional[str] = ..., statement: _Optional[str] = ..., agrees: bool = ..., inputs: _Optional[int] = ..., elements: _Optional[int] = ..., seed: _Optional[int] = ..., candidates: _Optional[_Iterable[_Union[CandidateFinding, _Mapping]]] = ..., noise_floor: _Optional[_Mapping[str, float]] = ...) -> None: ...

class CandidateFinding(_message.Message):
    __slots__ = ("group", "name", "status", "reason", "declared", "measured", "outputs", "warnings")
    class OutputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: MeasuredError
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[MeasuredError, _Mapping]] = ...) -> None: ...
    GROUP_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DECLARED_FIELD_NUMBER: _ClassVar[int]
    MEASURED_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    group: str
    name: str
    status: CandidateStatus
    reason: str
    declared: DeclaredLevel
    measured: MeasuredError
    outputs: _containers.MessageMap[str, MeasuredError]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, group: _Optional[str] = ..., name: _Optional[str] = ..., status: _Optional[_Union[CandidateStatus, str]] = ..., reason: _Optional[str] = ..., declared: _Optional[_Union[DeclaredLevel, _Mapping]] = ..., measured: _Optional[_Union[MeasuredError, _Mapping]] = ..., outputs: _Optional[_Mapping[str, MeasuredError]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class DeclaredLevel(_message.Message):
    __slots__ = ("level", "source", "value", "metric", "stands")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    STANDS_FIELD_NUMBER: _ClassVar[int]
    level: str
    source: str
    value: float
    metric: str
    stands: bool
    def __init__(self, level: _Optional[str] = ..., source: _Optional[str] = ..., value: _Optional[float] = ..., metric: _Optional[str] = ..., stands: bool = ...) -> None: ...

class MeasuredError(_message.Message):
    __slots__ = ("metric", "mean", "p95", "max", "low", "high", "over")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    P95_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    OVER_FIELD_NUMBER: _ClassVar[int]
    metric: str
    mean: float
    p95: float
    max: float
    low: float
    high: float
    over: str
    def __init__(self, metric: _Optional[str] = ..., mean: _Optional[float] = ..., p95: _Optional[float] = ..., max: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., over: _Optional[str] = ...) -> None: ...
