# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook validate as a job of AWX: by ansible-runner, with answers of a survey, a token, and no home to write to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT, git, write_notebook

sys.path[:0] = [str(ROOT), os.environ.get("ANSIBLE_COLLECTIONS_PATH") or str(ROOT / "build" / "collections")]
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import (  # noqa: E402
    needs_of,
    role_rules,
)

from tests.apiserver.actors.process import PATH, unavailable  # noqa: E402
from tests.apiserver.server import ApiServer  # noqa: E402

NAMESPACE, ACCOUNT = "ml-checks", "awx"
RBAC = "rbac.authorization.k8s.io"
IMAGE = "registry.example.com/team/notebooks@sha256:" + "e" * 64
DEFINITION = ROOT / "extensions" / "execution-environment" / "execution-environment.yml"
NOBODY = 65534
# Another user, who may read what this one may (the interpreter of the tests may lie in a home), and write nothing of it.
BECOME = [
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
    *(f"--{kind}=-all,+dac_read_search" for kind in ("bounding-set", "inh-caps", "ambient-caps")),
]  # fmt: skip


@dataclass
class Job:
    """What AWX would know of a job."""

    status: int
    text: str
    changed: int
    artifacts: dict


@dataclass
class Awx:
    """Runs jobs in a directory of their own, as another user."""

    place: Path
    server: ApiServer
    token: str

    def launch(self, number: int, **answers) -> Job:
        """Run the playbook. number: of the job. answers: to the survey."""
        told = {
            "awx_job_id": number,
            "awx_job_template_name": "Notebooks: validate",
            "awx_user_name": "jane",
            "awx_project_revision": "c0ffee",
        }
        (self.place / "env" / "extravars").write_text(json.dumps({**answers, **told}))
        steps = yaml.safe_load(DEFINITION.read_text())["additional_build_steps"]["append_final"]
        temporary = str(self.place / "tmp")
        environment = {
            **dict(step.removeprefix("ENV ").replace("/tmp", temporary).split("=", 1) for step in steps),
            "PATH": f"{Path(sys.executable).parent}:{PATH}",
            "HOME": "/dev/null/home",
            "TMPDIR": temporary,
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH")
            or str(ROOT / "build" / "collections"),
            "K8S_AUTH_HOST": self.server.url,
            "K8S_AUTH_API_KEY": self.token,
            "K8S_AUTH_SSL_CA_CERT": str(self.place / "env" / "ca.crt"),
            "K8S_AUTH_VERIFY_SSL": "True",
        }
        runner = Path(sys.executable).with_name("ansible-runner")
        command = [str(runner), "run", str(self.place), "-p", "mlops.notebooks.validate", "-i", str(number)]
        done = subprocess.run(
            [*BECOME, *command], cwd=self.place, env=environment, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=80,
        )  # fmt: skip
        events = [json.loads(path.read_text()) for path in self.place.glob(f"artifacts/{number}/job_events/*-*.json")]
        last = next((one["event_data"] for one in events if one["event"] == "playbook_on_stats"), {})
        text = done.stdout + done.stderr
        return Job(done.returncode, text, sum(last.get("changed", {}).values()), last.get("artifact_data", {}))


@pytest.fixture
def awx():
    if reason := unavailable():
        pytest.skip(reason)
    if subprocess.run([*BECOME, sys.executable, "-c", ""], capture_output=True).returncode:
        pytest.skip("Nobody else can run the interpreter of these tests.")
    places = {os.path.realpath(place) for place in (sys.prefix, sys.base_prefix)}
    held = {"bind": {place: place for place in places}, "env": {"PATH": f"{sys.prefix}/bin:{PATH}"}, "user": 1000}
    with (
        tempfile.TemporaryDirectory(prefix="mlops-test-") as place,
        ApiServer(profile="kubernetes", pods="process", images={"*": held}) as server,
    ):
        for name in ("env", "project", "tmp", "repository"):
            Path(place, name).mkdir()
        shutil.copy(server.ca_file, Path(place, "env", "ca.crt"))
        git("init", "--quiet", cwd=Path(place, "repository"))
        for name, source in (("good", "assert True"), ("bad", "import nosuchmodule"), ("left", "assert False")):
            write_notebook(Path(place, "repository", "deep", f"{name}.ipynb"), source)
        git("add", ".", cwd=Path(place, "repository"))
        git("commit", "--quiet", "-m", "first", cwd=Path(place, "repository"))
        for one in [Path(place), *Path(place).rglob("*")]:
            os.chown(one, NOBODY, NOBODY)
        yield Awx(Path(place), server, allow(server))


