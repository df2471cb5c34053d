# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator that is allowed to work in single namespaces only, as the role's jo_watch has it."""

from __future__ import annotations

from jupyter_support import RBAC, ApiServer, Operator, Team, define, namespace, rules


def bind(server, where: str) -> None:
    """Let the user `operator` do in one namespace what the role's ClusterRole says."""
    subject = {"kind": "User", "name": "operator", "apiGroup": RBAC}
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "jupyter-operator"}
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": "jupyter-operator"}}
    server.system.create(f"clusterroles.{RBAC}", {**role, "rules": rules()})
    binding = {
        "metadata": {"name": "jupyter-operator", "namespace": where},
        "roleRef": reference,
        "subjects": [subject],
    }
    server.system.create(f"rolebindings.{RBAC}", {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", **binding})


def test_rights_in_the_namespaces_that_are_named_are_enough(tmp_path):
    with ApiServer(profile="openshift") as server:
        namespace(server)
        define(server)
        bind(server, "team")
        kubeconfig = server.write_kubeconfig("operator", server.tokens.issue("operator", 3600))
        operator = Operator(server, tmp_path, kubeconfig, {"NAMESPACES": "team"})
        team = Team(server)
        team.create("first")
        operator.start()
        try:
            assert team.told("first", "Accepted", "Accepted")["status"]["jupyter"]["notebook"]["url"]
        finally:
            operator.stop()
        assert not [one.line for one in server.journal.entries() if one.status == 403 and one.user == "operator"]
