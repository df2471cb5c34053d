#!/usr/bin/python
# Copyright: (c) 2026, mlops.notebooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: notebook_report
short_description: Report verdicts on notebooks as HTML, JUnit XML and JSON
version_added: "0.1.0"
description:
  - Writes the verdicts of M(mlops.notebooks.notebook_validation) as files for people and for CI servers.
  - C(index.html) is a summary with a page for each notebook. It opens from disk, loads nothing from a network, and runs no
    script that a notebook brought along.
  - C(junit.xml) holds one test case for each notebook, C(report.json) everything that is known.
  - The same verdicts give the same bytes. That a later run found its work done already does not change a report.
  - Files of an earlier report that are needed no longer are removed. Files that no report wrote are neither replaced nor removed.
author:
  - mlops.notebooks contributors (@mlops-notebooks)
extends_documentation_fragment:
  - mlops.notebooks.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the status of each notebook before and after.
  idempotent:
    support: full
requirements:
  - nbconvert >= 7.16 for the format V(html)
options:
  verdicts:
    description: Verdicts, as M(mlops.notebooks.notebook_validation) returns them in RV(mlops.notebooks.notebook_validation#module:verdicts).
    type: list
    elements: dict
    required: true
  report_dir:
    description: Directory of the report on the machine that the module runs on; made where it is missing.
    type: path
    required: true
    aliases: [path]
  title:
    description: Title of the report.
    type: str
    default: Notebook validation
  source:
    description: Where the notebooks came from, as the report shows it.
    type: dict
    suboptions:
      url:
        description: URL of the repository; credentials in it are not shown.
        type: str
      ref:
        description: Branch or tag.
        type: str
      commit:
        description: Commit that was validated.
        type: str
      path:
        description: Directory of the notebooks.
        type: str
  models:
    description:
      - Verdicts on models, as M(mlops.notebooks.model_validation) returns them in RV(mlops.notebooks.model_validation#module:models).
      - They have a section of their own in C(index.html), a test suite in C(junit.xml) and C(models) in C(report.json).
    type: list
    elements: dict
    default: []
  formats:
    description:
      - Formats to write.
      - V(json) is C(report.json), V(junit) is C(junit.xml), V(html) is C(index.html) and the directory C(notebooks).
    type: list
    elements: str
    choices: [json, junit, html]
    default: [json, junit, html]
seealso:
  - module: mlops.notebooks.notebook_validation
  - module: mlops.notebooks.model_validation
"""

EXAMPLES = r"""
- name: Write the report of a validation
  mlops.notebooks.notebook_report:
    verdicts: "{{ validation.verdicts }}"
    report_dir: build/reports
    title: Forecasts
    source:
      url: https://git.example.org/data/forecasts.git
      ref: main
  vars:
    validation:
      verdicts:
        - notebook: sales/monthly-summary.ipynb
          status: failed
          code: cell_error
          category: notebook
          cause: "Cell 3 raised KeyError: 'Atlantis'."
          cell: 3
          duration: 4.4

- name: Write only what the CI server reads
  mlops.notebooks.notebook_report:
    verdicts: []
    report_dir: build/ci
    formats: [junit]
"""

RETURN = r"""
paths:
  description: Absolute path of the main file of each format that was asked for.
  returned: success
  type: dict
  sample:
    html: /home/me/project/build/reports/index.html
    json: /home/me/project/build/reports/report.json
    junit: /home/me/project/build/reports/junit.xml
summary:
  description: Counts over the verdicts.
  returned: success
  type: dict
  contains:
    total:
      description: Number of verdicts.
      type: int
    succeeded:
      description: Notebooks that succeeded.
      type: int
    failed:
      description: Notebooks that failed.
      type: int
    cached:
      description: Verdicts that came from an earlier run of the same work.
      type: int
    warnings:
      description: Number of warnings over all notebooks.
      type: int
    by_code:
      description: Number of failed notebooks by code.
      type: dict
    by_category:
      description: Number of failed notebooks by category.
      type: dict
    by_tier:
      description: Number of notebooks by the tier that gave their requirements.
      type: dict
    environments:
      description: Number of distinct environments.
      type: int
    environments_cached:
      description: How many of them were found, not built.
      type: int
    duration:
      description: Sum of the durations of all runs, in seconds.
      type: float
"""

from ansible_collections.mlops.notebooks.plugins.module_utils._ansible import main
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.report import write
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.report.contents import read_models, read_verdicts
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.report.summary import summarize

ARGUMENT_SPEC = {
    "verdicts": {"type": "list", "elements": "dict", "required": True},
    "report_dir": {"type": "path", "required": True, "aliases": ["path"]},
    "title": {"type": "str", "default": write.TITLE},
    "source": {
        "type": "dict",
        "options": {"url": {"type": "str"}, "ref": {"type": "str"}, "commit": {"type": "str"}, "path": {"type": "str"}},
    },
    "models": {"type": "list", "elements": "dict", "default": []},
    "formats": {"type": "list", "elements": "str", "choices": list(write.FORMATS), "default": list(write.FORMATS)},
}


def perform(module, _progress) -> dict:
    verdicts = read_verdicts(module.params["verdicts"])
    result = write.write(
        verdicts,
        module.params["report_dir"],
        title=module.params["title"],
        source=module.params["source"],
        formats=module.params["formats"],
        models=read_models(module.params["models"]),
        check=module.check_mode,
    )
    return {**result, "summary": summarize(verdicts)}


if __name__ == "__main__":
    main(ARGUMENT_SPEC, perform, supports_check_mode=True)
