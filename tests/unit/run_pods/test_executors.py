# SPDX-License-Identifier: GPL-3.0-or-later
"""Same inputs, same verdicts: the same notebooks by each executor."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nbformat
import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.make import make
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.base import plain
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution
from pod_run_support import ApiServer, Site, image, namespace, repository, unavailable

from tests.apiserver.actors import validator

URL = "https://git.example.com/team/notebooks.git"
# notebook: its cells, and what is said of it: status, code, category, cell at fault, status of each cell.
TABLE = {
    "good.ipynb": (["assert rate == 7", "print(rate)"],
                   ("succeeded", None, None, None, ["Success"] * 2)),
    "sub/raises.ipynb": (["open('../data.txt').read()", "{}['no']", "1"],
                         ("failed", "notebook_execution_failed", "notebook_execution_failed", 1, ["Success", "Failure", "Skipped"])),
    "lacks.ipynb": (["import no_such_module_of_ours"],
                    ("failed", "missing_module", "dependency_install_failed", 0, ["Failure"])),
    "slow.ipynb": (["1", "import time; time.sleep(60)"],
                   ("failed", "cell_timeout", "notebook_execution_failed", 1, ["Success", "Failure"])),
    "differs.ipynb": (["0.5", "print('new')"],
                      ("failed", "golden_mismatch", "golden_mismatch", 1, ["Success", "Success"])),
}  # fmt: skip
OVERRIDES = [
    {"notebooks": ["good.ipynb"], "parameters": {"rate": 7}},
    {"notebooks": ["slow.ipynb"], "cell_timeout": 1},
    {"notebooks": ["differs.ipynb"], "golden": "golden/differs.ipynb", "comparison": {"rtol": 0.5}},
]


@pytest.fixture(scope="session")
def verdicts():
    """Verdicts by executor and notebook, from one call each."""
    if reason := unavailable():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="mlops-executors-") as directory:
        os.chmod(directory, 0o755)  # a process of another user has to reach what it runs
        with ApiServer(profile="kubernetes", pods="process", images={"*": image()}) as server:
            namespace(server)
            found = _by_each(Site(server, Path(directory)))
        yield found


def _by_each(site: Site) -> dict:
    git = repository_of(site)
    validator.install(site.server, repositories={URL: str(site.directory / "source")})
    made = _environment(site.directory / "cache")
    common = {"root": "notebooks", "overrides": OVERRIDES, "rerun": "always", "workers": len(TABLE), "timeout": 120}
    results = {
        "process": site.validate(*TABLE, executor="process", made=made, **common),
        "job": site.validate(*TABLE, executor="job", **common),
        "operator": site.validate(*TABLE, executor="operator", source=git, **common),
    }
    return {executor: result["by_name"] for executor, result in results.items()}


def repository_of(site: Site) -> dict:
    """Write the notebooks of the table, and what belongs to them; return where git has them, as the option source."""
    source = site.directory / "source"
    for name, (cells, _said) in TABLE.items():
        site.notebook(f"notebooks/{name}", *cells)
    _golden(source / "notebooks" / "golden" / "differs.ipynb")
    (source / "notebooks" / "data.txt").write_text("beside it")
    return {"url": URL, "ref": repository(source), "path": "notebooks"}


def _environment(cache: Path) -> dict:
    """Make an environment of this machine, with the runner's packages only."""
    (made,) = make([Resolution(notebook="any.ipynb", tier="base")], cache_dir=str(cache))
    assert made.environment, made.build.log_tail
    return plain(made)


def _golden(path: Path) -> None:
    """What the notebook showed once: a number that is close, and another text."""
    cells = [nbformat.v4.new_code_cell(source) for source in TABLE["differs.ipynb"][0]]
    cells[0].outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "0.6"}, execution_count=1)]
    cells[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="old\n")]
    path.parent.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


@pytest.mark.parametrize("executor", ["process", "job", "operator"])
@pytest.mark.parametrize("notebook", TABLE)
def test_the_verdict_is_the_same_whoever_runs_the_notebook(verdicts, notebook, executor):
    one = verdicts[executor][notebook]
    cells = [cell["status"] for cell in one["cells"]]
    assert (one["status"], one["code"], one["category"], one["cell"], cells) == TABLE[notebook][1], one["cause"]
    assert one["advice"] == verdicts["process"][notebook]["advice"]
    assert one["attempts"] == 1 and Path(one["executed"]).is_file()
