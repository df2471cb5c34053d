# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the cluster room share."""

from __future__ import annotations

import json
import threading

import urllib3


def http(server, method: str, path: str, body=None, content_type: str = "application/json"):
    """A request of the administrator, as any other client sends it."""
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": content_type}
    pool = urllib3.PoolManager(ca_certs=server.ca_file)
    answer = pool.request(method, server.url + path, body=json.dumps(body), headers=headers)
    assert answer.status < 300, answer.data
    return json.loads(answer.data)


def auth(server, token: str | None = None, **options) -> dict:
    """Options of kubernetes.core for the server."""
    return {"host": server.url, "ca_cert": server.ca_file, "api_key": token or server.token, **options}


def namespace(server, name: str = "team") -> None:
    """A namespace with all that a cluster puts into a new one, such as the service accounts that builds and pods need."""
    missing, complete = {"default"} | ({"builder"} if server.profile == "openshift" else set()), threading.Event()

    def look(event, resource, found):
        if resource.plural == "serviceaccounts" and found["metadata"].get("namespace") == name:
            missing.discard(found["metadata"]["name"])
            if not missing:
                complete.set()

    forget = server.store.subscribe(look)
    server.system.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    assert complete.wait(10), f"The namespace {name} lacks the service accounts {missing}."
    forget()


def check_refusal(server, need, said: list[str], quiet: bool = False) -> None:
    """Check that jane, who lacks a verb, was refused, and that a sentence of what was said names it.

    quiet: she is refused, and another way is taken.
    """
    # An apply is a patch, and a creation where the object is new.
    verbs = f"{need.verb} apply" if need.verb in ("create", "patch") else need.verb
    refused = [one for one in server.journal.entries(verb=verbs) if one.user == "jane" and one.status == 403]
    assert refused, said
    words = f'cannot {need.verb} resource "{need.resource}" in API group "{need.group}"'
    assert quiet or any(words in one for one in said), said


def grant(server, user: str, rules: list[dict], space: str = "team") -> None:
    """A Role with these rules in the namespace, bound to the user."""
    metadata = {"name": f"role-of-{user}", "namespace": space}
    rbac = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": rules}
    subjects = [{"kind": "User", "name": user, "apiGroup": rbac}]
    reference = {"apiGroup": rbac, "kind": "Role", "name": metadata["name"]}
    binding = {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": metadata}
    server.system.create(f"roles.{rbac}", role)
    server.system.create(f"rolebindings.{rbac}", {**binding, "subjects": subjects, "roleRef": reference})
