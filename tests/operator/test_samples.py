# SPDX-License-Identifier: GPL-3.0-or-later
"""Each sample is taken by the server, and by the operator; together they show every field."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
from face_support import DEFINITION, ROOT, Face
from operator_support import ApiServer

sys.path.insert(0, str(ROOT / "operator"))
from notebook_operator.asked import fields, schedule  # noqa: E402
from notebook_operator.asked.question import Question  # noqa: E402

SAMPLES = sorted((ROOT / "operator" / "samples").glob("*.yaml"))
# Samples that need what other operators bring show more than the server of these tests knows.
_OURS = ("NotebookValidationJob", "Secret", "ConfigMap", "PersistentVolumeClaim")


@pytest.fixture(scope="module")
def face():
    with ApiServer(profile="kubernetes", pods="none") as server:
        found = Face(server)
        found.define(DEFINITION)
        yield found


def documents(path: Path) -> list[dict]:
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_taken_by_the_server_and_by_the_operator(face, path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "---" and lines[2].startswith("# ") and len(lines[2]) > 20, "It says what it is for."
    jobs = 0
    for document in documents(path):
        if document["kind"] not in _OURS:
            continue
        status, found = face.apply(document, dry=True)
        assert status in (200, 201), found["message"]
        if document["kind"] == "NotebookValidationJob":
            jobs += 1
            Question.of(found["spec"])
            schedule.check(found["spec"])
    assert jobs


def test_the_samples_together_show_every_field_that_acts():
    shown = set()
    for path in SAMPLES:
        for document in documents(path):
            if document["kind"] == "NotebookValidationJob":
                shown |= {fields.covering(fields.ACTS, one) for one, _value in fields.leaves(document["spec"])}
    assert sorted(set(fields.ACTS) - shown) == []


def test_the_documentation_names_each_sample():
    text = (ROOT / "docs" / "operator.md").read_text(encoding="utf-8")
    assert [path.name for path in SAMPLES if f"../operator/samples/{path.name}" not in text] == []
