#!/usr/bin/python
# Copyright: (c) 2026, mlops.notebooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build an image by a BuildConfig of OpenShift, and follow the build to its end."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: s2i_build
short_description: Build an image by a BuildConfig of OpenShift, and follow the build to its end
version_added: "0.2.0"
author: mlops.notebooks contributors (@mlops-notebooks)
description:
  - Starts, follows, cancels or removes builds of any BuildConfig, whatever its strategy.
  - The build is watched and not polled, and its log is on the console of the playbook as it is written.
  - A build that fails says in which step, with the last lines of its log.
  - A build whose answer was lost on the way is looked for and never started a second time.
requirements:
  - kubernetes
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mlops.notebooks.attributes
  - mlops.notebooks.attributes.action_group
  - mlops.notebooks.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: With O(state=started) each call starts a build.
options:
  state:
    description:
      - V(built) builds, and waits for the end, unless the newest complete build has the same inputs. These are the
        BuildConfig's source, strategy, output and post-commit hook, O(env), O(build_args), O(commit), what O(source) holds,
        and the digest of the builder image; and the image stream must still have the image. What a branch points to, and what
        Secrets and ConfigMaps hold, is not seen; name a O(commit). A build that others started does not count.
      - V(started) starts a build and does not wait.
      - V(waited) waits for O(build), else for the newest build of O(name), and starts nothing.
      - V(cancelled) cancels O(build), else all builds of O(name) that have not ended, and waits until they have.
      - V(absent) deletes O(build), else all builds of O(name), and waits until they are gone. The BuildConfig stays.
    type: str
    choices: [built, started, waited, cancelled, absent]
    default: built
  name:
    description: Name of the BuildConfig. Needed with O(state=built) and O(state=started).
    type: str
  build:
    description: Name of one build, for O(state=waited), O(state=cancelled) and O(state=absent).
    type: str
  namespace:
    description: The namespace. The default is that of the context, or of the pod, else C(default).
    type: str
  env:
    description:
      - Environment variables of the build, beside and before those of the BuildConfig.
      - Values of names that speak of a password, token, secret, key or credential are masked in the log and the result. They are
        written into the Build, where whoever may read builds sees them; better refer to a Secret in the BuildConfig.
    type: dict
    default: {}
  build_args:
    description: Build arguments, beside and before those of the BuildConfig. Only a Docker strategy takes them.
    type: dict
    default: {}
  no_cache:
    description:
      - Build without the layers of earlier builds; with a source strategy, without the artifacts of the last image.
    type: bool
    default: false
  commit:
    description: The commit to build instead of the BuildConfig's ref; with O(source), the commit that it was taken from.
    type: str
  source:
    description:
      - Directory or archive (tar, tar.gz, zip) on the host of the module that is sent as the source of the build.
      - A directory is packed on disk, without C(.git). OpenShift takes no O(env), O(build_args) and O(no_cache) with it.
    type: path
  timeout:
    description: Seconds for all of it.
    type: float
    default: 1800
  on_timeout:
    description:
      - What becomes of the build when the time is over, or the module is interrupted. Either way the module fails.
      - Without it, a build that the module started is cancelled, and one that it only waited for is left.
    type: str
    choices: [cancel, leave]
  retries:
    description:
      - How often another build is started after one that failed for a reason that may pass, such as the network, the
        registry or an evicted pod.
    type: int
    default: 1
  log:
    description: File on the host of the module that receives the whole log, without secrets. It is written anew.
    type: path
seealso:
  - name: Builds on OpenShift
    description: How inputs are compared, what each failure means, and the permissions that this takes.
    link: https://github.com/mlops/mlops.notebooks/blob/main/docs/builds.md
  - module: mlops.notebooks.platform_info
"""

EXAMPLES = r"""
- name: Build unless there is an image of the same inputs
  mlops.notebooks.s2i_build:
    name: churn-notebook
    namespace: ml-checks
    commit: 5f2c1d7c0b8e4c5f9a3d6e7b8c9d0e1f2a3b4c5d
    log: /tmp/churn-notebook.log
  register: built
  tags: [no-run]  # needs a cluster

- name: Show the image
  ansible.builtin.debug:
    msg: "{{ built.image.reference }}"
  tags: [no-run]

- name: Build what lies in a directory
  mlops.notebooks.s2i_build:
    name: churn-notebook
    source: notebooks/churn
    timeout: 600
    on_timeout: leave
  tags: [no-run]

- name: Start a build without waiting, with a build argument of a Docker strategy
  mlops.notebooks.s2i_build:
    name: base-image
    state: started
    build_args: {PYTHON: "3.12"}
    no_cache: true
  register: started
  tags: [no-run]

- name: Wait for it
  mlops.notebooks.s2i_build:
    build: "{{ started.build.name }}"
    state: waited
  tags: [no-run]

- name: Cancel what is under way
  mlops.notebooks.s2i_build:
    name: base-image
    state: cancelled
  tags: [no-run]
