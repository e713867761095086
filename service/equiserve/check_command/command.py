"""What `equiserve check` does, prints and returns."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from equiserve.check_command.arguments import DEFAULT_URL
from equiserve.check_command.candidates import run_candidates
from equiserve.check_command.inputs import CheckInput, find_inputs
from equiserve.check_command.progress import ProgressLine
from equiserve.check_command.subjects import Asked, FileSubject, ServedSubject, Subject
from equiserve.checks.formats import FORMATS, Format
from equiserve.checks.formats.thumbnail import data_uri
from equiserve.checks.gated import gated_report
from equiserve.errors import InvalidRequest, NotFound
from equiserve.settings import Settings
from equiserve.symmetry.gates import gate_from_text

#: What the process says with its exit code; 2 is a wrong command line, or a check that could not be run.
EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3, "not_informative": 3}


def run(options: argparse.Namespace) -> int:
    """Run a check, print what it found and write the reports; returns the exit code.

    Raises:
        EquiServeError, OSError: It could not be run, or a report could not be written.
    """
    if options.candidates:
        return run_candidates(options)
    gates = [gate_from_text(text) for text in options.gate]
    forms = [(path, _form(path)) for path in options.report]
    inputs = find_inputs(options.data, options.inputs)
    if options.unit != "auto" and not any(given.is_cloud for given in inputs):
        raise InvalidRequest("--unit: it is of the points of clouds, and no file of a cloud came", field="unit")
    subject = _subject(options)
    try:
        asked = Asked(options.group, options.elements, options.reference, options.search, options.unit)
        reports = _check_all(subject, inputs, asked)
    finally:
        subject.close()
    report = gated_report(reports, gates)
    print("\n".join(_said(report)))
    for path, form in forms:
        path.write_bytes(form.render(report))
        print(f"written: {path}")
    return EXIT_CODES[report["verdict"]["status"]]


def _check_all(subject: Subject, inputs: list[CheckInput], asked: Asked) -> dict[str, dict[str, Any]]:
    line = ProgressLine(sys.stderr, len(inputs))
    reports = {}
    try:
        for index, given in enumerate(inputs):
            line.tell(index, given.name, 0.0)
            report = subject.check(given, asked, partial(line.tell, index, given.name))
            if not given.is_cloud and not isinstance(content := given.read(), Mapping):
                report["picture"] = data_uri(content)
            reports[given.name] = report
    finally:
        line.clear()
    return reports


def _subject(options: argparse.Namespace) -> Subject:
    path = Path(options.model)
    if options.url is None and path.exists():
        return FileSubject(path, options.timeout, unit_range=options.unit_range, input_fit=options.input_fit)
    if options.url is None and (path.suffix in (".onnx", ".pt") or len(path.parts) > 1):
        raise NotFound(f"model: {path} is not there", field="model")
    if options.unit_range or options.input_fit:
        raise InvalidRequest(
            "--unit-range and --input-fit are for model files; a server's model has a manifest", field="model"
        )
    return ServedSubject(options.model, options.url or DEFAULT_URL, Settings().token, options.timeout)


def _form(path: Path) -> Format:
    fitting = [form for form in FORMATS if path.name.endswith(form.suffix)]
    if not fitting:
        known = ", ".join(form.suffix for form in FORMATS)
        raise InvalidRequest(f"report: {path} ends in none of {known}", field="report")
    # `.vl.json` ends in `.json` too.
    return max(fitting, key=lambda form: len(form.suffix))


def _said(report: dict[str, Any]) -> list[str]:
    """Return the lines for a person: the verdict in capitals, the finding, why, what to do."""
    verdict = report["verdict"]
    lines = [f"{verdict['status'].upper().replace('_', ' ')}: {report['statement']}"]
    lines += [f"  {gate['status']:<12} {gate['reason']}" for gate in report["gates"]]
    if not report["gates"] and verdict["reason"] != report["statement"]:
        lines.append(f"  {verdict['reason']}")
    if verdict["next_step"]:
        lines.append(f"  {verdict['next_step']}")
    return lines
