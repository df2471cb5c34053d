# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's executor `operator`, with the operator itself in the place of the double: the same inputs, the same verdicts."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from operator_support import ApiServer, Operator, Site, define, image, namespace, unavailable
from test_executors import OVERRIDES, TABLE, URL, repository_of


@pytest.fixture(scope="module")
def verdicts():
    """Verdicts by notebook, from one call of the module."""
    if reason := unavailable():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="mlops-operator-") as directory:
        os.chmod(directory, 0o755)  # a process of another user has to reach what it runs
        with ApiServer(profile="kubernetes", pods="process", images={"*": image()}) as server:
            namespace(server)
            define(server)
            yield _by_the_operator(Site(server, Path(directory)))


def _by_the_operator(site: Site) -> dict:
    git = repository_of(site)
    operator = Operator(site.server, site.directory, {URL: str(site.directory / "source")})
    operator.start()
    try:
        found = site.validate(
            *TABLE, executor="operator", source=git, root="notebooks", overrides=OVERRIDES, workers=len(TABLE), timeout=120,
            pod={"patience": 30},
        )  # fmt: skip
        again = site.validate(
            *TABLE, executor="operator", source=git, root="notebooks", overrides=OVERRIDES, cache="other", timeout=120
        )
    finally:
        operator.stop()
    assert not again["changed"], "another machine finds what the operator kept"
    return found["by_name"]


@pytest.mark.parametrize("notebook", TABLE)
def test_the_module_has_its_verdicts_from_the_operator(verdicts, notebook):
    one = verdicts[notebook]
    cells = [cell["status"] for cell in one["cells"]]
    assert (one["status"], one["code"], one["category"], one["cell"], cells) == TABLE[notebook][1], one["cause"]
    assert one["attempts"] == 1 and Path(one["executed"]).is_file()
