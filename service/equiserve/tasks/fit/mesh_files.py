"""A fitted mesh as a file: GLB (glTF 2.0), OBJ, PLY, and everything as npz. All in metres, in the cloud's frame."""

from __future__ import annotations

import io
import json
import struct

import numpy as np

from equiserve.tasks.fit.result import BodyFit

_FLOAT, _UINT32 = 5126, 5125
_ARRAY_BUFFER, _ELEMENT_BUFFER = 34962, 34963
_GLTF, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942


def to_glb(fit: BodyFit) -> bytes:
    """Return the mesh as binary glTF 2.0 (Khronos specification, sections 3 and 4): one mesh with normals.

    Vertices are relative to the node's translation, which is the pelvis: viewers compute in float32.
    """
    pelvis = fit.joints[0]
    positions = (fit.vertices - pelvis).astype("<f4")
    normals = _normals(positions.astype(np.float64), fit.body.faces).astype("<f4")
    indices = fit.body.faces.astype("<u4").ravel()
    parts = [positions.tobytes(), normals.tobytes(), indices.tobytes()]
    offsets = np.cumsum([0, *map(len, parts)]).tolist()
    views = [
        {"buffer": 0, "byteOffset": offset, "byteLength": len(part), "target": target}
        for offset, part, target in zip(offsets, parts, (_ARRAY_BUFFER, _ARRAY_BUFFER, _ELEMENT_BUFFER), strict=False)
    ]
    bounds = {"min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()}
    document = {
        "asset": {"version": "2.0", "generator": "EquiServe", "copyright": f"{fit.body.name}: {fit.body.licence}"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": fit.body.name, "mesh": 0, "translation": pelvis.tolist()}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "NORMAL": 1}, "indices": 2, "material": 0}]}],
        "materials": [
            {
                "pbrMetallicRoughness": {
                    "baseColorFactor": [0.55, 0.68, 0.82, 1.0],
                    "metallicFactor": 0.0,
                    "roughnessFactor": 0.9,
                }
            }
        ],
        "accessors": [
            {"bufferView": 0, "componentType": _FLOAT, "count": len(positions), "type": "VEC3", **bounds},
            {"bufferView": 1, "componentType": _FLOAT, "count": len(normals), "type": "VEC3"},
            {"bufferView": 2, "componentType": _UINT32, "count": len(indices), "type": "SCALAR"},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": offsets[-1]}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    content = b"".join(parts)  # whole numbers of four bytes
    total = 12 + 8 + len(text) + 8 + len(content)
    head = struct.pack("<IIIII", _GLTF, 2, total, len(text), _JSON)
    return head + text + struct.pack("<II", len(content), _BIN) + content


def to_obj(fit: BodyFit) -> bytes:
    """Return the mesh as Wavefront OBJ."""
    lines = [f"# {fit.statement}", f"# licence of the body: {fit.body.licence}", f"o {fit.body.name}"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in fit.vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (fit.body.faces + 1).tolist()]
    return ("\n".join(lines) + "\n").encode()


def to_ply(fit: BodyFit) -> bytes:
    """Return the mesh as binary little-endian PLY."""
    header = (
        f"ply\nformat binary_little_endian 1.0\ncomment {fit.body.name}: {fit.body.licence}\n"
        f"element vertex {len(fit.vertices)}\nproperty float x\nproperty float y\nproperty float z\n"
        f"element face {len(fit.body.faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = np.empty(len(fit.body.faces), np.dtype([("n", "u1"), ("corners", "<i4", (3,))]))
    rows["n"], rows["corners"] = 3, fit.body.faces
    return header.encode() + fit.vertices.astype("<f4").tobytes() + rows.tobytes()


def to_npz(fit: BodyFit) -> bytes:
    """Return parameters, joints, mesh and labels as arrays of an `.npz`, by the names of the JSON answer."""
    arrays = {
        "global_orient": fit.global_orient,
        "body_pose": fit.body_pose,
        "betas": fit.betas,
        "transl": fit.transl,
        "joints": fit.joints,
        "part_confidence": fit.part_mass,
        "vertices": fit.vertices,
        "faces": fit.body.faces,
        "residual_mm": np.array(1e3 * fit.misfit.to_surface),
        "quality": np.array(fit.quality.level),
        "body": np.array(fit.body.name),
        "licence": np.array(fit.body.licence),
    }
    if fit.labels is not None:
        arrays["labels"] = fit.labels
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return unit normals of the vertices, [V, 3]; that of a vertex without a face is up."""
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.stack(
        [np.bincount(faces.ravel(), np.repeat(across[:, axis], 3), len(vertices)) for axis in range(3)], axis=1
    )
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(lengths > 1e-12, sums / np.maximum(lengths, 1e-12), (0.0, 1.0, 0.0))
