"""Body fitters for tests: graphs that give one fixed body about the centroid of whatever cloud they see."""

from pathlib import Path

import numpy as np
import yaml
from onnx import TensorProto, helper, numpy_helper

from equiserve.numerics.body_model import JOINT_NAMES

LABELLED = 512


def body_fitter(folder, person=None, probabilities=None, *, name="fitter", points=2048):
    """Write a model that answers `person` for every cloud: it moves with a cloud that is moved, but does not turn with
    one that is turned.

    Args:
        folder: The repository.
        person: `BodyParameters` relative to the centroid of the cloud; the rest pose at the centroid where None.
        probabilities: Of the first points, [512, 24]; uniform where None.
    """
    rotations = np.tile(np.eye(3), (24, 1, 1)) if person is None else person.rotations
    betas = np.zeros(10) if person is None else person.betas
    pelvis = np.zeros(3) if person is None else person.pelvis
    given = np.full((LABELLED, 24), 1 / 24) if probabilities is None else probabilities
    constants = {
        "rotations": rotations[None],
        "shape": betas[None],
        "pelvis": pelvis[None],
        "probabilities": given[None],
        "mass": given.mean(axis=0)[None],
    }
    initialisers = [numpy_helper.from_array(np.asarray(a, np.float32), key) for key, a in constants.items()]
    initialisers += [
        numpy_helper.from_array(np.array(values, np.int64), key)
        for key, values in {"one": [1], "first": [0], "last": [1], "of_batch": [0]}.items()
    ]
    nodes = [
        helper.make_node("ReduceMean", ["points", "one"], ["centroid"], keepdims=0),
        helper.make_node("Add", ["centroid", "pelvis"], ["translation"]),
        # A zero a row, so that every output has the batch's size.
        helper.make_node("Sub", ["centroid", "centroid"], ["zeros3"]),
        helper.make_node("Slice", ["zeros3", "first", "last", "one"], ["zero"]),
        helper.make_node("Add", ["zero", "shape"], ["betas"]),
        helper.make_node("Add", ["zero", "mass"], ["part_mass"]),
        helper.make_node("Unsqueeze", ["zero", "one"], ["zero2"]),
        helper.make_node("Add", ["zero2", "probabilities"], ["part_probabilities"]),
        helper.make_node("Unsqueeze", ["zero2", "one"], ["zero3"]),
        helper.make_node("Add", ["zero3", "rotations"], ["global_rotations"]),
    ]
    shapes = {
        "global_rotations": ["batch", 24, 3, 3],
        "betas": ["batch", 10],
        "translation": ["batch", 3],
        "part_probabilities": ["batch", LABELLED, 24],
        "part_mass": ["batch", 24],
    }
    graph = helper.make_graph(
        nodes,
        "fitter",
        [helper.make_tensor_value_info("points", TensorProto.FLOAT, ["batch", "n", 3])],
        [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in shapes.items()],
        initialisers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path = Path(folder) / name / "1" / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    (Path(folder) / name / "model.yaml").write_text(yaml.safe_dump(manifest(name, points)))


def manifest(name, points=2048):
    world = {"frame": "world"}
    return {
        "schema": 1,
        "name": name,
        "task": "fit",
        "inputs": [
            {"name": "points", "datatype": "FP32", "shape": [-1, -1, 3], "axes": ["batch", "item", "coord"]}
            | {"kind": "point", "rep": "V", "units": "m"}
            | world
        ],
        "outputs": [
            {"name": "global_rotations", "datatype": "FP32", "shape": [-1, 24, 3, 3]}
            | {"axes": ["batch", "joint", "coord", "body_coord"], "kind": "rotation"}
            | world,
            {"name": "betas", "datatype": "FP32", "shape": [-1, 10], "axes": ["batch", "coefficient"]}
            | {"kind": "shape_coefficients", "invariant": True},
            {"name": "translation", "datatype": "FP32", "shape": [-1, 3], "axes": ["batch", "coord"]}
            | {"kind": "point", "rep": "V", "units": "m"}
            | world,
            {"name": "part_probabilities", "datatype": "FP32", "shape": [-1, LABELLED, 24]}
            | {"axes": ["batch", "item", "class"], "kind": "probabilities", "invariant": True},
            {"name": "part_mass", "datatype": "FP32", "shape": [-1, 24], "axes": ["batch", "class"]}
            | {"kind": "probabilities", "invariant": True},
        ],
        "frames": {"world": {"dim": 3, "units": "m"}},
        "groups": {"SE3": {"name": "SE3", "frame": "world"}},
        "symmetries": [{"group": "SE3", "level": "approximate"}],
        "labels": list(JOINT_NAMES),
        "batching": {"max_batch": 4},
        "task_options": {"points": points, "labelled_points": LABELLED, "body": "openbody"},
    }
