"""How tensors lie in protobuf's wire form: which list holds a datatype, and whole numbers in base 128."""

from __future__ import annotations

#: Datatype -> the list of `InferTensorContents` that holds it. FP16 has none: it travels raw.
CONTENTS_OF = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
#: A packed list of these lies on the wire exactly as in memory.
PACKED_LIKE_MEMORY = frozenset({"BOOL", "FP32", "FP64"})


def varint(number: int) -> bytes:
    """Return a whole number >= 0 in protobuf's base-128 form."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
