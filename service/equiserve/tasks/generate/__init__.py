"""Pictures drawn by a diffusion model, a step at a time: each step is an ordinary call of the model."""

from equiserve.tasks.generate.encoding import Encoded, encode, entity_tag, wanted_format
from equiserve.tasks.generate.events import Completed, GenerateEvent, Preview, Progress
from equiserve.tasks.generate.parameters import GenerateParameters, GenerateRequest
from equiserve.tasks.generate.program import Generation, generate_events, plan_generation
from equiserve.tasks.generate.under_way import UnderWay

__all__ = [
    "Completed",
    "Encoded",
    "GenerateEvent",
    "GenerateParameters",
    "GenerateRequest",
    "Generation",
    "Preview",
    "Progress",
    "UnderWay",
    "encode",
    "entity_tag",
    "generate_events",
    "plan_generation",
    "wanted_format",
]
