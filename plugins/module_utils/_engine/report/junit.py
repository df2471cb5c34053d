# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as JUnit XML, for CI servers.

Kept to what the two common schemas share, that of Ant's junitreport (windyroad) and that of Jenkins' xunit plugin
(junit-10.xsd): attributes only on suites, properties only in suites, one failure a test case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from xml.etree import ElementTree

from ..values.model import ModelVerdict
from .contents import Entry

# XML 1.0, section 2.2: what is outside Char cannot be written, not even as a reference.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# The schemas want a time stamp; a report holds no time but those of the runs.
_NEVER = "1970-01-01T00:00:00"
_TRACEBACK_LINES = 200


def render(entries: Sequence[Entry], title: str, source: dict, models: Sequence[ModelVerdict] = ()) -> bytes:
    """Return junit.xml: a test suite a directory, a test case a notebook; models are a suite of their own."""
    suites: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.verdict.notebook):
        suites.setdefault(str(PurePosixPath(entry.verdict.notebook).parent), []).append(entry)
    root = ElementTree.Element("testsuites")
    for number, (directory, members) in enumerate(sorted(suites.items())):
        root.append(
            _suite(number, directory, members, {"title": title, **{f"source.{k}": v for k, v in source.items()}})
        )
    if models:
        root.append(_models(len(root), models))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _suite(number: int, directory: str, members: list[Entry], facts: dict[str, str]) -> ElementTree.Element:
    name = "notebooks" if directory == "." else directory
    suite = ElementTree.Element(
        "testsuite",
        {
            "id": str(number),
            "name": _text(name),
            "package": _package(directory),
            "timestamp": min(filter(None, (entry.started() for entry in members)), default=_NEVER),
            "hostname": "localhost",
            "tests": str(len(members)),
            "failures": str(sum(entry.verdict.status != "succeeded" for entry in members)),
            "errors": "0",
            "time": _seconds(sum(entry.verdict.duration for entry in members)),
        },
    )
    properties = ElementTree.SubElement(suite, "properties")
    for entry in members:
        verdict = entry.verdict
        facts = {
            **facts,
            f"{verdict.notebook}: tier": verdict.tier,
            f"{verdict.notebook}: environment": verdict.environment,
            f"{verdict.notebook}: cached": str(verdict.cached).lower(),
        }
    for key, value in facts.items():
        if value:
            ElementTree.SubElement(properties, "property", {"name": _text(key), "value": _text(value)})
    suite.extend(_case(entry, directory) for entry in members)
    ElementTree.SubElement(suite, "system-out").text = ""
    ElementTree.SubElement(suite, "system-err").text = "".join(
        _text(f"{entry.verdict.notebook}: {warning}\n") for entry in members for warning in entry.verdict.warnings
    )
    return suite


def _models(number: int, models: Sequence[ModelVerdict]) -> ElementTree.Element:
    suite = ElementTree.Element(
        "testsuite",
        {
            "id": str(number),
            "name": "model validation",
            "package": "model-validation",
            "timestamp": _NEVER,
            "hostname": "localhost",
            "tests": str(len(models)),
            "failures": str(sum(model.status == "failed" for model in models)),
            "errors": "0",
            "time": _seconds(0),
        },
    )
    properties = ElementTree.SubElement(suite, "properties")
    for model in models:
        place = {"name": _text(f"{model.title}: url"), "value": _text(model.url or "unknown")}
        ElementTree.SubElement(properties, "property", place)
        named = {
            "classname": f"model-validation.{_text(model.platform)}",
            "name": _text(model.title),
            "time": _seconds(0),
        }
        case = ElementTree.SubElement(suite, "testcase", named)
        if model.status == "failed":
            attributes = {"type": _text(model.code or "failed"), "message": _text(model.cause or "")}
            advice = "What to do:\n" + "\n".join(f"- {action}" for action in model.advice) if model.advice else ""
            parts = (f"{model.title} ({model.platform})", model.cause, advice)
            ElementTree.SubElement(case, "failure", attributes).text = _text("\n\n".join(filter(None, parts)))
    ElementTree.SubElement(suite, "system-out").text = "".join(
        _text(f"{model.title}: {name}: {check['status']}: {check['message']}\n")
        for model in models
        for name, check in model.checks.as_dict().items()
    )
    ElementTree.SubElement(suite, "system-err").text = ""
    return suite


def _case(entry: Entry, directory: str) -> ElementTree.Element:
    verdict = entry.verdict
    case = ElementTree.Element(
        "testcase",
        {
            "classname": _package(directory),
            "name": _text(PurePosixPath(verdict.notebook).name),
            "time": _seconds(verdict.duration),
        },
    )
    if verdict.status != "succeeded":
        attributes = {"type": _text(verdict.code or "failed"), "message": _text(verdict.cause or "")}
        ElementTree.SubElement(case, "failure", attributes).text = _text(_explanation(entry))
    return case


def _explanation(entry: Entry) -> str:
    verdict = entry.verdict
    parts = [verdict.notebook + (f", cell {verdict.cell}" if verdict.cell is not None else "")]
    parts += [verdict.cause] if verdict.cause else []
    parts += ["What to do:\n" + "\n".join(f"- {action}" for action in verdict.advice)] if verdict.advice else []
    failing = [cell for cell in verdict.cells if cell.index == verdict.cell]
    for cell in failing:
        parts.append("\n".join(cell.traceback[-_TRACEBACK_LINES:]) or cell.error or "")
    if verdict.comparison:
        parts += [
            f"cell {diff.cell}: {diff.message}" + (f"\n{diff.diff}" if diff.diff else "")
            for diff in verdict.comparison.diffs
        ]
    return "\n\n".join(part for part in parts if part)


def _package(directory: str) -> str:
    return _text("notebooks" if directory == "." else directory.strip("/").replace("/", "."))


def _seconds(duration: float) -> str:
    return f"{duration:.3f}"


def _text(text: str) -> str:
    return _NOT_XML.sub("", text)
