#!/usr/bin/python
# Copyright: (c) 2026, mlops.notebooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The requirements ladder as a module."""

from __future__ import annotations

DOCUMENTATION = r"""
module: notebook_requirements
short_description: Find out what notebooks need to run
version_added: "0.1.0"
author:
  - mlops.notebooks contributors (@mlops-notebooks)
description:
  - Climbs the requirements ladder for one or many notebooks and says for each line where it came from.
  - V(declared) is taken where a file declares requirements - O(requirements_file), else the first file of
    O(requirements_sources) that exists, else inline script metadata in the notebook (PEP 723), else the nearest file
    from the notebook's directory upward to O(path). The imports of the notebook are checked against it, since such
    files are often incomplete.
  - V(generated) is taken where nothing is declared and O(generate) or O(fallback=auto) asks for it. The lines come from
    the imports of all cells and from known implicit needs, refined by what the cells install.
  - V(inline) is taken where nothing is declared and nothing is to be generated. The lines are what the cells install,
    by C(%pip), C(!pip) and their kin.
  - V(base) is what remains - no requirement is known.
  - Nothing is run or written, and nothing is fetched from a network unless O(pin=index).
extends_documentation_fragment:
  - mlops.notebooks.attributes
requirements:
  - python >= 3.10
  - packaging
  - PyYAML, to read C(environment.yml)
  - tomli, to read C(pyproject.toml) and C(Pipfile) with Python 3.10
  - pipreqs >= 0.5.0, for O(engine=pipreqs)
attributes:
  check_mode:
    support: full
    details: The module never changes anything.
  diff_mode:
    support: none
    details: The module never changes anything.
  idempotent:
    support: full
options:
  path:
    description:
      - Directory that holds the notebooks, and above which no requirements file is looked for.
      - A declared file that names anything outside it is refused.
    type: path
    required: true
  notebooks:
    description:
      - Paths or globs relative to O(path). C(*) stays within one directory, C(**) crosses directories.
      - By default all C(*.ipynb) files; checkpoints, hidden directories and virtual environments are left out.
    type: list
    elements: str
  exclude:
    description:
      - Globs of notebooks to leave out. One without a slash matches a file or directory of that name at any depth.
    type: list
    elements: str
    default: []
  requirements_file:
    description:
      - File that declares the requirements of all notebooks, relative to O(path). It goes before anything else.
      - Its format is known by its name. A name that is not among the usual ones is read by its ending - as pip's
        requirements format (C(.txt), C(.in), C(.pip), none), C(pyproject.toml) (C(.toml)), C(setup.cfg) (C(.cfg)),
        C(setup.py) (C(.py)) or conda environment (C(.yml), C(.yaml)).
    type: str
  requirements_sources:
    description:
      - Files, relative to O(path), of which the first that exists declares the requirements of all notebooks.
      - Where none exists, a warning says so and the usual files are looked for.
    type: list
    elements: str
    default: []
  generate:
    description:
      - Generate requirements from the notebook's code where nothing is declared.
    type: bool
    default: false
  fallback:
    description:
      - What to do where the declared files do not suffice.
      - V(warn) goes on and warns, once for each import that no line covers.
      - V(fail) also warns, and fails where no requirement is known for a notebook that needs some.
      - V(auto) generates where nothing is declared, and adds to a declared file the imports that it lacks.
    type: str
    choices: [warn, fail, auto]
    default: warn
  engine:
    description:
      - What reads the imports.
      - V(builtin) reads each cell as IPython does, and knows implicit needs, guarded imports and namespaces.
      - V(pipreqs) uses the scan and the name table of the Python package pipreqs, without network. It knows plain
        imports only.
    type: str
    choices: [builtin, pipreqs]
    default: builtin
  pin:
    description:
      - Whether to give a version to the generated and inline lines that have none. Declared lines stay as they are.
      - V(environment) takes the versions that are installed for O(pin_python).
      - V(index) takes the versions that C(uv) (else C(pip)) resolves all lines of the notebook to, from the package
        index that it is configured for on the machine. This is the only setting that uses a network.
    type: str
    choices: [none, environment, index]
    default: none
  pin_python:
    description:
      - Python interpreter for O(pin), such as that of a virtual environment.
      - By default the interpreter that runs the module.
    type: path
notes:
  - A notebook that cannot be resolved does not hold up the others - it is listed in RV(refused). The module fails where
    O(notebooks) names that notebook by its path, where O(fallback=fail) refuses it, and where no notebook is left;
    RV(resolutions) and RV(refused) are returned then as well.
  - A declared file with a password or token in a URL is refused, since requirement lines are shown and stored. Write
    C(${NAME}) in its place; pip and uv put the environment variable in.
seealso:
  - module: mlops.notebooks.notebook_environment
  - module: mlops.notebooks.notebook_validation
"""

