"""A report as JUnit XML: a test case for each gate, or for each input where no gate was set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from equiserve.checks.formats.parts import name_of
from equiserve.checks.plots.canvas import legible

# JUnit has no word for "cannot say": what was not decided must not turn a build green, what says nothing is skipped.
_OUTCOME = {"fail": "failure", "inconclusive": "error", "not_informative": "skipped"}


def to_junit(report: Mapping[str, Any]) -> bytes:
    """Return a JUnit XML document in UTF-8, as continuous integration servers read it."""
    suite = f"{report['model']}, version {report['version']}: {report['group']['name']}"
    if report.get("gates"):
        cases = [(gate["gate"], gate) for gate in report["gates"]]
    else:
        cases = [(name_of(row), _verdict(row)) for row in report.get("inputs", [report])]
    outcomes = [_OUTCOME.get(verdict["status"]) for _, verdict in cases]
    seconds = f"{report['cost']['wall_ms'] / 1e3:.3f}"
    counts = {
        "tests": len(cases),
        "failures": outcomes.count("failure"),
        "errors": outcomes.count("error"),
        "skipped": outcomes.count("skipped"),
    }
    attributes = " ".join(f'{name}="{count}"' for name, count in counts.items())
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites {attributes} time="{seconds}">',
        f'  <testsuite name={_quoted(suite)} {attributes} time="{seconds}">',
    ]
    for (name, verdict), outcome in zip(cases, outcomes, strict=True):
        case = f"    <testcase classname={_quoted(suite)} name={_quoted(name)}"
        if outcome is None:
            lines.append(f"{case}/>")
            continue
        text = " ".join(part for part in (verdict["reason"], verdict.get("next_step")) if part)
        message = f"message={_quoted(verdict['reason'])}"
        lines.append(f"{case}><{outcome} {message}>{escape(legible(text))}</{outcome}></testcase>")
    lines += [f"    <system-out>{escape(legible(report['statement']))}</system-out>", "  </testsuite>", "</testsuites>"]
    return "\n".join([*lines, ""]).encode()


def _verdict(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an input's verdict; one that could not be checked leaves the question open."""
    if "error" in row:
        return {"status": "inconclusive", "reason": row["error"]["error"], "next_step": None}
    verdict: Mapping[str, Any] = row["verdict"]
    return verdict


def _quoted(words: str) -> str:
    return quoteattr(legible(words))
