#!/usr/bin/python
# Copyright: (c) 2026, mlops.notebooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make or find the environments that notebooks run in."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: notebook_environment
short_description: Make or find the environments that notebooks run in
version_added: "0.1.0"
author: mlops.notebooks contributors (@mlops-notebooks)
description:
  - Turns the resolutions of M(mlops.notebooks.notebook_requirements) into environments, each distinct one once.
  - An environment is named by its content key, a hash over the interpreter, the requirement lines, the files that these
    lines name, and the builder. What exists under its key is found again and reported as cached.
  - Two runs that need the same environment at the same time make it once. A build that failed or was killed leaves
    nothing that a later run takes for an environment.
  - The strategy V(venv) makes virtual environments on the machine that the module runs on. They hold the requirements and
    what runs notebooks (papermill, nbclient, nbformat, ipykernel) in one resolution.
  - The strategies V(s2i) and V(docker) make images by builds of OpenShift, with the same content, upon the image that O(base)
    names. Each is a tag of the image stream C(notebook-environments), named by its key; a build that failed makes no tag.
requirements:
  - packaging
  - uv, or an interpreter whose C(venv) module can install pip, for the strategy V(venv)
  - kubernetes, for the strategies V(s2i) and V(docker)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mlops.notebooks.attributes
  - mlops.notebooks.attributes.action_group
  - mlops.notebooks.progress
attributes:
  check_mode:
    support: full
    details: Says which environments it would build.
  diff_mode:
    support: full
    details: Shows the environments that exist before and after, with their requirement lines.
  idempotent:
    support: partial
    details: With O(reuse=never) it builds each time.
