# SPDX-License-Identifier: GPL-3.0-or-later
"""Model servers, API servers that know models, and the module on them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils import _models
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

sys.path[:0] = [str(Path(__file__).resolve().parents[3]), str(Path(__file__).parent)]
import model_servers  # noqa: E402

from tests.apiserver import fixtures  # noqa: E402

apiserver = fixtures.apiserver


class Module:
    """Stands for AnsibleModule: the options with their defaults, and what it masks."""

    def __init__(self, **given):
        self.params = filled(_models.ARGUMENT_SPEC, given)
        self.check_mode = False
        self.no_log_values: set[str] = set()


def filled(spec: dict, given: dict) -> dict:
    unknown = set(given) - set(spec)
    assert not unknown, f"The module knows no option {unknown}."
    found = {name: given.get(name, one.get("default")) for name, one in spec.items()}
    for name, one in spec.items():
        if one.get("elements") == "dict" and "options" in one and found[name]:
            found[name] = [filled(one["options"], item) for item in found[name]]
    return found


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch, tmp_path):
    """Nothing of the machine names a cluster."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "K8S_AUTH_KUBECONFIG", "K8S_AUTH_HOST", "K8S_AUTH_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def validate():
    """Call the module; the result as Ansible shows it, JSON and all."""

    def call(*models: dict, **options) -> dict:
        module = Module(models=list(models), **{"timeout": 10, **options})
        result = _models.perform(module, None)
        result["models"] = [one.as_dict() for one in result["models"]]
        return json.loads(json.dumps(result))

    return call


@pytest.fixture
def refusal(validate):
    """Call the module with what it refuses; the error."""

    def call(*models: dict, **options) -> EngineError:
        with pytest.raises(EngineError) as refused:
            validate(*models, **options)
        return refused.value

    return call


@pytest.fixture
def serve():
    """`serve(model_servers.Triton)` starts one."""
    running = []

    def start(kind: type, **options) -> model_servers.Server:
        running.append(kind(**options))
        return running[-1]

    yield start
    stopping = [threading.Thread(target=server.stop) for server in running]
    for thread in stopping:
        thread.start()
    for thread in stopping:
        thread.join()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> tuple[str, str]:
    """A certificate of its own for 127.0.0.1, and its key."""
    place = tmp_path_factory.mktemp("certificate")
    files = str(place / "cert.pem"), str(place / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=model", "-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return files
