from . import picture_pb2 as _picture_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClassifyRequest(_message.Message):
    __slots__ = ("model", "version", "runtime", "pictures", "top_k", "priority", "symmetrize")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    PICTURES_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SYMMETRIZE_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    runtime: str
    pictures: _containers.RepeatedCompositeFieldContainer[_picture_pb2.Picture]
    top_k: int
    priority: int
    symmetrize: str
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., runtime: _Optional[str] = ..., pictures: _Optional[_Iterable[_Union[_picture_pb2.Picture, _Mapping]]] = ..., top_k: _Optional[int] = ..., priority: _Optional[int] = ..., symmetrize: _Optional[str] = ...) -> None: ...

class ClassifyResponse(_message.Message):
    __slots__ = ("model", "version", "runtime", "classifications", "guarantee", "symmetrize")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    CLASSIFICATIONS_FIELD_NUMBER: _ClassVar[int]
    GUARANTEE_FIELD_NUMBER: _ClassVar[int]
    SYMMETRIZE_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    runtime: str
    classifications: _containers.RepeatedCompositeFieldContainer[PictureClassification]
    guarantee: str
    symmetrize: str
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., runtime: _Optional[str] = ..., classifications: _Optional[_Iterable[_Union[PictureClassification, _Mapping]]] = ..., guarantee: _Optional[str] = ..., symmetrize: _Optional[str] = ...) -> None: ...

class PictureClassification(_message.Message):
    __slots__ = ("predictions", "resized_from", "stability")
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    RESIZED_FROM_FIELD_NUMBER: _ClassVar[int]
    STABILITY_FIELD_NUMBER: _ClassVar[int]
    predictions: _containers.RepeatedCompositeFieldContainer[ClassPrediction]
    resized_from: _picture_pb2.PictureSize
    stability: Stability
    def __init__(self, predictions: _Optional[_Iterable[_Union[ClassPrediction, _Mapping]]] = ..., resized_from: _Optional[_Union[_picture_pb2.PictureSize, _Mapping]] = ..., stability: _Optional[_Union[Stability, _Mapping]] = ...) -> None: ...

class Stability(_message.Message):
    __slots__ = ("modal_share", "margin", "entropy")
    MODAL_SHARE_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_FIELD_NUMBER: _ClassVar[int]
    modal_share: float
    margin: float
    entropy: float
    def __init__(self, modal_share: _Optional[float] = ..., margin: _Optional[float] = ..., entropy: _Optional[float] = ...) -> None: ...

class ClassPrediction(_message.Message):
    __slots__ = ("label", "index", "probability")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    label: str
    index: int
    probability: float
    def __init__(self, label: _Optional[str] = ..., index: _Optional[int] = ..., probability: _Optional[float] = ...) -> None: ...
