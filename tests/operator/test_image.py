# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator's image installs is what the operator imports, and what was asked for."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_deployed import COLLECTION, ROOT

OURS = "ansible_collections.mlops.notebooks"
OPERATORS = ("notebook_operator", "jupyter_operator", "operator_common")
# What runs in the notebook's own environment is sent there as text. The others are optional, and their absence is told.
IN_PODS = ("run/program.py", "run/pod/inside.py")
OPTIONAL = {"openshift", "boto3", "botocore", "pipreqs", "uv", "tomli"}


def file_of(module: str) -> Path | None:
    """The file of a module of ours, in the collection or beside it."""
    places = [ROOT / "operator" / module.replace(".", "/")]
    if module.startswith(f"{OURS}."):
        places = [COLLECTION / module[len(OURS) + 1 :].replace(".", "/")]
    found = [one for place in places for one in (place.with_suffix(".py"), place / "__init__.py") if one.exists()]
    return found[0] if found else None


def imports(module: str, path: Path) -> set[str]:
    """The modules that a file names, whether they are modules or what is in them."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


def third_party() -> set[str]:
    """The distributions that the operators may import, themselves or by the engine."""
    ours = ROOT / "operator"
    files = (path for operator in OPERATORS for path in (ours / operator).rglob("*.py"))
    paths = (path.relative_to(ours).with_suffix("") for path in files)
    todo = [".".join(path.parts) for path in paths]
    seen, found = set(), set()
    while todo:
        module = todo.pop()
        path = file_of(module)
        if path is None or path in seen or str(path).endswith(IN_PODS):
            continue
        seen.add(path)
        for name in imports(module, path):
            top = name.partition(".")[0]
            if top in ("ansible_collections", *OPERATORS):
                todo.append(name)
            elif top not in sys.stdlib_module_names | OPTIONAL:
                found.add(top)
    provided = packages_distributions()
    return {canonicalize_name(provided[name][0]) for name in found}


def requirements() -> dict[str, Requirement]:
    lines = (ROOT / "operator" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(one.name): one for one in found}


def test_what_the_operator_imports_is_asked_for():
    brought = {"markupsafe"}  # by jinja2, of which it is a part
    assert third_party() - set(requirements()) - brought == set()


def test_the_lock_pins_all_of_it_by_hashes_and_names_no_index():
    text = (ROOT / "operator" / "requirements.lock").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))
    wrong = {name: str(one) for name, one in requirements().items() if not one.specifier.contains(pins.get(name, "0"))}
    assert wrong == {}, "Run make operator-lock."
    blocks = re.split(r"\n(?=\w)", text)
    assert len(blocks) >= len(pins) and all("--hash=sha256:" in one for one in blocks if "==" in one.splitlines()[0])
    assert "://" not in text and "index" not in text


def test_the_tarball_has_what_the_image_is_built_of():
    lines = (ROOT / "operator" / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["build_ignore"]
    assert copied and all((ROOT / name).exists() for name in copied)
    assert not {part for name in copied for part in (name, name.split("/")[0])} & set(ignored)
    packed = (ROOT / "roles" / "validator_operator" / "vars" / "main.yml").read_text(encoding="utf-8")
    context = set(yaml.safe_load(packed)["validator_operator__context"])
    assert set(copied) <= context  # what OpenShift is sent
