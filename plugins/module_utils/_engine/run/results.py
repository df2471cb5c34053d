# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes what a runner wrote over to the caller's directory, believing none of it unseen."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile

from ..values.execution import REASONS, RunRequest, RunResult

LARGEST_RESULTS = 256 * 1024**2
LARGEST_NOTEBOOK = 1024**3


class Corrupt(Exception):
    """A file is not what the runner said it wrote."""


def read_results(path: str, digest: str) -> dict:
    """Return the content of a results file whose SHA-256 the runner told over its own channel.

    Raises FileNotFoundError, Corrupt.
    """
    with _open(path, LARGEST_RESULTS) as file:
        data = file.read()
    if hashlib.sha256(data).hexdigest() != digest:
        raise Corrupt(f"{os.path.basename(path)} does not match its checksum")
    return json.loads(data)


def take_notebook(path: str, target: str, digest: str | None) -> None:
    """Copy the executed notebook; digest None: a partial one, of a runner that ended before it could tell.

    Raises OSError, Corrupt.
    """
    found = hashlib.sha256()
    with _open(path, LARGEST_NOTEBOOK) as source, _replacing(target) as file:
        for block in iter(lambda: source.read(1 << 20), b""):
            found.update(block)
            file.write(block)
        if digest is not None and found.hexdigest() != digest:
            raise Corrupt(f"{os.path.basename(path)} does not match its checksum")
        if digest is None:
            _require_json(path)


def _require_json(path: str) -> None:
    with _open(path, LARGEST_NOTEBOOK) as file:
        try:
            json.load(file)
        except ValueError as error:
            raise Corrupt(f"{os.path.basename(path)} is no JSON") from error


def _open(path: str, largest: int):
    """Open a regular file, never through a link and never one that blocks."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_size > largest:
        file.close()
        raise Corrupt(f"{os.path.basename(path)} is no regular file of at most {largest} bytes")
    return file


@contextlib.contextmanager
def _replacing(target: str):
    """Give a file that takes the place of ``target`` when all went well; nothing is left otherwise."""
    number, part = tempfile.mkstemp(prefix=".part-", dir=os.path.dirname(target))
    try:
        with os.fdopen(number, "wb") as file:
            yield file
        os.chmod(part, 0o644)
        os.replace(part, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def store(result: RunResult, request: RunRequest) -> None:
    """Write the completed result beside the executed notebook, for whoever comes later."""
    os.makedirs(request.output, exist_ok=True)
    with _replacing(os.path.join(request.output, "results.json")) as file:
        file.write(json.dumps(result.as_dict()).encode())


def complete(raw: dict, request: RunRequest, output: str, **known) -> RunResult:
    """Return the result of a run that ended with a results file; its notebook is taken over.

    output: the runner's directory. known: what the launcher knows better.
    Raises OSError, Corrupt.
    """
    _require_this_run(raw, request)
    os.makedirs(request.output, exist_ok=True)
    target = os.path.join(request.output, "executed.ipynb")
    take_notebook(os.path.join(output, "executed.ipynb"), target, raw["executed_sha256"])
    return RunResult.from_dict({**raw, "executed": target, **known})


def _require_this_run(raw: dict, request: RunRequest) -> None:
    if raw.get("reason") not in REASONS or raw.get("id") != request.id:
        raise Corrupt("results.json is of another run")


def from_pod(request: RunRequest, directory: str, digest: str, found: dict[str, str]) -> RunResult:
    """Return the result that a pod delivered into a directory below the request's output; its files are taken out of it.

    digest: of results.json, as the kubelet reports it. found: of each file as it was written, and ``trouble``: words of the pod.
    Raises OSError, Corrupt.
    """
    raw = read_results(os.path.join(directory, "results.json"), digest)
    _require_this_run(raw, request)
    if found["executed.ipynb"] != raw["executed_sha256"]:
        raise Corrupt("executed.ipynb does not match its checksum")
    target = os.path.join(request.output, "executed.ipynb")
    os.replace(os.path.join(directory, "executed.ipynb"), target)
    warnings = [found["trouble"]] if found.get("trouble") else []
    result = RunResult.from_dict({**raw, "executed": target, "warnings": warnings})
    store(result, request)
    return result


def bare(request: RunRequest, **known) -> RunResult:
    """Return the result of a run of which nothing arrived but its reason."""
    return salvage({}, request, request.output, **known)


def salvage(cells: dict, request: RunRequest, output: str, **known) -> RunResult:
    """Return the result of a run whose runner is gone: the cells that it told of and its last saved notebook."""
    os.makedirs(request.output, exist_ok=True)
    target = os.path.join(request.output, "executed.ipynb")
    executed = None
    with contextlib.suppress(OSError, Corrupt):
        take_notebook(os.path.join(output, "executed.ipynb"), target, None)
        executed = target
    described = []
    at_fault = known["cell"] if known.get("cell") is not None and known.get("reason") != "interrupted" else -1
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, KeyError):
        with open(os.path.join(request.source, request.notebook), encoding="utf-8") as file:
            types = [cell["cell_type"] for cell in json.load(file)["cells"]]
        described = [
            cells.get(index) or {"index": index, "type": kind, "status": "Failure" if index == at_fault else "Skipped"}
            for index, kind in enumerate(types)
        ]
    data = {"id": request.id, "notebook": request.notebook, "cells": described, "executed": executed, **known}
    return RunResult.from_dict(data)


def clear(request: RunRequest) -> None:
    """Remove the results of an earlier run, so that none is taken for this one's."""
    for name in ("executed.ipynb", "results.json"):
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(request.output, name))