def allow(server: ApiServer) -> str:
    """Return a token of an account that may do in the namespace what the level run of the role namespace allows."""
    create = server.system.create
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    create("namespaces", {"metadata": {"name": NAMESPACE, "labels": restricted}})
    metadata = {"namespace": NAMESPACE}
    create("serviceaccounts", {"metadata": {"name": ACCOUNT, **metadata}})
    needs = [need for work in ("run", "prebuilt") for need in needs_of(work, NAMESPACE)]
    rules = list(role_rules(list(dict.fromkeys(needs))))
    create(f"roles.{RBAC}", {"metadata": {"name": "run", **metadata}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, **metadata}
    reference = {"kind": "Role", "name": "run", "apiGroup": RBAC}
    create(
        f"rolebindings.{RBAC}", {"metadata": {"name": "run", **metadata}, "subjects": [subject], "roleRef": reference}
    )
    return server.tokens.issue(f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}", 3600)


def test_a_job_takes_the_answers_hands_artifacts_on_and_writes_nothing_to_the_cluster_when_launched_again(awx):
    runs = []
    awx.server.store.subscribe(
        lambda event, resource, one: (
            runs.append(one)
            if (event, resource.plural) == ("ADDED", "jobs") and one["metadata"]["name"].startswith("notebook-run-")
            else None
        )
    )
    answers = {
        "source": f"file://{awx.place}/repository", "ref": "", "path": "deep", "validate_namespace": NAMESPACE,
        "environment_image": IMAGE, "notebooks": "good.ipynb\nbad.ipynb", "exclude": "", "parameters": "",
        "overrides": "- notebooks: [good.ipynb]\n  timeout: 60\n", "generate": "false", "validate_timeout": 300.0, "workers": "",
        "pod": "annotations:\n  notebooks.mlops.dev/awx-user: somebody\n", "fail_on": "never",
    }  # fmt: skip
    first = awx.launch(41, **answers)
    assert first.status == 0 and first.changed, first.text
    assert "[WARNING]: The cache directory /dev/null/home/.cache/mlops.notebooks cannot be written" in first.text
    assert first.artifacts["notebooks_failed"] == ["bad.ipynb"]
    assert first.artifacts["notebooks_summary"]["total"] == 2
    assert Path(first.artifacts["notebooks_report"]["html"]).parent == awx.place / "project" / "validation-report"
    noted = {"job-id": "41", "template": "Notebooks: validate", "user": "somebody", "revision": "c0ffee"}
    noted = {f"notebooks.mlops.dev/awx-{name}": value for name, value in noted.items()}
    (run,) = runs
    for metadata in (run["metadata"], run["spec"]["template"]["metadata"]):
        assert noted.items() <= metadata["annotations"].items()
    mine = [one for one in awx.server.journal.entries() if one.user.endswith(f":{ACCOUNT}")]
    assert mine and not {one.status for one in mine} & {401, 403}
    awx.server.journal.clear()
    again = awx.launch(42, **answers)
    assert again.status == 0 and again.artifacts["notebooks_failed"] == ["bad.ipynb"], again.text
    assert again.artifacts["notebooks_summary"]["cached"] == 2 and again.changed == 1, (
        "the clone, which has no lasting place"
    )
    assert not awx.server.journal.writes()
    kept = [
        path for path in awx.place.glob("artifacts/*/**/*") if path.is_file() and path.name != "command"
    ]  # the runner's own
    assert kept and not [path for path in kept if awx.token.encode() in path.read_bytes()]
