#!/usr/bin/python
# Copyright: (c) 2026, mlops.notebooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: notebook_validation
short_description: Run notebooks in their environments and judge them
version_added: "0.1.0"
description:
  - Runs each notebook with papermill in the environment that M(mlops.notebooks.notebook_environment) made for it, several
    at once, and returns one verdict a notebook.
  - A run is a process of its own under an unprivileged random UID where the module runs as root (as the caller otherwise), in a
    copy of the source, with a home directory, caches and temporary files that are removed at its end.
  - What happens to a notebook is a verdict, not a failure of the module; O(fail_on) says which verdicts fail it.
  - A verdict is kept under the content of its work (notebook, files of the source, environment, parameters, policies, golden
    notebook). The same work is not run again and is reported as cached, unless it ended in an infrastructure failure.
  - Verdicts are kept in O(cache_dir) and, where notebooks run in pods, as ConfigMaps of the namespace, so that another machine finds
    them too.
author:
  - mlops.notebooks contributors (@mlops-notebooks)
requirements:
  - kubernetes, for notebooks in pods
  - boto3, for O(results.bucket)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mlops.notebooks.attributes
  - mlops.notebooks.attributes.action_group
  - mlops.notebooks.progress
attributes:
  check_mode:
    support: full
    details: Returns the verdicts that are known and names the notebooks that would run in RV(planned).
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: With O(rerun=never), unless a run ended in an infrastructure failure.
options:
  path:
    description: Root of the source, a directory on the machine that the module runs on.
    type: path
    required: true
  environments:
    description:
      - Environments with their notebooks, as M(mlops.notebooks.notebook_environment) returns them in
        RV(mlops.notebooks.notebook_environment#module:environments).
    type: list
    elements: dict
    required: true
  resolutions:
    description:
      - What M(mlops.notebooks.notebook_requirements) returned, for the tier in the verdicts and for advice and repair.
    type: list
    elements: dict
    default: []
  refused:
    description:
      - Notebooks that M(mlops.notebooks.notebook_requirements) refused, as it returned them; each gets a failed verdict.
    type: list
    elements: dict
    default: []
  executor:
    description:
      - How notebooks are run. V(process) runs them as processes of this machine, in virtual environments. V(job) runs them in pods
        of a cluster, in images, by Jobs. V(operator) asks the operator of the collection, by a C(NotebookValidationJob) for each
        notebook; it clones the notebooks itself from O(source), and judges them as this module does.
      - V(auto) takes for each notebook the one that suits its environment.
    type: str
    choices: [auto, process, job, operator]
    default: auto
  namespace:
    description: The namespace that pods run in. The default is that of the context, or of the pod, else C(default).
    type: str
  pod:
    description:
      - What is said of the pods that notebooks run in, in the form of the Kubernetes API. It is added to what the collection says,
        and replaces none of it.
    type: dict
    suboptions:
      resources:
        description: Requests and limits of the notebook's container.
        type: dict
        default: {}
      service_account:
        description: Service account of the pods, for its pull secrets; its token is not mounted.
        type: str
      node_selector:
        description: Labels of the nodes that pods run on.
        type: dict
        default: {}
      tolerations:
        description: Tolerations of the pods.
        type: list
        elements: dict
        default: []
      affinity:
        description: Affinity of the pods.
        type: dict
        default: {}
      priority_class:
        description: Name of their priority class.
        type: str
      runtime_class:
        description: Name of their runtime class.
        type: str
      image_pull_secrets:
        description: Names of Secrets that may pull the images.
        type: list
        elements: str
        default: []
      labels:
        description: Labels of Jobs and pods, beside those of the collection.
        type: dict
        default: {}
      annotations:
        description: Annotations of Jobs and pods, such as those that a secret injector acts on.
        type: dict
        default: {}
      env:
        description:
          - Variables of the notebooks, with C(value) or C(valueFrom). Those by which the collection keeps files in one place, such
            as E(HOME), are refused. Those that name proxies are those of the container too that fetches O(source).
        type: list
        elements: dict
        default: []
      env_from:
        description: ConfigMaps and Secrets whose entries are variables of the notebooks.
        type: list
        elements: dict
        default: []
      credentials:
        description: Names of Secrets whose entries are variables of the notebooks, in short for O(pod.env_from).
        type: list
        elements: str
        default: []
      volumes:
        description: Further volumes of the pods; names that the collection uses itself are refused.
        type: list
        elements: dict
        default: []
      volume_mounts:
        description: Where the notebook's container has them; places of the collection, such as C(/work) and C(/tmp), are refused.
        type: list
        elements: dict
        default: []
      queue:
        description: Name of a local queue of Kueue, which then decides when the pods begin.
        type: str
      patience:
        description:
          - Seconds that a pod may be held up before its notebook is given up, by an image that cannot be pulled, say. A pod that no node
            takes is waited for as long as others of the same call run.
        type: float
        default: 60
      on_cancel:
        description:
          - What becomes of the pods when the module is interrupted. What V(leave) leaves is taken up by the next call for the same
            notebooks.
        type: str
        choices: [delete, leave]
        default: delete
  source:
    description:
      - Where pods have the source from. Without it they have what is in O(path), packed and carried by ConfigMaps. O(path) has to hold
        the same in any case, since what is known of the notebooks, and the key that verdicts are kept by, are made from it; a
        notebook that differs there has the failed verdict C(source_unavailable).
    type: dict
    suboptions:
      url:
        description: An https or ssh address of a git repository, without credentials. An init container fetches it in each pod.
        type: str
      ref:
        description: Branch, tag or full commit SHA; the default branch where it is not given.
        type: str
      path:
        description: Directory of the repository, or on the claim, that is the same as O(path).
        type: str
        default: ""
      secret:
        description:
          - Name of a Secret of the namespace, which is mounted in the init container only. For https it has C(password) or C(token),
            and C(username) where the server asks for a certain one; a private authority is C(ca.crt). For ssh it has C(ssh-privatekey)
            and C(known_hosts).
        type: str
      image:
        description: Image that has git and a shell; that of the notebook where it is not given.
        type: str
      claim:
        description: Name of a PersistentVolumeClaim that has the source, in place of O(source.url). It is mounted read-only.
        type: str
  results:
    description: Where results go besides.
    type: dict
    suboptions:
      claim:
        description:
          - Name of a PersistentVolumeClaim on which pods leave C(results.json) and C(executed.ipynb), by a container that the notebook
            never was in. It needs O(pass_variables) to be empty, whose values it could not hide. What is known from before is not
            left again.
        type: str
      path:
        description: Directory on the claim; below it each work has one, named by its key.
        type: str
        default: ""
      bucket:
        description:
          - A bucket of S3, or of what speaks its protocol, that gets C(verdict.json) and C(executed.ipynb) below the key of each work,
            when all verdicts are known. What is there already is not written again. The module has the credentials from its environment,
            as E(AWS_ACCESS_KEY_ID) and E(AWS_SECRET_ACCESS_KEY). Where it cannot be written, the module fails, and returns the verdicts.
        type: dict
        suboptions:
          name:
            description: Name of the bucket.
            type: str
            required: true
          prefix:
            description: What all names in it begin with.
            type: str
            default: ""
          endpoint:
            description: URL of the service, where it is not that of AWS.
            type: str
          region:
            description: Region of the bucket.
            type: str
          ca:
            description: File of the certificates to trust.
            type: path
  parameters:
    description: Papermill parameters for every notebook.
    type: dict
    default: {}
  timeout:
    description: Seconds that one notebook may take in all; V(0) for no limit.
    type: float
    default: 1800
  cell_timeout:
    description: Seconds that one cell may take; V(0) for no limit.
    type: float
    default: 0
  overrides:
    description:
      - Settings for some of the notebooks. Later ones win; dictionaries are merged, other settings replaced.
    type: list
    elements: dict
    default: []
    suboptions:
      notebooks:
        description: Paths or globs relative to O(path).
        type: list
        elements: str
        required: true
      parameters:
        description: As O(parameters).
        type: dict
      timeout:
        description: As O(timeout).
        type: float
      cell_timeout:
        description: As O(cell_timeout).
        type: float
      golden:
        description: Path of the golden notebook relative to O(path).
        type: str
      policies:
        description: As O(policies).
        type: dict
      comparison:
        description: As O(comparison).
        type: dict
  policies:
    description:
      - What a notebook must keep to besides running to its end. The keys and their meaning are described in C(docs/verdicts.md) of the
        collection.
    type: dict
    default: {}
  golden:
    description:
      - Directory relative to O(path) that mirrors the notebooks. A notebook that has a file of the same path in it is compared
        with that.
    type: str
  comparison:
    description: How outputs are compared with the golden notebook; the keys are described in C(docs/golden.md) of the collection.
    type: dict
    default: {}
  exclude:
    description:
      - Globs relative to O(path) of files that are no part of the source, such as a directory of reports. Runs do not see them, and
        they do not count for what is run again.
    type: list
    elements: str
    default: []
  environment_variables:
    description: Variables set for the notebooks, by name and value. They stand in logs; for secrets use O(pass_variables).
    type: dict
    default: {}
  pass_variables:
    description:
      - Names of variables of the module's own environment (the task's C(environment)) that are handed on to the notebooks.
        Nothing else of it reaches them.
      - Their values are hidden in verdicts, reports and executed notebooks.
    type: list
    elements: str
    default: []
  limits:
    description: Resource limits of one run.
    type: dict
    default: {}
    suboptions:
      memory:
        description: Memory, such as V(4GiB); V(0) for no limit.
        type: str
        default: 4GiB
      cpu:
        description: Seconds of CPU time; V(0) for no limit.
        type: int
        default: 0
      processes:
        description: Processes and threads of the run's UID; V(0) for no limit.
        type: int
        default: 512
      file_size:
        description: Size of one file that the run may write; V(0) for no limit.
        type: str
        default: 4GiB
      output:
        description: Size of all outputs of the notebook.
        type: str
        default: 64MiB
  workers:
    description: Notebooks run at once; V(0) for one on each processor, or for ten pods.
    type: int
    default: 0
  rerun:
    description:
      - Whether work that has a verdict from before is run again. V(failed) runs what had failed, V(always) all.
    type: str
    choices: [never, failed, always]
    default: never
  max_age:
    description:
      - Days after which a verdict is forgotten. On this machine they count from the last run that asked for it, in a namespace from
        its run.
    type: int
    default: 90
  repair:
    description:
      - Rounds of repair for notebooks that fail on an import. Each round adds what provides the missing module to the
        environment and runs the notebook again; the lines found are returned, to be declared.
    type: int
    default: 0
  retries:
    description: Runs after the first, for failures of the infrastructure only.
    type: int
    default: 1
  fail_on:
    description:
      - When the module fails. V(never), V(failed) for any failed notebook, or a JMESPath expression over an object with
        C(verdicts) and C(summary) whose result is not empty and not false.
    type: str
    default: never
  cache_dir:
    description: As O(mlops.notebooks.notebook_environment#module:cache_dir).
    type: path
seealso:
  - module: mlops.notebooks.notebook_requirements
  - module: mlops.notebooks.notebook_environment
  - module: mlops.notebooks.notebook_report
"""

EXAMPLES = r"""
- name: Find out what the notebooks need
  mlops.notebooks.notebook_requirements:
    path: examples/notebooks
    notebooks: [base/settings.ipynb]
  register: requirements

- name: Make their environments
  mlops.notebooks.notebook_environment:
    resolutions: "{{ requirements.resolutions }}"
    source:
      path: examples/notebooks
  register: made

- name: Run them, and fail when one of them is slower than a minute or failed
  mlops.notebooks.notebook_validation:
    path: examples/notebooks
    environments: "{{ made.environments }}"
    resolutions: "{{ requirements.resolutions }}"
    cell_timeout: 60
    fail_on: "verdicts[?status == 'failed' || duration > `60`]"
"""

RETURN = r"""
verdicts:
  description: One verdict a notebook, in the order of their paths.
  returned: always
  type: list
  elements: dict
  contains:
    notebook:
      description: Path relative to O(path).
      type: str
      sample: sales/returns.ipynb
    status:
      description: V(succeeded) or V(failed).
      type: str
      sample: failed
    code:
      description: Error code, see C(docs/errors.md) of the collection; null where it succeeded.
      type: str
      sample: missing_module
    category:
      description: Group of the code.
      type: str
      sample: dependency_install_failed
    cause:
      description: One sentence.
      type: str
    advice:
      description: What to do; for a missing module the exact lines to add.
      type: list
      elements: str
    retryable:
      description: Another run may end otherwise.
      type: bool
    cell:
      description: Zero-based index of the cell at fault.
      type: int
    module:
      description: The module that is missing.
      type: str
    distribution:
      description: What is likely to provide it.
      type: str
    cells:
      description: Index, type, status (V(Success), V(Failure), V(Skipped)), duration and error of each cell of the source.
      type: list
      elements: dict
    comparison:
      description: Result, counts and differences of the golden comparison.
      type: dict
    warnings:
      description: What is worth knowing and fails nothing.
      type: list
      elements: str
    tier:
      description: Tier of the requirements ladder.
      type: str
    requirements:
      description: Requirement lines of its environment.
      type: list
      elements: str
    requirements_found:
      description: Lines that the repair added.
      type: list
      elements: str
    environment:
      description: Key of its environment.
      type: str
    environment_cached:
      description: The environment was there before.
      type: bool
    attempts:
      description: Runs.
      type: int
    duration:
      description: Seconds of the last run.
      type: float
    cached:
      description: The verdict is of an earlier run of the same work.
      type: bool
    executed:
      description: Path of the executed notebook.
      type: str
summary:
  description: Counts over the verdicts.
  returned: always
  type: dict
  sample: {total: 10, succeeded: 6, failed: 4, cached: 0}
fail_on_matched:
  description: Whether O(fail_on) matched, which fails the module.
  returned: always
  type: bool
planned:
  description: Notebooks that would run.
  returned: in check mode
  type: list
  elements: str
"""

from ansible_collections.mlops.notebooks.plugins.module_utils._ansible import main
from ansible_collections.mlops.notebooks.plugins.module_utils._validation import ARGUMENT_SPEC, perform

if __name__ == "__main__":
    main(ARGUMENT_SPEC, perform, supports_check_mode=True)
