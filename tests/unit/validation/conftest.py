# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.make import make
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.validation.options import perform
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.base import plain
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution
from ansible_collections.mlops.notebooks.plugins.modules.notebook_validation import ARGUMENT_SPEC


@pytest.fixture(scope="session")
def cache():
    """A cache directory that a run under another UID can reach, unlike pytest's own."""
    directory = tempfile.mkdtemp(prefix="mlops-test-")
    os.chmod(directory, 0o755)
    yield Path(directory)
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def plain_environment(cache):
    """A real environment with the runner's packages only, as the module returns it."""
    (result,) = make([Resolution(notebook="any.ipynb", tier="base")], cache_dir=str(cache))
    assert result.environment, result.build.log_tail
    return plain(result)


def write_notebook(path: Path, *cells: str, tags: dict[int, list[str]] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [
        {
            "cell_type": "code",
            "id": f"c{index}",
            "metadata": {"tags": (tags or {}).get(index, [])},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for index, source in enumerate(cells)
    ]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    notebook = {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")


@dataclass
class Validator:
    """A source with notebooks, and the module called on it."""

    root: Path
    cache: Path
    environment: dict
    lines: list[str] = field(default_factory=list)

    def notebook(self, name: str, *cells: str, **options) -> None:
        write_notebook(self.root / name, *cells, **options)

    def environments(self, *notebooks: str, **changes) -> list[dict]:
        return [{**self.environment, "notebooks": list(notebooks), **changes}]

    def __call__(self, *, check_mode: bool = False, **options) -> dict:
        names = sorted(
            str(path.relative_to(self.root)) for path in self.root.rglob("*.ipynb") if "golden" not in path.parts
        )
        options = {"path": str(self.root), "environments": self.environments(*names), "workers": 2, **options}
        checked = ArgumentSpecValidator(ARGUMENT_SPEC).validate({"cache_dir": str(self.cache), **options})
        assert not checked.error_messages, checked.error_messages
        module = SimpleNamespace(params=checked.validated_parameters, check_mode=check_mode)
        result = perform(module, lambda event: self.lines.append(event["text"]))
        return {**result, "by_name": {verdict["notebook"]: verdict for verdict in result["verdicts"]}}


@pytest.fixture
def validate(tmp_path, cache, plain_environment):
    root = tmp_path / "source"
    root.mkdir()
    return Validator(root, cache, plain_environment)
