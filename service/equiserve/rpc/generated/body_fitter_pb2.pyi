from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MeshFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MESH_FORMAT_UNSPECIFIED: _ClassVar[MeshFormat]
    MESH_FORMAT_GLB: _ClassVar[MeshFormat]
    MESH_FORMAT_OBJ: _ClassVar[MeshFormat]
    MESH_FORMAT_PLY: _ClassVar[MeshFormat]
MESH_FORMAT_UNSPECIFIED: MeshFormat
MESH_FORMAT_GLB: MeshFormat
MESH_FORMAT_OBJ: MeshFormat
MESH_FORMAT_PLY: MeshFormat

class FitRequest(_message.Message):
    __slots__ = ("model", "version", "runtime", "cloud", "refine", "include_labels", "mesh", "body", "priority", "include_picture")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    CLOUD_FIELD_NUMBER: _ClassVar[int]
    REFINE_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_LABELS_FIELD_NUMBER: _ClassVar[int]
    MESH_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_PICTURE_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    runtime: str
    cloud: PointCloud
    refine: bool
    include_labels: bool
    mesh: MeshFormat
    body: str
    priority: int
    include_picture: bool
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., runtime: _Optional[str] = ..., cloud: _Optional[_Union[PointCloud, _Mapping]] = ..., refine: bool = ..., include_labels: bool = ..., mesh: _Optional[_Union[MeshFormat, str]] = ..., body: _Optional[str] = ..., priority: _Optional[int] = ..., include_picture: bool = ...) -> None: ...

class PointCloud(_message.Message):
    __slots__ = ("file", "float32_points", "format", "unit")
    FILE_FIELD_NUMBER: _ClassVar[int]
    FLOAT32_POINTS_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    file: bytes
    float32_points: bytes
    format: str
    unit: str
    def __init__(self, file: _Optional[bytes] = ..., float32_points: _Optional[bytes] = ..., format: _Optional[str] = ..., unit: _Optional[str] = ...) -> None: ...

class FitResponse(_message.Message):
    __slots__ = ("model", "version", "runtime", "statement", "body", "quality", "unit", "points", "residual", "refined_from", "global_orient", "body_pose", "betas", "transl", "joints", "joint_names", "part_confidence", "labels", "mesh", "picture")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    RESIDUAL_FIELD_NUMBER: _ClassVar[int]
    REFINED_FROM_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_ORIENT_FIELD_NUMBER: _ClassVar[int]
    BODY_POSE_FIELD_NUMBER: _ClassVar[int]
    BETAS_FIELD_NUMBER: _ClassVar[int]
    TRANSL_FIELD_NUMBER: _ClassVar[int]
    JOINTS_FIELD_NUMBER: _ClassVar[int]
    JOINT_NAMES_FIELD_NUMBER: _ClassVar[int]
    PART_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    MESH_FIELD_NUMBER: _ClassVar[int]
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    runtime: str
    statement: str
    body: Body
    quality: FitQuality
    unit: CloudUnit
    points: CloudCounts
    residual: FitResidual
    refined_from: str
    global_orient: _containers.RepeatedScalarFieldContainer[float]
    body_pose: _containers.RepeatedScalarFieldContainer[float]
    betas: _containers.RepeatedScalarFieldContainer[float]
    transl: _containers.RepeatedScalarFieldContainer[float]
    joints: _containers.RepeatedScalarFieldContainer[float]
    joint_names: _containers.RepeatedScalarFieldContainer[str]
    part_confidence: _containers.RepeatedScalarFieldContainer[float]
    labels: bytes
    mesh: bytes
    picture: bytes
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., runtime: _Optional[str] = ..., statement: _Optional[str] = ..., body: _Optional[_Union[Body, _Mapping]] = ..., quality: _Optional[_Union[FitQuality, _Mapping]] = ..., unit: _Optional[_Union[CloudUnit, _Mapping]] = ..., points: _Optional[_Union[CloudCounts, _Mapping]] = ..., residual: _Optional[_Union[FitResidual, _Mapping]] = ..., refined_from: _Optional[str] = ..., global_orient: _Optional[_Iterable[float]] = ..., body_pose: _Optional[_Iterable[float]] = ..., betas: _Optional[_Iterable[float]] = ..., transl: _Optional[_Iterable[float]] = ..., joints: _Optional[_Iterable[float]] = ..., joint_names: _Optional[_Iterable[str]] = ..., part_confidence: _Optional[_Iterable[float]] = ..., labels: _Optional[bytes] = ..., mesh: _Optional[bytes] = ..., picture: _Optional[bytes] = ...) -> None: ...

class Body(_message.Message):
    __slots__ = ("name", "licence")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    licence: str
    def __init__(self, name: _Optional[str] = ..., licence: _Optional[str] = ...) -> None: ...

class FitQuality(_message.Message):
    __slots__ = ("level", "reasons")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    level: str
    reasons: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, level: _Optional[str] = ..., reasons: _Optional[_Iterable[str]] = ...) -> None: ...

class CloudUnit(_message.Message):
    __slots__ = ("read_as", "guessed", "metres_a_unit", "extent_m")
    READ_AS_FIELD_NUMBER: _ClassVar[int]
    GUESSED_FIELD_NUMBER: _ClassVar[int]
    METRES_A_UNIT_FIELD_NUMBER: _ClassVar[int]
    EXTENT_M_FIELD_NUMBER: _ClassVar[int]
    read_as: str
    guessed: bool
    metres_a_unit: float
    extent_m: float
    def __init__(self, read_as: _Optional[str] = ..., guessed: bool = ..., metres_a_unit: _Optional[float] = ..., extent_m: _Optional[float] = ...) -> None: ...

class CloudCounts(_message.Message):
    __slots__ = ("received", "kept", "isolated", "used")
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    ISOLATED_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    received: int
    kept: int
    isolated: int
    used: int
    def __init__(self, received: _Optional[int] = ..., kept: _Optional[int] = ..., isolated: _Optional[int] = ..., used: _Optional[int] = ...) -> None: ...

class FitResidual(_message.Message):
    __slots__ = ("mean_mm", "median_mm", "surface_to_points_mm", "outlier_share", "unseen_share")
    MEAN_MM_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_MM_FIELD_NUMBER: _ClassVar[int]
    SURFACE_TO_POINTS_MM_FIELD_NUMBER: _ClassVar[int]
    OUTLIER_SHARE_FIELD_NUMBER: _ClassVar[int]
    UNSEEN_SHARE_FIELD_NUMBER: _ClassVar[int]
    mean_mm: float
    median_mm: float
    surface_to_points_mm: float
    outlier_share: float
    unseen_share: float
    def __init__(self, mean_mm: _Optional[float] = ..., median_mm: _Optional[float] = ..., surface_to_points_mm: _Optional[float] = ..., outlier_share: _Optional[float] = ..., unseen_share: _Optional[float] = ...) -> None: ...