EXAMPLES = r"""
- name: Find out what the notebooks need
  mlops.notebooks.notebook_requirements:
    path: examples/notebooks
  register: needs

- name: Show each line with the place that it came from
  ansible.builtin.debug:
    msg: "{{ item.notebook }} ({{ item.tier }}): {{ item.requirements | join(', ') }}"
  loop: "{{ needs.resolutions }}"
  loop_control:
    label: "{{ item.notebook }}"

- name: Generate what nobody has declared, and add what the declared files lack
  mlops.notebooks.notebook_requirements:
    path: examples/notebooks
    notebooks:
      - "sales/*.ipynb"
    fallback: auto

- name: Generate with the versions that an environment holds
  mlops.notebooks.notebook_requirements:
    path: examples/notebooks
    generate: true
    pin: environment
    pin_python: "{{ ansible_playbook_python }}"
"""

RETURN = r"""
resolutions:
  description: One resolution a notebook, in the order of their paths.
  returned: always
  type: list
  elements: dict
  contains:
    notebook:
      description: Path of the notebook relative to O(path).
      type: str
      sample: reports/sales.ipynb
    tier:
      description: The tier taken, one of V(declared), V(generated), V(inline), V(base).
      type: str
      sample: declared
    requirements:
      description:
        - PEP 508 lines and pip options, fit for a requirements file that lies in O(path).
        - Paths in them are relative to O(path).
      type: list
      elements: str
      sample: ["pandas>=2", "matplotlib"]
    provenance:
      description: Where each line came from.
      type: list
      elements: dict
      contains:
        requirement:
          description: The line.
          type: str
        tier:
          description: The tier that gave it; a declared file may be completed from other tiers.
          type: str
        reason:
          description: What asked for it, such as V(declared), V(import pandas), V(%pip install).
          type: str
        file:
          description: The file, relative to O(path).
          type: str
        cell:
          description: Index of the cell, counted from 0.
          type: int
        line:
          description: Line in the file or cell, counted from 1.
          type: int
    warnings:
      description: What a person should look at, one sentence each.
      type: list
      elements: str
    unresolved:
      description: What looks like a need but gave no requirement line.
      type: list
      elements: dict
      contains:
        name:
          description: Import name, or text of the line or command.
          type: str
        reason:
          description: What is wrong and what to do.
          type: str
        file:
          description: The file, relative to O(path).
          type: str
        cell:
          description: Index of the cell, counted from 0.
          type: int
        line:
          description: Line in the file or cell, counted from 1.
          type: int
    python_requires:
      description: What the declared files ask of Python, as a version specifier.
      type: str
      sample: ">=3.10"
    kernel:
      description: Kernel that the notebook asks for.
      type: str
      sample: python3
    imports:
      description: Imports that the requirement lines promise, with the distribution that provides each.
      type: dict
      sample: {"sklearn": "scikit-learn"}
refused:
  description: The notebooks that have no resolution.
  returned: always
  type: list
  elements: dict
  contains:
    notebook:
      description: Path of the notebook relative to O(path).
      type: str
    code:
      description: Code of the error, such as V(requirements_invalid), V(requirements_missing), V(kernel_unsupported).
      type: str
    message:
      description: What is wrong and what to do, in one sentence.
      type: str
code:
  description: Code of the error that made the module fail.
  returned: on failure
  type: str
  sample: requirements_invalid
"""

from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._ansible import main
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.requirements.ladder import Options, resolve

ARGUMENT_SPEC = {
    "path": {"type": "path", "required": True},
    "notebooks": {"type": "list", "elements": "str"},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "requirements_file": {"type": "str"},
    "requirements_sources": {"type": "list", "elements": "str", "default": []},
    "generate": {"type": "bool", "default": False},
    "fallback": {"type": "str", "choices": ["warn", "fail", "auto"], "default": "warn"},
    "engine": {"type": "str", "choices": ["builtin", "pipreqs"], "default": "builtin"},
    "pin": {"type": "str", "choices": ["none", "environment", "index"], "default": "none"},
    "pin_python": {"type": "path"},
}


def find_requirements(module, _progress) -> dict:
    """Answer one call of the module."""
    given = module.params
    options = Options(
        requirements_file=given["requirements_file"],
        requirements_sources=tuple(given["requirements_sources"]),
        generate=given["generate"],
        fallback=given["fallback"],
        engine=given["engine"],
        pin=given["pin"],
        pin_python=given["pin_python"],
        python_2=True,
    )
    outcome = resolve(Path(given["path"]), given["notebooks"], exclude=given["exclude"], options=options)
    return {"changed": False, **outcome.as_dict()}


if __name__ == "__main__":
    main(ARGUMENT_SPEC, find_requirements, supports_check_mode=True)
