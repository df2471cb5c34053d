# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster with the definition as whoever uses kubectl sees it: what is applied, and what comes back."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
GROUP = "mlops.mlops.dev"
DEFINITION = ROOT / "operator" / "crds" / "notebookvalidationjobs.yaml"
IMAGE = "registry.example.com/nb@sha256:" + "e" * 64
GIT = {"url": "https://git.example.com/team/nb.git", "ref": "main"}


def job(name: str = "a", **spec) -> dict:
    """The smallest job, with further fields; those of podConfig are added to it."""
    pod = spec.pop("podConfig", {})
    image = {} if {"containerImage", "imageRef"} & set(pod) else {"containerImage": IMAGE}
    wanted = {"notebook": {"git": GIT, "path": "a.ipynb"}, **spec, "podConfig": {**image, **pod}}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": "NotebookValidationJob", "metadata": metadata, "spec": wanted}


@dataclass
class Face:
    """The API over HTTP."""

    server: object

    def call(self, method: str, path: str, body=None, kind: str = "application/json") -> tuple[int, dict]:
        tls = ssl.create_default_context(cafile=str(self.server.ca_file))
        connection = http.client.HTTPSConnection(self.server.url.removeprefix("https://"), context=tls, timeout=30)
        sent = {"Content-Type": kind, "Authorization": f"Bearer {self.server.token}"}
        try:
            connection.request(method, path, json.dumps(body), sent)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def define(self, *files: Path) -> None:
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for file in files:
            status, found = self.call("POST", path, yaml.safe_load(file.read_text(encoding="utf-8")))
            assert status == 201, found["message"]

    def apply(self, manifest: dict, dry: bool = False) -> tuple[int, dict]:
        """As `kubectl apply --server-side` does, which lets the server say which fields it does not know."""
        group, _slash, _version = manifest["apiVersion"].rpartition("/")
        prefix = f"/apis/{manifest['apiVersion']}" if group else f"/api/{manifest['apiVersion']}"
        plural = f"{manifest['kind'].lower()}s"
        place = f"{prefix}/namespaces/{manifest['metadata'].get('namespace', 'default')}/{plural}/{manifest['metadata']['name']}"
        query = "?fieldManager=kubectl&fieldValidation=Strict" + ("&dryRun=All" if dry else "")
        return self.call("PATCH", place + query, manifest, "application/apply-patch+yaml")

    def refusal(self, manifest: dict) -> str:
        """The sentence of the server on a manifest that it does not take."""
        status, found = self.apply(manifest)
        assert status in (400, 422, 500), found.get("spec", found)
        return found["message"]
