# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the Kustomize base and the OLM bundle of the operator from what the role validator_operator deploys.

With --check, only compare. ``--image IMAGE`` and ``--output DIRECTORY`` write them for an image of yours, somewhere else. The definition
of NotebookValidationJob is copied into neither: the base refers to operator/crds, and the bundle's Containerfile takes it from there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
VERSION = GALAXY["version"]
IMAGE = f"registry.example.com/mlops/notebook-operator:{VERSION}"
PACKAGE = "notebook-operator"
HEAD = "# Made by scripts/operator_manifests.py from the role validator_operator.\n"
DEFINITION = yaml.safe_load((ROOT / "operator" / "crds" / "notebookvalidationjobs.yaml").read_text(encoding="utf-8"))
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: mlops.notebooks.validator_operator, tasks_from: render}
"""
# OLM makes Roles in the namespaces of the operator group, and says by this annotation which they are.
TARGETS = {"fieldRef": {"fieldPath": "metadata.annotations['olm.targetNamespaces']"}}
ANNOTATIONS = {
    "operators.operatorframework.io.bundle.mediatype.v1": "registry+v1",
    "operators.operatorframework.io.bundle.manifests.v1": "manifests/",
    "operators.operatorframework.io.bundle.metadata.v1": "metadata/",
    "operators.operatorframework.io.bundle.package.v1": PACKAGE,
    "operators.operatorframework.io.bundle.channels.v1": "alpha",
    "operators.operatorframework.io.bundle.channel.default.v1": "alpha",
}


class Dumper(yaml.SafeDumper):
    """Writes lists below their key indented, as ansible-lint wants them, and no anchors."""

    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data):
        return True


Dumper.add_representer(
    str,
    lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None),
)


def rendered(**variables) -> list[dict]:
    """Return what the role would apply, with these of its variables."""
    with tempfile.TemporaryDirectory() as name:
        play, made = Path(name, "play.yml"), Path(name, "made.json")
        play.write_text(PLAY, encoding="utf-8")
        given = {f"validator_operator_{key}": value for key, value in {**variables, "render": str(made)}.items()}
        command = [str(Path(sys.executable).with_name("ansible-playbook")), str(play), "-e", json.dumps(given)]
        environment = {
            **os.environ,
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        }
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        return json.loads(made.read_text(encoding="utf-8"))


def written(*documents: dict) -> str:
    return HEAD + "".join(f"---\n{yaml.dump(one, Dumper=Dumper, sort_keys=False, width=130)}" for one in documents)


def kustomize(image: str) -> dict[str, str]:
    """Return the files of the base: for the operator's own namespace, with images that jobs name."""
    objects = rendered(image=image)
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": objects[0]["metadata"]["namespace"],
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
    }
    files = {f"{one['kind'].lower()}-{one['metadata']['name']}.yaml": one for one in (namespace, *objects)}
    name, _colon, tag = image.rpartition(":")
    base = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace["metadata"]["name"],
        "resources": ["../crds", *files],
        "images": [{"name": name, "newTag": tag}],
    }
    definition = {**{key: base[key] for key in ("apiVersion", "kind")}, "resources": ["notebookvalidationjobs.yaml"]}
    return {
        "crds/kustomization.yaml": written(definition),
        "kustomize/kustomization.yaml": written(base),
        **{f"kustomize/{name}": written(one) for name, one in files.items()},
    }


def bundle(image: str) -> dict[str, str]:
    """Return the files of the bundle, but for the definition of jobs."""
    objects = rendered(image=image, builds=["s2i"])
    by_kind = {kind: [one for one in objects if one["kind"] == kind] for kind in ("Role", "PodDisruptionBudget")}
    others = {f"{PACKAGE}.poddisruptionbudget.yaml": one for one in by_kind["PodDisruptionBudget"]}
    for one in others.values():
        del one["metadata"]["namespace"]  # OLM says where
    labels = "".join(f"LABEL {name}={value}\n" for name, value in ANNOTATIONS.items())
    container = f"{HEAD}# The context is the root of the collection.\nFROM scratch\n{labels}"
    container += (
        "COPY operator/bundle/manifests /manifests/\nCOPY operator/crds/notebookvalidationjobs.yaml /manifests/\n"
    )
    container += "COPY operator/bundle/metadata /metadata/\n"
    return {
        "bundle/Containerfile": container,
        f"bundle/manifests/{PACKAGE}.clusterserviceversion.yaml": written(
            service_version(image, objects[-1], by_kind["Role"])
        ),
        **{f"bundle/manifests/{name}": written(one) for name, one in others.items()},
        "bundle/metadata/annotations.yaml": written({"annotations": ANNOTATIONS}),
    }


