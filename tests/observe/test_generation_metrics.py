"""What was drawn shows in the metrics, by solver and outcome."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from equiserve.engine import RequestContext
from equiserve.errors import DeadlineExceeded, Overloaded
from equiserve.observe.metrics import GenerationCollector
from equiserve.tasks.generate import GenerateRequest
from generator_planes import draw, generator_plane, write_generators


async def test_generations_are_counted_by_solver_and_outcome(tmp_path: Path) -> None:
    async with generator_plane(write_generators(tmp_path / "models"), tmp_path / "cache") as plane:
        registry = CollectorRegistry()
        registry.register(GenerationCollector(plane.generations))
        subject = {"model": "steered", "version": "1", "solver": "ddim"}

        def value(name: str, **labels: str) -> float | None:
            return registry.get_sample_value(name, labels)

        await draw(plane, n=3, steps=4, solver="ddim")
        with pytest.raises((DeadlineExceeded, Overloaded)):
            await draw(plane, steps=1000, n=64, solver="heun", deadline=0.0)
        planned = await plane.plan_generation(GenerateRequest("steered", steps=500, solver="ddim"))
        events = plane.generate_events(planned, RequestContext("id"), progress=True)
        await anext(events)
        assert value("equiserve_generations_under_way") == value("equiserve_generation_rows") == 1
        await events.aclose()
        assert value("equiserve_generations_total", **subject, outcome="completed") == 1
        assert value("equiserve_generations_total", **subject, outcome="CANCELED") == 1
        assert value("equiserve_generated_pictures_total", **subject) == 3
        assert value("equiserve_generation_calls_total", **subject) == 4
        assert value("equiserve_generations_under_way") == 0
