# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kind of work needs in its namespace, each verb because a request needs it."""

from __future__ import annotations

# Server-side apply reads, and patches; where the object is new, the server asks for create too.
_APPLY = "get create patch"
_FOLLOW = "get list watch"
_KEEP = f"{_APPLY} list delete"
_KEEP_WATCHED = f"{_FOLLOW} create patch delete"

# Following the pods of a build of ours.
_PODS = (
    ("", "pods", _FOLLOW),
    ("", "pods/log", "get"),
    ("", "events", "list"),
)
# ConfigMaps and Secrets go with the Job that owns them. A pod that is held up is deleted, so that the others go on. Jobs are
# listed for what an earlier call left; ConfigMaps are verdicts too, which are found again and in the end removed.
_POD_RUN = (
    ("batch", "jobs", "get list create patch delete"),
    ("", "pods", f"{_FOLLOW} get delete"),
    ("", "pods/log", "get"),
    ("", "configmaps", _KEEP),
    ("", "secrets", _APPLY),
    ("", "events", "list"),
)
# The operator hands notebooks no Secret of its own making.
_OPERATOR_RUN = tuple(row for row in _POD_RUN if row[1] != "secrets")
# A Job of ours that builds an image, or looks at one. Of two runs that start the same at once, the later one gets the Job that
# the earlier one made.
_JOB_BUILD = (
    ("batch", "jobs", "get create list watch delete"),
    ("", "configmaps", f"{_APPLY} delete"),
    *_PODS,
)
# A build of a BuildConfig that is there already (s2i_build), and environments by builds of OpenShift.
_OPENSHIFT = (
    ("build.openshift.io", "buildconfigs", f"{_APPLY} delete"),
    ("build.openshift.io", "buildconfigs/instantiate", "create"),
    ("build.openshift.io", "buildconfigs/instantiatebinary", "create"),
    ("build.openshift.io", "builds", f"{_FOLLOW} patch delete"),
    ("build.openshift.io", "builds/log", "get"),
    ("image.openshift.io", "imagestreamimages", "get"),
    ("image.openshift.io", "imagestreamimports", "create"),
    ("image.openshift.io", "imagestreams", _APPLY),
    ("image.openshift.io", "imagestreamtags", "get delete"),
    ("", "configmaps", _APPLY),
    ("", "events", "list"),
)

# work: rows of API group, resource, verbs. `{namespace}` stands for the namespace's own name as a resource name.
WORK: dict[str, tuple[tuple[str, ...], ...]] = {
    "detect": (
        ("", "namespaces", "get", "{namespace}"),
        ("apps", "deployments", "list"),
    ),
    "run": _POD_RUN,
    # The operator runs the notebooks; ConfigMaps are verdicts, which are read, found again and in the end removed.
    "operator": (
        ("mlops.mlops.dev", "notebookvalidationjobs", "create list watch patch delete"),
        ("", "configmaps", "get list delete"),
    ),
    "s2i": _OPENSHIFT,
    "docker": _OPENSHIFT,
    "tekton": (
        ("tekton.dev", "taskruns", "get create list watch delete"),
        ("", "configmaps", f"{_APPLY} delete"),
        *_PODS,
    ),
    "shipwright": (
        ("shipwright.io", "buildstrategies", _APPLY),
        ("shipwright.io", "builds", f"{_APPLY} delete"),
        ("shipwright.io", "buildruns", "get create list watch delete"),
        ("", "configmaps", f"{_APPLY} delete"),
        *_PODS,
    ),
    "buildah": _JOB_BUILD,
    "prebuilt": _JOB_BUILD,
    # Models that notebooks call, on any of the platforms, and the Services that lead to them. Nothing is written.
    "models": (
        ("serving.kserve.io", "inferenceservices", "list watch"),
        ("ray.io", "rayservices", "list watch"),
        ("machinelearning.seldon.io", "seldondeployments", "list watch"),
        ("serving.yatai.ai", "bentodeployments", "list watch"),
        ("apps", "deployments", "list watch"),
        ("", "services", "get list"),
    ),
    # What the process of the operator does in each namespace that it watches, for jobs whose image is given. Builds and models
    # take the work of their names beside it, and each Secret that jobs name as credentialsSecret a rule of its own.
    "validator": (
        ("mlops.mlops.dev", "notebookvalidationjobs", "get list watch patch delete"),
        ("mlops.mlops.dev", "notebookvalidationjobs/status", "patch"),
        ("", "events", "create"),
        *_OPERATOR_RUN,
    ),
    # And in its own: which of its replicas works. A name cannot be said of what is yet to be created.
    "election": (
        ("coordination.k8s.io", "leases", "create"),
        ("coordination.k8s.io", "leases", "get update", "notebook-operator"),
    ),
    # Targets of on-success triggers.
    "triggers": (
        ("apps", "deployments", "patch"),
        ("apps", "statefulsets", "patch"),
        ("apps", "daemonsets", "patch"),
        ("serving.kserve.io", "inferenceservices", "patch"),
        ("argoproj.io", "applications", "get patch"),
    ),
    # What the process of the operator of Jupyter servers does; its guide says of each what for.
    "jupyter": (
        ("squonk.it", "jupyternotebooks", "get list watch patch"),
        ("squonk.it", "jupyternotebooks/status", "patch"),
        ("squonk.it", "jupyternotebooks/finalizers", "update"),
        ("", "secrets", _APPLY),
        ("", "configmaps", f"{_APPLY} delete"),
        ("", "services", "get list watch create patch"),
        ("", "pods", "list watch"),
        ("", "events", "create"),
        ("", "namespaces", "get"),
        ("apps", "deployments", _KEEP_WATCHED),
        ("networking.k8s.io", "ingresses", _KEEP_WATCHED),
        ("networking.k8s.io", "networkpolicies", _KEEP_WATCHED),
        ("route.openshift.io", "routes", _KEEP_WATCHED),
        ("route.openshift.io", "routes/custom-host", "create update"),
        ("gateway.networking.k8s.io", "httproutes", _KEEP_WATCHED),
    ),
    # What the role namespace does in a namespace that is there.
    "administer": (
        ("", "namespaces", "get", "{namespace}"),
        ("", "serviceaccounts", _KEEP),
        ("rbac.authorization.k8s.io", "roles", _KEEP),
        ("rbac.authorization.k8s.io", "rolebindings", _KEEP),
        ("", "resourcequotas", _KEEP),
        ("", "limitranges", _KEEP),
        ("networking.k8s.io", "networkpolicies", _KEEP),
    ),
}
