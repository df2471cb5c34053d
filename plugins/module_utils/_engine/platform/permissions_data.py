# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kind of work needs in its namespace, each verb because a request needs it."""

from __future__ import annotations

# Server-side apply reads, and patches; where the object is new, the server asks for create too.
_APPLY = "get create patch"
_FOLLOW = "get list watch"

# Following the pods of a build of ours.
_PODS = (
    ("", "pods", _FOLLOW),
    ("", "pods/log", "get"),
    ("", "events", "list"),
)
_POD_RUN = (
    ("batch", "jobs", f"{_APPLY} list watch delete"),
    ("", "pods", _FOLLOW),
    ("", "pods/log", "get"),
    ("", "configmaps", f"{_APPLY} list delete"),
)
# A build of a BuildConfig that is there already (s2i_build), and environments by builds of OpenShift.
_OPENSHIFT = (
    ("build.openshift.io", "buildconfigs", f"{_APPLY} delete"),
    ("build.openshift.io", "buildconfigs/instantiate", "create"),
    ("build.openshift.io", "buildconfigs/instantiatebinary", "create"),
    ("build.openshift.io", "builds", f"{_FOLLOW} patch delete"),
    ("build.openshift.io", "builds/log", "get"),
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
    # Two runs that start the same build at once: the later one gets the Job that the earlier one made.
    "buildah": (
        ("batch", "jobs", "get create list watch delete"),
        ("", "configmaps", f"{_APPLY} delete"),
        *_PODS,
    ),
}
