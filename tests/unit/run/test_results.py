# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that a runner or a notebook left is taken on trust."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run import results
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import RunRequest


@pytest.fixture
def request_(tmp_path):
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": [{"cell_type": "code"}, {"cell_type": "code"}]}))
    output = str(tmp_path / "taken")
    return RunRequest(id="n", python="python", source=str(tmp_path), notebook="n.ipynb", output=output)


@pytest.fixture
def left(tmp_path):
    """What a runner left: an executed notebook, and the content of its results file."""
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "executed.ipynb").write_text("{}")
    digest = hashlib.sha256(b"{}").hexdigest()
    return tmp_path / "left", {"id": "n", "notebook": "n.ipynb", "reason": "completed", "executed_sha256": digest}


def test_a_result_is_completed(left, request_):
    place, raw = left
    result = results.complete(raw, request_, str(place), uid=7)
    assert (result.reason, result.uid, Path(result.executed).read_text()) == ("completed", 7, "{}")


@pytest.mark.parametrize("change", [{"id": "other"}, {"reason": "fine"}, {"executed_sha256": "0" * 64}])
def test_results_that_do_not_fit_are_refused(left, request_, change):
    place, raw = left
    with pytest.raises(results.Corrupt):
        results.complete({**raw, **change}, request_, str(place))
    assert not os.path.exists(os.path.join(request_.output, "executed.ipynb"))
    assert not os.path.isdir(request_.output) or os.listdir(request_.output) == []


def test_a_results_file_must_match_its_checksum(tmp_path):
    (tmp_path / "results.json").write_text('{"reason": "completed"}')
    with pytest.raises(results.Corrupt):
        results.read_results(str(tmp_path / "results.json"), "0" * 64)


@pytest.mark.parametrize("kind", ["link", "pipe", "directory", "large"])
def test_only_a_plain_file_of_some_size_is_read(tmp_path, monkeypatch, kind):
    path = tmp_path / "results.json"
    if kind == "link":
        (tmp_path / "secret").write_text("{}")
        path.symlink_to(tmp_path / "secret")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        monkeypatch.setattr(results, "LARGEST_RESULTS", 1)
        path.write_text("{}")
    with pytest.raises((OSError, results.Corrupt)):
        results.read_results(str(path), hashlib.sha256(b"{}").hexdigest())


def test_what_a_dead_runner_told_is_kept(left, request_):
    place, _unused = left
    told = {0: {"index": 0, "type": "code", "status": "Success"}}
    result = results.salvage(told, request_, str(place), reason="kernel_died", cell=1)
    assert [cell.status for cell in result.cells] == ["Success", "Failure"]
    assert result.executed.endswith("executed.ipynb")


def test_a_half_notebook_is_not_taken(left, request_):
    place, _unused = left
    (place / "executed.ipynb").write_text('{"cells": [')
    result = results.salvage({}, request_, str(place), reason="interrupted", cell=1)
    assert result.executed is None and os.listdir(request_.output) == []
    assert [cell.status for cell in result.cells] == ["Skipped", "Skipped"]