options:
  strategy:
    description:
      - How to make the environments.
      - V(auto) takes the best strategy that works here. On OpenShift with an image as O(base) that is V(s2i), else V(venv).
      - V(venv) makes virtual environments.
      - V(s2i) makes images by source builds of OpenShift. An S2I builder image installs the requirements by its own scripts;
        any other image gets scripts of ours.
      - V(docker) makes images by Docker builds of OpenShift, which suit any image that has C(python3) with pip.
      - V(buildah) makes images by a Job with buildah on any Kubernetes, without root's rights on the node, and pushes them to
        O(repository).
      - V(tekton) does the same by a TaskRun of Tekton, V(shipwright) by a BuildRun of Shipwright.
      - V(prebuilt) takes the image that O(base) names as it is. It is checked first, in a pod as notebooks get it (a random
        UID, a root file system that nobody writes), for papermill, ipykernel, what the notebooks import, and O(image.tests).
        Nothing is installed, so that V(auto) never takes it.
      - C(kaniko) is archived by its makers and no strategy; V(buildah) does its work.
      - The full name of a strategy of another collection, such as V(acme.builders.conda), takes that one.
    type: str
    default: auto
  community:
    description:
      - Full name of a strategy of another collection that V(auto) may take too, where it can work and ranks highest. Without
        it, such a strategy is taken only where O(strategy) names it.
    type: str
  namespace:
    description:
      - The namespace that images are made in. The default is that of the context, or of the pod, else C(default).
    type: str
  shared_namespace:
    description:
      - A further namespace whose images V(s2i) and V(docker) take where O(namespace) has none. Nothing is written there.
      - The account needs C(get) of C(imagestreamtags) in it, and pods elsewhere the role C(system:image-puller).
    type: str
  resolutions:
    description:
      - What the notebooks need, as RV(mlops.notebooks.notebook_requirements#module:resolutions) has it.
      - Written by hand, each needs C(notebook) and C(requirements).
    type: list
    elements: dict
    required: true
  source:
    description: The tree that the notebooks belong to, as a directory or as a repository that the cluster itself fetches.
    type: dict
    suboptions:
      path:
        description: Directory that paths in requirement lines are relative to.
        type: path
      url:
        description:
          - Address of a git repository (https, ssh or git), without credentials. V(docker) builds from it, and V(s2i) upon S2I
            builder images.
          - It is fetched only for requirement lines that name files of it, whose environments then hold for one commit;
            all other environments are the same for all commits.
        type: str
      ref:
        description:
          - Branch, tag or commit. The default is the repository's default branch.
          - A branch or tag is looked up from where the module runs, without credentials. Where that cannot be, a commit is needed
            for lines that name files of the repository.
        type: str
      context_dir:
        description: The directory of the repository that paths in requirement lines are relative to.
        type: str
      secret:
        description:
          - Name of the Secret in O(namespace) with the credentials for O(source.url), of the type C(kubernetes.io/basic-auth) or
            C(kubernetes.io/ssh-auth).
        type: str
  base:
    description:
      - What to build upon. For the strategy V(venv) an interpreter, as a path or a version such as V(3.11).
      - For V(s2i) and V(docker) an image reference. A tag is looked up at each call, and the digest that it stands for is part
        of the key, so that a tag that moved is noticed.
      - For V(venv) without it, the first interpreter that fits C(python_requires) of the resolution is taken, the version that the
        module itself runs with preferred.
      - For root, only interpreters count that other users can reach, since notebooks run without root's rights.
    type: str
  repository:
    description:
      - Where images are pushed to, without a tag, such as V(registry.example.com/team/notebooks). Each key is a tag of it.
      - For the strategies that push to a registry; those of OpenShift put images into an image stream.
    type: str
  push_secret:
    description: Name of the Secret in O(namespace), of the type C(kubernetes.io/dockerconfigjson), that may push to O(repository).
    type: str
  image:
    description: What an image holds beside the requirements. All of it is part of the content key.
    type: dict
    suboptions:
      packages:
        description: Packages of the image's own package manager, which is looked for (apt, dnf, microdnf, apk).
        type: list
        elements: str
        default: []
      labels:
        description: Labels of the image.
        type: dict
        default: {}
      tests:
        description: Commands of a shell that have to succeed in the image before it is pushed.
        type: list
        elements: str
        default: []
      containerfile:
        description:
          - Path of a Containerfile or Dockerfile of yours, relative to O(source). Its last stage is completed with what runs
            notebooks and what they require; what it should not do is warned of.
        type: str
      multi_stage:
        description: Build wheels in a stage of their own, so that compilers and caches stay out of the image.
        type: bool
        default: false
  build:
    description: How builds in a cluster go about their work. Nothing of it is part of the content key.
    type: dict
    suboptions:
      service_account:
        description: Service account that builds run as.
        type: str
      resources:
        description: Requests and limits of a build, as those of a container.
        type: dict
        default: {}
      node_selector:
        description: Labels of the nodes that builds run on.
        type: dict
        default: {}
      settings_config_map:
        description:
          - Name of a ConfigMap in O(namespace) whose entries C(pip.conf), C(ca-bundle.crt), C(http_proxy), C(https_proxy) and
            C(no_proxy) hold while a build runs. They never get into the image.
        type: str
      settings_secret:
        description: The same as O(build.settings_config_map), as a Secret. Where both are given, its entries count.
        type: str
      builder_image:
        description: Image that has buildah, for the strategies that need one.
        type: str
      keep_complete:
        description: How many complete builds of a key are kept. On OpenShift at least 1, as O(build.keep_failed).
        type: int
        default: 1
      keep_failed:
        description: How many failed builds of a key are kept.
        type: int
        default: 2
  reuse:
    description:
      - What to do with an environment that exists.
      - V(if-exists) takes it. V(verify) takes it when its interpreter starts and what is installed is still what was
        installed, or, for an image of V(s2i) and V(docker), when its tag still stands for an image that was made for its key,
        or, for one of V(tekton), V(shipwright) and V(buildah), when the registry has it. V(never) builds it anew.
    type: str
    choices: [if-exists, never, verify]
    default: if-exists
  timeout:
    description: Seconds that one build may take.
    type: int
    default: 1800
  cache_dir:
    description:
      - Directory that keeps environments, their build logs and bytecode.
      - The default is E(MLOPS_NOTEBOOKS_CACHE), else C(/var/cache/mlops.notebooks) for root and
        C(mlops.notebooks) in the user's cache directory for others.
      - Where that cannot be written, a directory of the user's own among the temporary files is taken.
      - For root it must belong to root, be writable by root only, and be open to other users.
    type: path
  installer:
    description: V(auto) takes uv where it is installed, else pip.
    type: str
    choices: [auto, uv, pip]
    default: auto
  max_size:
    description:
      - How much disk space environments may take, such as V(20G); the ones unused for longest are removed.
      - Environments that are in use, or were in the last ten minutes, are never removed.
    type: str
    default: 20G
  max_age:
    description: Days after which an environment that nobody used is removed.
    type: int
    default: 30
seealso:
  - module: mlops.notebooks.notebook_requirements
  - module: mlops.notebooks.notebook_validation
"""

EXAMPLES = r"""
- name: Find out what the notebooks need
  mlops.notebooks.notebook_requirements:
    path: examples/notebooks
  register: needs

- name: Make the environments
  mlops.notebooks.notebook_environment:
    resolutions: "{{ needs.resolutions }}"
    source:
      path: examples/notebooks
  register: made

- name: Make one environment by hand, on a given interpreter
  mlops.notebooks.notebook_environment:
    strategy: venv
    base: "3.11"
    resolutions:
      - notebook: report.ipynb
        requirements:
          - pandas>=2
          - matplotlib

- name: Make an image on OpenShift
  mlops.notebooks.notebook_environment:
    strategy: s2i
    namespace: ml-checks
    base: registry.example.com/jupyter/minimal-notebook:2026-11-02
    resolutions: "{{ needs.resolutions }}"
  register: image
  tags: [no-run]  # needs a cluster

- name: Take an image that holds everything already
  mlops.notebooks.notebook_environment:
    strategy: prebuilt
    namespace: ml-checks
    base: registry.example.com/team/notebook:2026
    resolutions: "{{ needs.resolutions }}"
  register: image
  tags: [no-run]  # needs a cluster

- name: Check what an earlier run left, and make it anew where it was damaged
  mlops.notebooks.notebook_environment:
    resolutions: "{{ needs.resolutions }}"
    source:
      path: examples/notebooks
    reuse: verify
"""

RETURN = r"""
environments:
  description: One entry for each distinct environment; also returned when builds failed.
  returned: always
  type: list
  elements: dict
  contains:
    key:
      description: Content key. Same key, same environment.
      type: str
    notebooks:
      description: The notebooks that share it.
      type: list
      elements: str
    requirements:
      description: Their requirement lines, without credentials.
      type: list
      elements: str
    environment:
      description:
        - What to run in; null where the build failed or is only planned.
        - Its C(kind) is C(venv) or C(image), its C(reference) a directory, or an image by digest.
      type: dict
    build:
      description: How it came to be, or why it did not.
      type: dict
  sample:
    - key: b2a98e867ab8a66c76c7f6af94da0adb
      notebooks: [report.ipynb]
      requirements: [pandas>=2]
      environment:
        kind: venv
        reference: /var/cache/mlops.notebooks/environments/b2a98e867ab8a66c76c7f6af94da0adb
        digest: sha256:4b9bc369b90b8c74b5d64d88ae237115130d8a1c179f67418d0b8d6faae14d12
        key: b2a98e867ab8a66c76c7f6af94da0adb
        cached: false
        strategy: venv
        python: /var/cache/mlops.notebooks/environments/b2a98e867ab8a66c76c7f6af94da0adb/bin/python
        python_version: 3.11.2
      build:
        name: b2a98e867ab8a66c76c7f6af94da0adb
        phase: Complete
        reason: null
        message: null
        duration: 4.8
        log: /var/cache/mlops.notebooks/builds/b2a98e867ab8a66c76c7f6af94da0adb.log
        log_tail: []
        stages: {create: 0.2, install: 0.9, compile: 3.5, check: 0.2}
        commit: null
environment:
  description: The environment of the first entry of RV(environments), for calls with one resolution.
  returned: always
  type: dict
build:
  description:
    - The build of the first entry of RV(environments).
    - Its C(phase) is C(Complete), C(Cached), C(Failed), or C(Planned) in check mode.
  returned: always
  type: dict
code:
  description: Code of the error taxonomy for the first failure.
  returned: failure
  type: str
  sample: dependency_not_found
category:
  description: Category of that code.
  returned: failure
  type: str
  sample: dependency_install_failed
advice:
  description: What to do, each an action.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.mlops.notebooks.plugins.module_utils.environment import main

if __name__ == "__main__":
    main()
