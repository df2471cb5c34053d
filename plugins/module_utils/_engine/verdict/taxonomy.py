# SPDX-License-Identifier: GPL-3.0-or-later
"""The one table of everything that can go wrong; docs/errors.md is generated from it."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from ..values.base import Value

# Coarse groups, kept apart because a different person acts on each.
CATEGORIES = {
    "configuration_error": "What was asked cannot be meant: options, paths, notebooks that are none.",
    "dependency_install_failed": "The packages that the notebook needs are not there.",
    "environment_setup_failed": "The place the notebook runs in is not fit for it.",
    "notebook_execution_failed": "The notebook's own code fails.",
    "validation_warning_failure": "The notebook runs, but a policy forbids the warnings it shows.",
    "validation_stderr_failure": "The notebook runs, but a policy forbids what it writes to stderr.",
    "validation_output_failure": "The notebook runs, but its values are not the expected ones.",
    "validation_strict_mode_failure": "The notebook runs, but not as cleanly as strict mode asks.",
    "golden_mismatch": "The notebook runs, but its outputs differ from the golden notebook.",
    "model_validation_failed": "A model that the notebooks call is not there, may not be asked, or predicts something else.",
    "cluster_error": "The cluster cannot be used as asked: the way to it, the login, or the permissions.",
    "infrastructure": "Nothing that the notebook can help; worth another try.",
}


@dataclass(frozen=True)
class Entry(Value):
    """One failure. cause: one sentence. advice: each an action. retryable: the same work may pass on another try.

    reasons: values of ``RunResult.reason`` that mean it. patterns: regular expressions by which it is recognised in
    ``ename: evalue`` of an error, or in the log of a build; the first entry of the table that matches wins.
    """

    code: str
    category: str
    cause: str
    advice: tuple[str, ...]
    retryable: bool = False
    reasons: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


_CONFIG = "configuration_error"
_DEPENDENCY = "dependency_install_failed"
_SETUP = "environment_setup_failed"
_CODE = "notebook_execution_failed"
_OUTPUT = "validation_output_failure"
_CLUSTER = "cluster_error"
_MODEL = "model_validation_failed"
_INFRA = "infrastructure"

TABLE: tuple[Entry, ...] = (
    Entry(
        "invalid_input", _CONFIG, "An option or a file cannot be used as it is.", ("Correct what the message names.",)
    ),
    Entry(
        "notebook_not_found",
        _CONFIG,
        "There is no notebook at this path.",
        ("Give a path or glob relative to the source.",),
    ),
    Entry(
        "notebook_invalid",
        _CONFIG,
        "The file is no Jupyter notebook.",
        ("Open it in Jupyter and save it anew, or leave it out with the exclude option.",),
    ),
    Entry(
        "kernel_unsupported",
        _CONFIG,
        "The notebook asks for a kernel that is not available here.",
        ("Choose a Python kernel in Jupyter and save the notebook, or leave it out with the exclude option.",),
    ),
    Entry(
        "requirements_invalid",
        _CONFIG,
        "A requirements file has a line that cannot be read.",
        ("Correct the line that the message names.",),
    ),
    Entry(
        "requirements_missing",
        _CONFIG,
        "Nothing says what the notebook needs, and fallback is fail.",
        ("Add a requirements.txt beside the notebook.", "Or set generate: true to find the needs from the imports."),
    ),
    Entry(
        "source_unavailable",
        _CONFIG,
        "The source of the notebooks cannot be fetched.",
        ("Check the address, the branch, tag or commit, and the credentials.",),
        reasons=("source_unavailable",),
    ),
    Entry(
        "source_unreachable",
        _INFRA,
        "The host of the source does not answer the pod.",
        (
            "Check the address and the way from the namespace to it: NetworkPolicies, proxies, DNS.",
            "Or leave source out: then the source is carried to the pods by ConfigMaps.",
        ),
        retryable=True,
        reasons=("source_unreachable",),
    ),
    Entry(
        "results_unkept",
        _SETUP,
        "Results could not be written where they were to go besides.",
        ("Do what the message says; the verdicts are known, and the next call tries again to write them.",),
    ),
    Entry(
        "golden_missing",
        _CONFIG,
        "There is no golden notebook to compare with.",
        ("Keep a good run's executed notebook at the path that the golden option names.",),
    ),
    Entry(
        "report_dir_invalid",
        _CONFIG,
        "The directory for the report cannot be used.",
        ("Choose a directory that is empty, new or an earlier report, and that you may write to.",),
    ),
    Entry(
        "missing_library",
        _CONFIG,
        "The interpreter that runs the module lacks a Python package.",
        ("Install the package that the message names for the interpreter that runs the module.",),
    ),
    Entry(
        "python_unsupported",
        _DEPENDENCY,
        "A package or a module does not fit the version of Python.",
        (
            "Choose another version of Python for the environment.",
            "Or pin a version of the package that supports this one.",
        ),
    ),
    Entry(
        "dependency_conflict",
        _DEPENDENCY,
        "The requirements contradict each other.",
        ("Loosen or change the pins that the message names.",),
    ),
    Entry(
        "network_unavailable",
        _INFRA,
        "A host on the network cannot be reached.",
        (
            "Check the network, the proxy and the addresses in use.",
            "If the runs have no network by intent, keep the data beside the notebook.",
        ),
        retryable=True,
        patterns=(
            r"Temporary failure in name resolution|Name or service not known|nodename nor servname|getaddrinfo failed",
            r"No address associated with hostname|NameResolutionError|Failed to resolve|[Cc]ould not resolve host",
            r"Network is unreachable|No route to host|Failed to establish a new connection|Max retries exceeded",
            r"\bConnect(?:ion)?Timeout|ConnectTimeoutError|ReadTimeoutError|\bURLError\b|ClientConnectorError",
            r"^\w*(?:ConnectionError|ConnectError|NewConnectionError)\b|Connection refused|ConnectionResetError",
            r"couldn't connect to 'https?://|We couldn't connect to|offline mode is enabled",
        ),
    ),
    Entry(
        "disk_full",
        _SETUP,
        "The disk is full.",
        (
            "Free space where temporary files lie and where the cache directory lies.",
            "Or choose others: TMPDIR for the files of runs, cache_dir for environments and verdicts.",
        ),
        reasons=("disk_full",),
        patterns=(r"No space left on device", r"Disk quota exceeded", r"\[Errno (?:28|122)\]"),
    ),
    Entry(
        "file_size_exceeded",
        _CODE,
        "The notebook writes a file that is larger than the limit.",
        ("Write less to one file, or raise limits.file_size.",),
        patterns=(r"\[Errno 27\]", r"File too large"),
    ),
    Entry(
        "dependency_build_failed",
        _DEPENDENCY,
        "A requirement does not build from its source.",
        ("Choose a version that has a wheel for this platform.", "Or install what its build needs."),
    ),
    Entry(
        "dependency_not_found",
        _DEPENDENCY,
        "A requirement does not exist under this name or version.",
        ("Correct the name or the version in the line that the message names.",),
    ),
    Entry(
        "dependency_install_failed",
        _DEPENDENCY,
        "The installer reports errors, or what it installed cannot be imported.",
        (
            "Read the installer's words below, and correct the requirement.",
            "Do not install at run time: let an image or environment hold the packages beforehand, "
            "made by a user who may write there.",
            "Pin the versions that are known to work.",
        ),
    ),
    Entry(
        "build_timeout",
        _SETUP,
        "Making the environment took longer than its timeout.",
        ("Raise the timeout of the environment.", "Or require less, or versions that have wheels."),
    ),
    Entry(
        "build_failed",
        _SETUP,
        "A step of a build of OpenShift failed by itself.",
        ("Read the last lines of the build's log, and correct what the step does.",),
    ),
    Entry(
        "build_out_of_memory",
        _SETUP,
        "A build was ended for its memory.",
        ("Raise resources.limits.memory of the BuildConfig.", "Or require packages that have wheels."),
    ),
    Entry(
        "build_cancelled",
        _SETUP,
        "A build was cancelled.",
        ("Ask who cancelled it, and start it again.",),
    ),
    Entry(
        "build_pod_lost",
        _INFRA,
        "The pod of a build was evicted or deleted before the build had ended.",
        ("Look at the node's memory and disk, and start the build again.",),
        retryable=True,
    ),
    Entry(
        "build_pod_refused",
        _SETUP,
        "The pod of a build cannot be created.",
        ("Look at the events of the build: a policy or a quota of the namespace may stand behind it.",),
    ),
    Entry(
        "builder_image_unavailable",
        _SETUP,
        "The builder image of a build cannot be found or pulled.",
        (
            "Correct the image in the strategy of the BuildConfig.",
            "Or give its pullSecret an account that may pull it.",
        ),
    ),
    Entry(
        "builder_account_missing",
        _SETUP,
        "The service account that builds run as is missing.",
        ("Create the service account builder in the namespace, or name another one in the BuildConfig.",),
    ),
    Entry(
        "image_unfit",
        _SETUP,
        "An image that shall be taken as it is cannot run the notebooks.",
        (
            "Take an image that holds papermill, ipykernel and what the notebooks import.",
            "Or choose a strategy that installs them upon the image, such as buildah.",
        ),
    ),
    Entry(
        "image_push_denied",
        _SETUP,
        "The registry does not let a build push its image.",
        ("Give the build's pushSecret, or its service account, the right to push (system:image-builder).",),
    ),
    Entry(
        "image_push_failed",
        _INFRA,
        "The image of a build could not be pushed to the registry.",
        ("Look at the registry's health and storage, and start the build again.",),
        retryable=True,
    ),
    Entry(
        "image_output_invalid",
        _CONFIG,
        "A build cannot put its image where it shall go.",
        ("Create the image stream or the push secret that the BuildConfig's output names, or correct its name.",),
    ),
    Entry(
        "quota_exceeded",
        _CLUSTER,
        "A quota of the namespace leaves no room.",
        ("Remove what is not needed, ask for less, or have an administrator raise the quota.",),
        reasons=("quota_exceeded",),
    ),
    Entry(
        "image_unavailable",
        _SETUP,
        "The image that the notebook runs in cannot be pulled.",
        (
            "Correct the image, or give the pod's service account a pull secret for its registry.",
            "For an image of another namespace, grant system:image-puller there.",
        ),
        reasons=("image_unavailable",),
    ),
    Entry(
        "pod_refused",
        _SETUP,
        "The cluster refuses the pod of the notebook, or does not start its containers.",
        ("Do what the cluster's words ask for: a policy of the namespace, or an object that the pod names.",),
        reasons=("pod_refused",),
    ),
    Entry(
        "operator_missing",
        _CLUSTER,
        "The cluster has no operator for notebooks.",
        ("Deploy it with the playbook mlops.notebooks.operator.", "Or choose the executor job, which needs none."),
    ),
    Entry(
        "operator_silent",
        _INFRA,
        "The operator does not do its work.",
        (
            "Look at the Deployment of the operator and its log, and whether it watches the namespace.",
            "Or choose the executor job, which needs none.",
        ),
        retryable=True,
    ),
    Entry(
        "validation_refused",
        _SETUP,
        "The cluster does not take the resource that asks the operator for a validation.",
        (
            "Do what the cluster's words ask for: a policy of the namespace, or a field that the operator there does not know.",
        ),
    ),
    Entry(
        "validation_lost",
        _INFRA,
        "The resource that asks the operator for a validation was deleted before there was a verdict.",
        ("Find out who deleted it, and start the validation again.",),
        retryable=True,
    ),
    Entry(
        "pod_unschedulable",
        _INFRA,
        "No node takes the pod of the notebook.",
        ("Ask for less memory or CPU, correct node selector and tolerations, or add nodes.",),
        reasons=("pod_unschedulable",),
    ),
    Entry(
        "pod_lost",
        _INFRA,
        "The pod of the notebook was evicted, deleted, or lost with its node.",
        ("Look at the node's memory and disk.",),
        retryable=True,
        reasons=("pod_lost",),
    ),
    Entry(
        "environment_in_use",
        _SETUP,
        "An environment that is to be made anew is in use.",
        ("Start again when the other run has ended.", "Or take reuse: verify, which leaves a sound environment alone."),
    ),
    Entry(
        "environment_setup_failed",
        _SETUP,
        "The environment could not be made.",
        ("Check that the cache directory can be written and that the interpreter exists.",),
    ),
    Entry(
        "system_error",
        _SETUP,
        "The operating system refused something.",
        ("Do what the message says.",),
    ),
    Entry(
        "interrupted",
        _INFRA,
        "The work was interrupted.",
        ("Start it again: nothing half done was kept.",),
        retryable=True,
        reasons=("interrupted",),
    ),
    Entry(
        "kernel_start_failed",
        _INFRA,
        "No kernel came up.",
        ("Try again; if it happens always, check that ipykernel is installed in the environment and imports.",),
        retryable=True,
        reasons=("kernel_start_failed",),
    ),
    Entry(
        "results_missing",
        _INFRA,
        "The run ended without results.",
        ("Try again; if it happens always, look at the end of the log: the machine may lack memory.",),
        retryable=True,
        reasons=("results_missing",),
    ),
    Entry(
        "results_corrupt",
        _INFRA,
        "The results do not match their checksum.",
        ("Try again; if it happens always, the notebook writes where it should not.",),
        retryable=True,
        reasons=("results_corrupt",),
    ),
    Entry(
        "missing_module",
        _DEPENDENCY,
        "The notebook imports a module that is not in its environment.",
        (
            "Declare the distribution that provides it.",
            "Or set generate: true.",
            "Or install it in the first cell with %pip.",
        ),
    ),
    Entry(
        "runtime_install_failed",
        _DEPENDENCY,
        "An installation inside the notebook failed.",
        (
            "Declare the packages beside the notebook, so that the environment holds them before it runs.",
            "Then take the installation out of the notebook, or guard it.",
        ),
        patterns=(
            r"does not appear to be a conda environment",
            r"CalledProcessError: Command .*\b(?:pip3?|conda|mamba|uv)\b.*\binstall\b",
        ),
    ),
    Entry(
        "incompatible_version",
        _DEPENDENCY,
        "An installed package lacks what the notebook takes from it.",
        ("Pin the version that the notebook was written for.", "Or change the notebook to what newer versions offer."),
        patterns=(
            r"^ImportError: cannot import name (?!.*circular)",
            r"numpy\.dtype size changed|compiled using NumPy 1\.x|numpy\.core\.multiarray failed to import",
            r"^AttributeError: module '[\w.]+' has no attribute",
            r"^AttributeError: `?np\.\w+`? (?:was|is) (?:removed|a deprecated)",
        ),
    ),
    Entry(
        "system_package_missing",
        _SETUP,
        "A program or shared library that is no Python package is missing.",
        ("Install the operating system's package that provides it, or use a base image that holds it.",),
        patterns=(
            r"cannot open shared object file|cannot load library|Could not find (?:lib\w+|module '\w+\.dll')",
            r"\bExecutableNotFound\b|Graphviz executables|MovieWriter \w+ unavailable|Requested MovieWriter",
            r"TesseractNotFound|pg_config executable not found|JAVA_HOME is not set|Java gateway process exited",
            r"non-zero exit status 127|: (?:command )?not found$|latex could not be found|chromedriver",
            r"Kaleido requires Google Chrome",
        ),
    ),
    Entry(
        "permission_denied",
        _SETUP,
        "The notebook does what a run may not do.",
        (
            "Read files of the source, and write to the working directory, the home directory or a temporary one: "
            "those are always open.",
            "Do not count on a fixed user id, on rights of root or on files of the installed packages being writable.",
        ),
        patterns=(r"^PermissionError\b", r"\[Errno (?:13|1|30)\]", r"Read-only file system", r"Permission denied"),
    ),
    Entry(
        "out_of_memory",
        _SETUP,
        "The run needs more memory than its limit.",
        ("Raise limits.memory.", "Or work on less data at a time."),
        reasons=("out_of_memory",),
        patterns=(
            r"^\w*MemoryError\b",
            r"Unable to allocate [\d.]+ \w+ for",
            r"std::bad_alloc|Cannot allocate memory",
            r"CUDA out of memory",
        ),
    ),
    Entry(
        "data_missing",
        _CODE,
        "A file or data set that the notebook reads is not there.",
        (
            "Add the file to the source, at the path relative to the notebook that it is read from.",
            "Or hand its place in as a parameter.",
        ),
        patterns=(
            r"^FileNotFoundError\b",
            r"\[Errno 2\] No such file or directory",
            r"HTTP Error 40[0134]|40[34] Client Error|404 Not Found",
            r"Resource .{0,20}\w+.{0,20} not found\.\s+Please use the NLTK Downloader",
            r"Can't find model '|NoSuchKey|NoSuchBucket|DatasetNotFoundError|No such file: ",
        ),
    ),
    Entry(
        "stdin_requested",
        _CODE,
        "The notebook asks for input, and nobody is there to give it.",
        ("Take the value from a parameter or an environment variable instead of input() or getpass().",),
        reasons=("stdin_requested",),
        patterns=(r"StdinNotImplementedError",),
    ),
    Entry(
        "cell_timeout",
        _CODE,
        "A cell took longer than cell_timeout.",
        ("Raise cell_timeout, or make the cell do less when validated, for example by a parameter.",),
        reasons=("cell_timeout",),
    ),
    Entry(
        "run_timeout",
        _CODE,
        "The notebook took longer than timeout.",
        ("Raise timeout, or make the notebook do less when validated, for example by a parameter.",),
        reasons=("run_timeout",),
    ),
    Entry(
        "total_timeout",
        _SETUP,
        "The job took longer than its totalTimeout, from its begin to its verdict.",
        (
            "Look at the events of the job for what took the time: the builds, a queue, or the notebooks.",
            "Raise totalTimeout, or give the job fewer notebooks.",
        ),
    ),
    Entry(
        "cpu_limit_exceeded",
        _CODE,
        "The notebook used up its CPU time.",
        ("Raise limits.cpu, or make the notebook do less when validated, for example by a parameter.",),
        reasons=("cpu_limit",),
    ),
    Entry(
        "kernel_died",
        _CODE,
        "The kernel ended in the middle of the run.",
        (
            "Look for native code that crashes, a process that is killed, or a limit that is reached; "
            "the end of the log may tell.",
        ),
        reasons=("kernel_died",),
    ),
    Entry(
        "premature_exit",
        _CODE,
        "The notebook ends itself before its last cell, so the rest was never tried.",
        ("Remove sys.exit(), exit() or quit(), or make it the last cell.",),
        reasons=("system_exit",),
    ),
    Entry(
        "output_limit_exceeded",
        _CODE,
        "The notebook prints or shows more than the limit.",
        ("Print less, or raise limits.output.",),
        reasons=("output_limit",),
    ),
    Entry(
        "display_failed",
        _CODE,
        "A cell's code ran, but showing its result raised an error.",
        ("Show the result in the notebook itself and correct what its display needs.",),
        reasons=("display_error",),
    ),
    Entry(
        "notebook_execution_failed",
        _CODE,
        "A cell raised an error.",
        ("Correct the cell that the message names; a cell that is meant to fail takes the tag raises-exception.",),
        reasons=("cell_error",),
    ),
    Entry(
        "warnings_found",
        "validation_warning_failure",
        "A cell shows a Python warning, and fail_on_warnings is set.",
        ("Follow the advice of the warning, or silence it in the notebook with the warnings module.",),
    ),
    Entry(
        "stderr_found",
        "validation_stderr_failure",
        "A cell writes to stderr, and fail_on_stderr is set.",
        ("Correct what it complains of, or write what is no complaint to stdout.",),
    ),
    Entry(
        "expected_output_mismatch",
        _OUTPUT,
        "A cell's output is not what expected_outputs says.",
        ("Correct the notebook, or the expectation where it is out of date.",),
    ),
    Entry(
        "silent_failure",
        _OUTPUT,
        "A value is None or NaN where the notebook shows it as a result.",
        ("Find where the value is lost; a value that may be missing is better said in words than shown.",),
    ),
    Entry(
        "assertions_missing",
        "validation_strict_mode_failure",
        "The notebook asserts nothing.",
        ("Add a cell that asserts what the notebook has to show, or do not set verifyAssertions.",),
    ),
    Entry(
        "strict_mode_violation",
        "validation_strict_mode_failure",
        "The notebook does not keep to strict mode.",
        ("Correct what the message names, or do not set strict.",),
    ),
    Entry(
        "golden_mismatch",
        "golden_mismatch",
        "Outputs differ from the golden notebook.",
        (
            "Look at the differences; where the new output is right, keep it as the golden notebook.",
            "Where they differ in every run, seed the random numbers, give a tolerance or a pattern, "
            "or tag the cell golden-skip.",
        ),
    ),
    Entry(
        "cluster_config",
        _CLUSTER,
        "The options or the kubeconfig do not name a cluster that can be used.",
        ("Correct what the message names; docs/authentication.md shows each way to log in.",),
    ),
    Entry(
        "cluster_certificate",
        _CLUSTER,
        "No trusted TLS connection to the API server can be made.",
        ("Give the CA of the cluster with ca_cert, K8S_AUTH_SSL_CA_CERT or in the kubeconfig.",),
    ),
    Entry(
        "cluster_unauthorized",
        _CLUSTER,
        "The API server does not accept the credentials.",
        ("Log in again, or give a new token; a token of a service account can be made with kubectl create token.",),
    ),
    Entry(
        "cluster_forbidden",
        _CLUSTER,
        "The user may not do this.",
        ("Have an administrator grant what platform_info lists as missing for the work.",),
    ),
    Entry(
        "cluster_not_found",
        _CLUSTER,
        "There is no such object, or the cluster does not know its kind.",
        ("Correct the name or namespace, or install what provides the kind.",),
    ),
    Entry(
        "cluster_conflict",
        _CLUSTER,
        "An object belongs to somebody else, or has changed meanwhile.",
        ("Choose another name, leave the fields to their manager, or delete the object yourself.",),
    ),
    Entry(
        "cluster_refused",
        _CLUSTER,
        "The API server does not take the request as it is.",
        ("Correct what the server's message names; a quota or a policy of the cluster may stand behind it.",),
    ),
    Entry(
        "cluster_unreachable",
        _INFRA,
        "The API server cannot be reached, or the connection broke.",
        ("Check the address, the network between, the proxy and its exceptions.",),
        retryable=True,
    ),
    Entry(
        "cluster_unavailable",
        _INFRA,
        "The API server is overloaded or has an error of its own.",
        ("Try again later; look at the health of the control plane.",),
        retryable=True,
    ),
    Entry(
        "cluster_timeout",
        _INFRA,
        "Something in the cluster did not come about in time.",
        ("Look at the object that the message names, and give it more time.",),
        retryable=True,
    ),
    Entry(
        "model_platform_missing",
        _MODEL,
        "What serves the model is not installed in the cluster.",
        ("Install it, or correct the platform, group and kind of the model.",),
    ),
    Entry(
        "model_not_found",
        _MODEL,
        "There is no such model in the namespace.",
        ("Deploy the model, or correct its name, namespace or platform.",),
    ),
    Entry(
        "model_not_ready",
        _INFRA,
        "The model is there and did not become ready in time.",
        ("Look at the conditions and the pods of the object that the message names, or give it more time by timeout.",),
        retryable=True,
    ),
    Entry(
        "model_unreachable",
        _INFRA,
        "The model's server does not answer where it should.",
        (
            "Check the URL and the network between; addresses that end in .svc are known inside the cluster only.",
            "Give the url that the model has where the module runs.",
        ),
        retryable=True,
    ),
    Entry(
        "model_unhealthy",
        _INFRA,
        "The model's server answers that the model is not well.",
        (
            "Look at the log of the model's server.",
            "Give served_name and health_path if they are others than the defaults.",
        ),
        retryable=True,
    ),
    Entry(
        "model_prediction_failed",
        _MODEL,
        "The model does not predict from the test data.",
        ("Check the test data, the api and predict_path against what the server speaks.",),
    ),
    Entry(
        "model_prediction_mismatch",
        _MODEL,
        "The prediction is not the expected output.",
        ("Find out whether the model or the expectation is wrong.", "Give a tolerance if the difference is harmless."),
    ),
    Entry(
        "model_forbidden",
        _MODEL,
        "The model may not be looked at or asked.",
        (
            "Add its namespace to allowed_namespaces if that is meant.",
            "Give the account the permissions that docs/models.md lists, and the server a token by token_variable.",
        ),
    ),
    Entry(
        "validation_failed",
        _CODE,
        "Notebooks failed, and fail_on says that this fails the play.",
        ("Look at the verdicts of the notebooks that the message names.",),
    ),
)

_BY_CODE = {row.code: row for row in TABLE}
_BY_REASON = {reason: row for row in TABLE for reason in row.reasons}


def entry(code: str | None) -> Entry:
    """Return the row with this code; an unknown one is the row ``system_error``, never an exception."""
    return _BY_CODE.get(code or "", _BY_CODE["system_error"])


def by_reason(reason: str) -> Entry:
    """Return the row that a ``RunResult.reason`` means by itself."""
    return _BY_REASON.get(reason, _BY_CODE["system_error"])


def recognise(text: str) -> Entry | None:
    """Return the first row whose pattern is found in ``ename: evalue`` or in a log, or None."""
    return next((row for row, pattern in _compiled() if pattern.search(text)), None)


@functools.cache
def _compiled() -> tuple[tuple[Entry, re.Pattern], ...]:
    return tuple((row, re.compile("|".join(row.patterns), re.MULTILINE)) for row in TABLE if row.patterns)
