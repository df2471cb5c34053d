# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide of the operator of Jupyter servers tells the rights that its role gives."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions_data import WORK

PAGE = Path(__file__).resolve().parents[3] / "docs" / "jupyter-operator.md"
ROW = re.compile(r"^\| `([a-z0-9./-]*)` \| `([a-z./-]+)` \| ([a-z ]+) \|", re.MULTILINE)


def test_the_rights_of_the_guide_are_those_of_the_role():
    told = [
        ("" if group == "v1" else group, resource, set(verbs.split()))
        for group, resource, verbs in ROW.findall(PAGE.read_text(encoding="utf-8"))
    ]
    assert told == [(group, resource, set(verbs.split())) for group, resource, verbs in WORK["jupyter"]]