"""

RETURN = r"""
build:
  description: The build; null with O(state=absent), and with O(state=cancelled) where there was none.
  returned: success, and failure once there is a build
  type: dict
  contains:
    name:
      description: Its name; in check mode the name that it would have.
      type: str
    phase:
      description: C(New), C(Pending), C(Running), C(Complete), C(Failed), C(Error), C(Cancelled), or C(Planned) in check mode.
      type: str
    reason:
      description: Code of the error taxonomy where it failed.
      type: str
    message:
      description: What failed, in which step, in one sentence; or why nothing had to be built.
      type: str
    log_tail:
      description: The last lines of its log, without secrets.
      type: list
      elements: str
    log:
      description: Path of the whole log, where O(log) names one and there were lines.
      type: str
    duration:
      description: Seconds, as the server measured them.
      type: float
    stages:
      description: Seconds by stage.
      type: dict
    commit:
      description: The commit that was built. Of a binary source without O(commit) the digest of its content.
      type: str
  sample:
    name: churn-notebook-7
    phase: Complete
    reason: null
    message: null
    log_tail: [Successfully pushed the image]
    log: null
    duration: 41.0
    stages: {FetchInputs: 2.1, PullImages: 4.0, Build: 30.2, PushImage: 3.9}
    commit: 5f2c1d7c0b8e4c5f9a3d6e7b8c9d0e1f2a3b4c5d
image:
  description: The image that a complete build put out, else null.
  returned: success
  type: dict
  contains:
    reference:
      description: By digest, as pods pull it.
      type: str
    digest:
      description: Its digest.
      type: str
    pullspec:
      description: By tag.
      type: str
  sample:
    reference: image-registry.openshift-image-registry.svc:5000/ml-checks/churn@sha256:6c9f…
    digest: sha256:6c9f…
    pullspec: image-registry.openshift-image-registry.svc:5000/ml-checks/churn:latest
builds:
  description: Names of the builds that were cancelled or deleted.
  returned: success
  type: list
  elements: str
  sample: []
code:
  description: Code of the error taxonomy.
  returned: failure
  type: str
  sample: build_failed
category:
  description: Category of that code.
  returned: failure
  type: str
  sample: environment_setup_failed
advice:
  description: What to do, each an action.
  returned: failure
  type: list
  elements: str
"""

import functools
import re

from ansible_collections.mlops.notebooks.plugins.module_utils._ansible import PROGRESS_SPEC, main
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.buildlog import BuildLog
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift.inputs import Wanted
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.openshift.s2i import (
    STATES,
    Task,
    bring_about,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.sanitize import clean
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.taxonomy import entry
from ansible_collections.mlops.notebooks.plugins.module_utils._kubernetes import (
    AUTH_SPEC,
    auth_options,
    connected,
    secrets,
)

ARGUMENT_SPEC = {
    **AUTH_SPEC,
    **PROGRESS_SPEC,
    "state": {"type": "str", "choices": list(STATES), "default": "built"},
    "name": {"type": "str"},
    "build": {"type": "str"},
    "namespace": {"type": "str"},
    "env": {"type": "dict", "default": {}},
    "build_args": {"type": "dict", "default": {}},
    "no_cache": {"type": "bool", "default": False},
    "commit": {"type": "str"},
    "source": {"type": "path"},
    "timeout": {"type": "float", "default": 1800},
    "on_timeout": {"type": "str", "choices": ["cancel", "leave"]},
    "retries": {"type": "int", "default": 1},
    "log": {"type": "path"},
}
_SECRET = re.compile(r"passw|token|secret|key|credential", re.IGNORECASE)


def run(module, progress) -> dict:
    given = module.params
    if given["timeout"] <= 0 or given["retries"] < 0:
        raise EngineError("timeout must be more than 0, and retries not less.")
    if not given["name"] and (given["state"] in ("built", "started") or not given["build"]):
        raise EngineError("Nothing names what to build: give name, the BuildConfig, or for the other states build.")
    variables = {option: {str(k): str(v) for k, v in given[option].items()} for option in ("env", "build_args")}
    hidden = {value for part in variables.values() for name, value in part.items() if value and _SECRET.search(name)}
    module.no_log_values.update(hidden)
    cluster = connected(module)
    mask = functools.partial(clean, secrets=hidden | secrets(auth_options(given)))
    task = Task(
        wanted=Wanted(**variables, no_cache=given["no_cache"], commit=given["commit"]),
        dry_run=module.check_mode,
        retryable=lambda code: entry(code).retryable,
        **{
            name: given[name]
            for name in ("state", "name", "build", "namespace", "source", "timeout", "on_timeout", "retries")
        },
    )
    with cluster:
        found = bring_about(cluster, task, BuildLog(given["log"], progress, clean=mask))
    for warning in found.warnings:
        module.warn(warning)
    result = {name: getattr(found, name) for name in ("changed", "build", "image", "builds")}
    if module._diff and found.after is not None:
        result["diff"] = {"before": found.before, "after": found.after}
    return result


if __name__ == "__main__":
    main(ARGUMENT_SPEC, run, supports_check_mode=True)