def service_version(image: str, deployment: dict, roles: list[dict]) -> dict:
    """Return the ClusterServiceVersion. Source: API of operators.coreos.com/v1alpha1."""
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["env"].append({"name": "NOTEBOOK_OPERATOR_NAMESPACES", "valueFrom": TARGETS})
    group, names = DEFINITION["spec"]["group"], DEFINITION["spec"]["names"]
    version = DEFINITION["spec"]["versions"][0]
    owned = {
        "name": DEFINITION["metadata"]["name"],
        "kind": names["kind"],
        "version": version["name"],
        "displayName": "Notebook validation",
        "description": version["schema"]["openAPIV3Schema"]["description"],
    }
    modes = {"OwnNamespace": True, "SingleNamespace": True, "MultiNamespace": True, "AllNamespaces": False}
    return {
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "ClusterServiceVersion",
        "metadata": {
            "name": f"{PACKAGE}.v{VERSION}",
            "namespace": "placeholder",
            "annotations": {
                "alm-examples": json.dumps(examples(group), indent=2),
                "capabilities": "Seamless Upgrades",
                "categories": "AI/Machine Learning",
                "containerImage": image,
                "description": "Proves that Jupyter notebooks run.",
                "repository": GALAXY["repository"],
                "support": "mlops.notebooks",
                "operatorframework.io/suggested-namespace": "notebook-operator-system",
            },
        },
        "spec": {
            "displayName": "Notebook validation",
            "description": "Runs the notebooks that NotebookValidationJob resources name, and says in their status what came out.\n",
            "version": VERSION,
            "maturity": "alpha",
            "minKubeVersion": "1.27.0",
            "keywords": ["jupyter", "notebook", "mlops", "testing"],
            "provider": {"name": "mlops.notebooks", "url": GALAXY["homepage"]},
            "links": [{"name": "Documentation", "url": GALAXY["documentation"]}],
            "installModes": [{"type": name, "supported": supported} for name, supported in modes.items()],
            "customresourcedefinitions": {"owned": [owned]},
            "relatedImages": [{"name": "operator", "image": image}],
            "install": {
                "strategy": "deployment",
                "spec": {
                    "permissions": [
                        {"serviceAccountName": PACKAGE, "rules": [rule for role in roles for rule in role["rules"]]}
                    ],
                    "deployments": [
                        {"name": PACKAGE, "label": deployment["metadata"]["labels"], "spec": deployment["spec"]}
                    ],
                },
            },
        },
    }


def examples(group: str) -> list[dict]:
    """Return the samples that stand for each use, as the console of OpenShift offers them."""
    files = sorted((ROOT / "operator" / "samples").glob("*.yaml"))
    documents = [one for path in files for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]
    return [one for one in documents if one["apiVersion"].startswith(f"{group}/")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    parser.add_argument("--image", default=IMAGE, help="the operator's image (default: %(default)s)")
    parser.add_argument("--output", default=str(ROOT / "operator"), help="where to write (default: %(default)s)")
    given = parser.parse_args()
    target, wanted = Path(given.output), {**kustomize(given.image), **bundle(given.image)}
    there = {
        path.relative_to(target).as_posix()
        for part in ("kustomize", "bundle")
        for path in target.glob(f"{part}/**/*")
        if path.is_file()
    }
    surplus = sorted(there - set(wanted))
    stale = [
        name
        for name, text in wanted.items()
        if not (target / name).exists() or (target / name).read_text(encoding="utf-8") != text
    ]
    if given.check:
        if stale or surplus:
            print(
                f"Not as the role validator_operator says: {', '.join([*stale, *surplus])}; run make operator-manifests."
            )
        return 1 if stale or surplus else 0
    for name in surplus:
        (target / name).unlink()
    for name in stale:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(wanted[name], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
