"""`equiserve check --candidates`: every symmetry that a model declares, against what it declares of each."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import orjson

from equiserve.check_command.arguments import DEFAULT_URL
from equiserve.check_command.subjects import client_of
from equiserve.checks.candidates import CandidatesRequest
from equiserve.checks.candidates.request import DEFAULT_ELEMENTS
from equiserve.engine import RequestContext
from equiserve.errors import InvalidRequest, NotFound
from equiserve.settings import Settings

_WORDS = {"holds": "HOLDS", "violated": "VIOLATED", "more_symmetric": "MORE SYMMETRIC", "inconclusive": "INCONCLUSIVE"}


def run_candidates(options: argparse.Namespace) -> int:
    """Check, print a line a candidate, write the report as JSON; returns the exit code.

    Returns:
        0 where every candidate holds as declared, is more symmetric or claims nothing; 1 where one is violated or
        refused; 3 where only more elements would tell.

    Raises:
        EquiServeError, OSError: It could not be run, or the report could not be written.
    """
    if options.gate or options.group:
        field = "gate" if options.gate else "group"
        raise InvalidRequest(f"--{field}: --candidates checks all declared groups by what is declared", field=field)
    if options.unit != "auto":
        raise InvalidRequest("--unit: --candidates takes arrays by name, which have the model's units", field="unit")
    if wrong := [path for path in options.report if path.suffix != ".json"]:
        raise InvalidRequest(f"report: {wrong[0]}: --candidates writes .json", field="report")
    inputs = read_named(options.data)
    report = (
        _served(options, inputs)
        if _is_served(options)
        else asyncio.run(_in_process(Path(options.model).resolve(), options, inputs))
    )
    print(report["statement"])
    for found in report["candidates"]:
        word = _WORDS.get(found["status"], found["status"].upper().replace("_", " "))
        print(f"  {word:<15} {found['group']} ({found['name']}): {found['reason']}")
        for warning in found["warnings"]:
            print(f"  {'':<15} warning: {warning}", file=sys.stderr)
    for path in options.report:
        path.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
        print(f"written: {path}")
    statuses = {found["status"] for found in report["candidates"]}
    if not report["agrees"]:
        return 1
    return 3 if "inconclusive" in statuses else 0


def read_named(paths: list[Path]) -> dict[str, np.ndarray]:
    """Return the arrays of one `.npz` file, by the names of a model's inputs.

    Raises:
        NotFound: It is not there.
        InvalidRequest: It is none, or several came.
    """
    if len(paths) != 1 or paths[0].suffix != ".npz":
        raise InvalidRequest(
            f"data: got {[str(path) for path in paths]}, expected one .npz file with an array for each input, an input "
            "a row",
            field="data",
        )
    if not paths[0].is_file():
        raise NotFound(f"data: {paths[0]} is not there", field="data")
    try:
        with np.load(paths[0], allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise InvalidRequest(f"data: {paths[0]} is no NumPy file of plain arrays: {error}", field="data") from None


def _is_served(options: argparse.Namespace) -> bool:
    path = Path(options.model)
    if options.url is not None or (len(path.parts) == 1 and not path.exists()):
        return True
    if not path.is_dir():
        raise NotFound(f"model: {path} is no folder of a model with a manifest", field="model")
    return False


def _served(options: argparse.Namespace, inputs: Mapping[str, np.ndarray]) -> Mapping[str, Any]:
    with client_of(options.url or DEFAULT_URL, Settings().token, options.timeout) as client:
        return client.check_candidates(options.model, inputs, elements=options.elements)


async def _in_process(path: Path, options: argparse.Namespace, inputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    from equiserve.server import build_plane

    plane, scheduler = build_plane(Settings(models=path.parent, smoke_check=False))
    try:
        await plane.repository.load(path.name)
        request = CandidatesRequest(path.name, inputs, elements=options.elements or DEFAULT_ELEMENTS)
        deadline = asyncio.get_running_loop().time() + options.timeout
        return await plane.check_candidates(request, RequestContext("command-line", deadline))
    finally:
        await plane.close()
        plane.repository.close()
        plane.compute.stop()
        scheduler.stop(timeout_s=5)
