from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PictureFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PICTURE_FORMAT_UNSPECIFIED: _ClassVar[PictureFormat]
    PICTURE_FORMAT_PNG: _ClassVar[PictureFormat]
    PICTURE_FORMAT_WEBP: _ClassVar[PictureFormat]
    PICTURE_FORMAT_NPZ: _ClassVar[PictureFormat]
    PICTURE_FORMAT_RAW: _ClassVar[PictureFormat]
PICTURE_FORMAT_UNSPECIFIED: PictureFormat
PICTURE_FORMAT_PNG: PictureFormat
PICTURE_FORMAT_WEBP: PictureFormat
PICTURE_FORMAT_NPZ: PictureFormat
PICTURE_FORMAT_RAW: PictureFormat

class GenerateRequest(_message.Message):
    __slots__ = ("model", "version", "runtime", "label_index", "label_name", "angle", "mode", "seed", "steps", "solver", "preset", "guidance", "n", "priority", "format")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    LABEL_INDEX_FIELD_NUMBER: _ClassVar[int]
    LABEL_NAME_FIELD_NUMBER: _ClassVar[int]
    ANGLE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    SOLVER_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    runtime: str
    label_index: int
    label_name: str
    angle: float
    mode: str
    seed: int
    steps: int
    solver: str
    preset: str
    guidance: float
    n: int
    priority: int
    format: PictureFormat
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., runtime: _Optional[str] = ..., label_index: _Optional[int] = ..., label_name: _Optional[str] = ..., angle: _Optional[float] = ..., mode: _Optional[str] = ..., seed: _Optional[int] = ..., steps: _Optional[int] = ..., solver: _Optional[str] = ..., preset: _Optional[str] = ..., guidance: _Optional[float] = ..., n: _Optional[int] = ..., priority: _Optional[int] = ..., format: _Optional[_Union[PictureFormat, str]] = ...) -> None: ...

class GenerateParameters(_message.Message):
    __slots__ = ("model", "version", "file_digest", "runtime", "label", "angle", "mode", "seed", "steps", "solver", "guidance", "n")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FILE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    ANGLE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    SOLVER_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: str
    file_digest: str
    runtime: str
    label: int
    angle: float
    mode: str
    seed: int
    steps: int
    solver: str
    guidance: float
    n: int
    def __init__(self, model: _Optional[str] = ..., version: _Optional[str] = ..., file_digest: _Optional[str] = ..., runtime: _Optional[str] = ..., label: _Optional[int] = ..., angle: _Optional[float] = ..., mode: _Optional[str] = ..., seed: _Optional[int] = ..., steps: _Optional[int] = ..., solver: _Optional[str] = ..., guidance: _Optional[float] = ..., n: _Optional[int] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("id", "parameters", "media_type", "content", "shape", "etag", "calls", "rows", "seconds", "environment")
    class EnvironmentEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    id: str
    parameters: GenerateParameters
    media_type: str
    content: bytes
    shape: _containers.RepeatedScalarFieldContainer[int]
    etag: str
    calls: int
    rows: int
    seconds: float
    environment: _containers.ScalarMap[str, str]
    def __init__(self, id: _Optional[str] = ..., parameters: _Optional[_Union[GenerateParameters, _Mapping]] = ..., media_type: _Optional[str] = ..., content: _Optional[bytes] = ..., shape: _Optional[_Iterable[int]] = ..., etag: _Optional[str] = ..., calls: _Optional[int] = ..., rows: _Optional[int] = ..., seconds: _Optional[float] = ..., environment: _Optional[_Mapping[str, str]] = ...) -> None: ...

class GenerateStreamRequest(_message.Message):
    __slots__ = ("generate", "previews")
    GENERATE_FIELD_NUMBER: _ClassVar[int]
    PREVIEWS_FIELD_NUMBER: _ClassVar[int]
    generate: GenerateRequest
    previews: int
    def __init__(self, generate: _Optional[_Union[GenerateRequest, _Mapping]] = ..., previews: _Optional[int] = ...) -> None: ...

class GenerateStreamResponse(_message.Message):
    __slots__ = ("progress", "preview", "completed")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    progress: GenerateProgress
    preview: GeneratePreview
    completed: GenerateResponse
    def __init__(self, progress: _Optional[_Union[GenerateProgress, _Mapping]] = ..., preview: _Optional[_Union[GeneratePreview, _Mapping]] = ..., completed: _Optional[_Union[GenerateResponse, _Mapping]] = ...) -> None: ...

class GenerateProgress(_message.Message):
    __slots__ = ("id", "step", "of", "sigma", "eta_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    SIGMA_FIELD_NUMBER: _ClassVar[int]
    ETA_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    step: int
    of: int
    sigma: float
    eta_ms: float
    def __init__(self, id: _Optional[str] = ..., step: _Optional[int] = ..., of: _Optional[int] = ..., sigma: _Optional[float] = ..., eta_ms: _Optional[float] = ...) -> None: ...

class GeneratePreview(_message.Message):
    __slots__ = ("id", "step", "of", "png")
    ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    PNG_FIELD_NUMBER: _ClassVar[int]
    id: str
    step: int
    of: int
    png: bytes
    def __init__(self, id: _Optional[str] = ..., step: _Optional[int] = ..., of: _Optional[int] = ..., png: _Optional[bytes] = ...) -> None: ...

class CancelGenerationRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class CancelGenerationResponse(_message.Message):
    __slots__ = ("cancelled",)
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    cancelled: int
    def __init__(self, cancelled: _Optional[int] = ...) -> None: ...
