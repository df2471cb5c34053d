# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of the operator: that its steps build, and that it works as anybody, with a root file system that is read-only."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
import rootfs
import yaml
from buildah_support import ROOT, ApiServer, lacking, namespace
from rootfs import PREFIX, layer, push

sys.path.insert(0, str(ROOT))
from tests.apiserver.actors.validator import define  # noqa: E402

PLACE = "/opt/notebook-operator"


def tools() -> bytes:
    """A layer with what a base of the operator has besides Python: git, ssh, find."""
    buffer = io.BytesIO()
    programs = [Path(shutil.which(name, path="/usr/bin:/bin")) for name in ("git", "ssh", "find", "true")]
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in programs:
            rootfs._add(tar, path.resolve(), f"/usr/bin/{path.name}")
        for path in sorted(rootfs._libraries(programs)):
            rootfs._add(tar, Path(path).resolve(), path)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def built(place, registry):
    """The root of the image, and its configuration; wheels are those that the lock names, as pip finds them here."""
    wheels = place / "operator-wheels"
    lock = ROOT / "operator" / "requirements.lock"
    options = ["--quiet", "--only-binary=:all:", "--require-hashes", "--requirement", str(lock), "--dest", str(wheels)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options], check=True, capture_output=True)
    settings = place / "pip.conf"
    settings.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    digest = push(registry.host, "operator-base", [layer(), tools()])
    storage = ["--root", str(place / "storage"), "--runroot", str(place / "run"), "--storage-driver", "vfs"]

    def buildah(*words: str) -> str:
        done = subprocess.run(
            ["buildah", *storage, *words], capture_output=True, text=True, cwd=ROOT, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout.strip()

    buildah(
        "build", "--isolation", "chroot", "--network", "host", "--tls-verify=false", "--timestamp", "0", "--tag", "operator",
        "--volume", f"{wheels}:/wheels:ro", "--volume", f"{settings}:/etc/pip.conf:ro", "--file", "operator/Containerfile",
        "--build-arg", f"BASE={registry.host}/operator-base@{digest}", ".",
    )  # fmt: skip
    config = json.loads(buildah("inspect", "--type", "image", "operator"))["OCIv1"]["config"]
    container = buildah("from", "operator")
    for user, *command in (
        ("1001", "ssh", "-V"),
        ("54321", "git", "--version"),
        ("54321", "python3", "-c", "import notebook_operator"),
    ):
        buildah("run", "--isolation", "chroot", "--user", f"{user}:0", container, "--", *command)
    yield Path(buildah("mount", container)), config
    buildah("rm", "--all")


def test_it_holds_the_operator_and_nothing_to_build_by(built):
    root, config = built
    assert config["User"] == "1001:0" and config["Entrypoint"] == ["python3", "-m", "notebook_operator"]
    assert config["Labels"]["org.opencontainers.image.licenses"] == "GPL-3.0-or-later"
    assert (root / PLACE[1:] / "packages" / "kopf").is_dir() and (root / "licenses" / "LICENSE").is_file()
    left = {path.name for path in (root / PLACE[1:]).rglob("__pycache__")} | {
        path.name for path in (root / "tmp").iterdir()
    }
    assert left == set()


def test_it_starts_as_any_user_with_a_root_that_is_read_only(built, place):
    if reason := lacking():
        pytest.skip(reason)
    root, config = built
    # A pod that is a process has the node's own system; Python, the packages and the operator are those of the image.
    (root / PREFIX[1:] / "bin" / "python3").symlink_to(Path(sys.executable).resolve().name)
    bind = {path: str(root / path[1:]) for path in (PREFIX, PLACE)}
    env = dict(pair.split("=", 1) for pair in config["Env"])
    env["PATH"] = f"{PREFIX}/bin:{env['PATH']}"
    image = {"bind": bind, "env": env, "command": config["Entrypoint"], "user": 1001, "working_dir": "/tmp"}
    directory = Path(tempfile.mkdtemp(dir=place))
    directory.chmod(0o755)
    with ApiServer(profile="kubernetes", pods="process", directory=directory / "server", images={"*": image}) as server:
        namespace(server)
        define(server)
        role = server.system.create
        rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
        metadata = {"name": "all", "namespace": "team"}
        role(
            "roles.rbac.authorization.k8s.io",
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        )
        role("rolebindings.rbac.authorization.k8s.io", {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "all"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "team"}],
        })  # fmt: skip
        deployment = yaml.safe_load((ROOT / "operator/kustomize/deployment-notebook-operator.yaml").read_text())
        spec = deployment["spec"]["template"]["spec"]
        spec["serviceAccountName"] = "default"
        spec["securityContext"]["runAsUser"] = 1000730000  # as OpenShift gives it
        (container,) = spec["containers"]
        container["env"] = [one for one in container["env"] if not one["name"].endswith("PROBE_PORT")]
        role(
            "pods",
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "operator", "namespace": "team"}, "spec": spec},
        )
        # It has come to its work when it watches jobs.
        server.journal.wait_for(r"notebookvalidationjobs\?", 1, timeout=60, verb="watch")
        assert server.system.find("leases.coordination.k8s.io", "team", "notebook-operator")["spec"]["holderIdentity"]
        job = {
            "apiVersion": "mlops.mlops.dev/v1alpha1", "kind": "NotebookValidationJob", "metadata": {"name": "a", "namespace": "team"},
            "spec": {"notebook": {"git": {"url": "https://127.0.0.1:9/a.git", "ref": "main"}, "path": "a.ipynb"},
                     "podConfig": {"containerImage": "registry.example.com/a:1"}},
        }  # fmt: skip
        role("notebookvalidationjobs.mlops.mlops.dev", job)
        server.journal.wait_for(r"notebookvalidationjobs/a/status", 1, timeout=60)
