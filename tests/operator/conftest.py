# SPDX-License-Identifier: GPL-3.0-or-later
"""One cluster whose pods are processes, and one operator in it."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("kopf")
sys.path.insert(0, str(Path(__file__).resolve().parent))
from operator_support import (  # noqa: E402
    URL,
    ApiServer,
    Operator,
    Site,
    Team,
    account,
    define,
    image,
    namespace,
    repository,
    unavailable,
)

NOTEBOOKS = {
    "good.ipynb": ["assert rate in (1, 7)", "print(rate)"],
    "raises.ipynb": ["1", "{}['no']", "2"],
    "slow.ipynb": ["import pathlib, time", "while not pathlib.Path('{gate}').exists(): time.sleep(0.05)", "open('data.txt').read()"],
}  # fmt: skip


@pytest.fixture(scope="module")
def site():
    """A cluster with the definition, and a repository; a directory of it is one that pods see, too."""
    if reason := unavailable():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="mlops-operator-") as name:
        os.chmod(name, 0o755)  # a process of another user has to reach what it runs
        directory = Path(name)
        (directory / "gate").mkdir(mode=0o755)
        seen = {**image(), "bind": {**image()["bind"], str(directory / "gate"): str(directory / "gate")}}
        with ApiServer(profile="kubernetes", pods="process", images={"*": seen}) as server:
            namespace(server)
            define(server)
            yield Site(server, directory)


@pytest.fixture(scope="module")
def commit(site) -> str:
    """The commit of the repository that has all notebooks."""
    for name, cells in NOTEBOOKS.items():
        site.notebook(name, *(cell.replace("{gate}", str(site.directory / "gate" / "open")) for cell in cells))
    (site.directory / "source" / "data.txt").write_text("beside it")
    return repository(site.directory / "source")


@pytest.fixture(scope="module")
def operator(site, commit):
    found = Operator(site.server, site.directory, {URL: str(site.directory / "source")}, account(site.server))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def team(site, operator):
    """A namespace with nothing in it."""
    found = Team(site.server, site.directory / "source")
    yield found
    (site.directory / "gate" / "open").touch()  # what is told to end may not hear of it yet
    for one in site.server.system.list("notebookvalidationjobs.mlops.mlops.dev", "team"):
        found.delete(one["metadata"]["name"])
    found.emptied("jobs.batch", "pods")
    (site.directory / "gate" / "open").unlink()


@pytest.fixture
def gate(site):
    """`gate()` lets the notebooks that wait go on."""
    return (site.directory / "gate" / "open").touch
