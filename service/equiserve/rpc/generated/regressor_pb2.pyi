from . import equivariance_pb2 as _equivariance_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RegressRequest(_message.Message):
    __slots__ = ("model", "version", "runtime", "inputs", "truth", "priority", "include_svg", "row")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    TRUTH_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SVG_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    runtime: str
    inputs: _containers.RepeatedCompositeFieldContainer[_equivariance_pb2.Tensor]
    truth: _containers.RepeatedCompositeFieldContainer[_equivariance_pb2.Tensor]
    priority: int
    include_svg: bool
    row: int
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., runtime: _Optional[str] = ..., inputs: _Optional[_Iterable[_Union[_equivariance_pb2.Tensor, _Mapping]]] = ..., truth: _Optional[_Iterable[_Union[_equivariance_pb2.Tensor, _Mapping]]] = ..., priority: _Optional[int] = ..., include_svg: bool = ..., row: _Optional[int] = ...) -> None: ...

class RegressResponse(_message.Message):
    __slots__ = ("model", "version", "runtime", "outputs", "guarantee", "svg")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    GUARANTEE_FIELD_NUMBER: _ClassVar[int]
    SVG_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    runtime: str
    outputs: _containers.RepeatedCompositeFieldContainer[RegressedTensor]
    guarantee: str
    svg: str
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., runtime: _Optional[str] = ..., outputs: _Optional[_Iterable[_Union[RegressedTensor, _Mapping]]] = ..., guarantee: _Optional[str] = ..., svg: _Optional[str] = ...) -> None: ...

class RegressedTensor(_message.Message):
    __slots__ = ("tensor", "units", "kind", "frame", "relative_to", "error")
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_TO_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    tensor: _equivariance_pb2.Tensor
    units: str
    kind: str
    frame: str
    relative_to: str
    error: float
    def __init__(self, tensor: _Optional[_Union[_equivariance_pb2.Tensor, _Mapping]] = ..., units: _Optional[str] = ..., kind: _Optional[str] = ..., frame: _Optional[str] = ..., relative_to: _Optional[str] = ..., error: _Optional[float] = ...) -> None: ...
