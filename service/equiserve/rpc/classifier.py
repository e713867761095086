"""`equiserve.v1.Classifier`: pictures in, class names and probabilities out."""

from __future__ import annotations

import grpc

from equiserve.dataplane import DataPlane
from equiserve.engine import RequestContext
from equiserve.rpc.calls import parse, unary
from equiserve.rpc.generated import classifier_pb2
from equiserve.rpc.pictures import picture_of
from equiserve.tasks.classify import Classification, ClassifyRequest

SERVICE = "equiserve.v1.Classifier"
FILE = classifier_pb2.DESCRIPTOR


def classifier_handler(plane: DataPlane) -> grpc.GenericRpcHandler:
    """Return what a server needs to serve the classifier."""

    async def classify(raw: bytes, context: RequestContext) -> bytes:
        request = classify_request(parse(classifier_pb2.ClassifyRequest, raw))
        return serialised(await plane.classify(request, context))

    return grpc.method_handlers_generic_handler(
        SERVICE, {"Classify": unary(plane, f"{SERVICE}/Classify", "inference", classify, direct=True)}
    )


def classify_request(message: classifier_pb2.ClassifyRequest) -> ClassifyRequest:
    """Turn the message into the task's request; raises InvalidRequest for a picture that is none."""
    request = ClassifyRequest(
        model=message.model,
        version=message.version,
        runtime=message.runtime or None,
        pictures=[picture_of(picture, f"pictures[{position}]") for position, picture in enumerate(message.pictures)],
        priority=message.priority,
        symmetrize=message.symmetrize or None,
    )
    if message.HasField("top_k"):
        request.top_k = message.top_k
    return request


def serialised(classification: Classification) -> bytes:
    """Return a serialised ClassifyResponse."""
    response = classifier_pb2.ClassifyResponse(
        model=classification.model,
        version=classification.version,
        runtime=classification.runtime,
        guarantee=classification.guarantee,
        symmetrize=classification.symmetrize,
    )
    for predictions, resized_from in zip(classification.predictions, classification.resized_from, strict=True):
        entry = response.classifications.add()
        for prediction in predictions:
            entry.predictions.add(label=prediction.label, index=prediction.index, probability=prediction.probability)
        if resized_from is not None:
            entry.resized_from.height, entry.resized_from.width = resized_from
    for entry, strength in zip(response.classifications, classification.stability or (), strict=False):
        entry.stability.modal_share = strength.modal_share
        entry.stability.margin, entry.stability.entropy = strength.margin, strength.entropy
    answer: bytes = response.SerializeToString()
    return answer
