# SPDX-License-Identifier: GPL-3.0-or-later
"""One execution of one notebook in one environment: what is asked, and the raw results."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Value

# Why a run ended. ``completed`` is the only good one; program.py or the launcher sets it.
REASONS = (
    "completed",
    "cell_error",  # a cell raised
    "cell_timeout",  # a cell took longer than cell_timeout
    "run_timeout",  # the whole run took longer than timeout
    "kernel_died",  # the kernel process ended by itself
    "cpu_limit",  # the limit of CPU time
    "out_of_memory",  # the memory limit, or the kernel was killed for memory
    "system_exit",  # sys.exit() or quit() before the last cell
    "stdin_requested",  # input() or getpass()
    "output_limit",  # outputs beyond the limit in bytes
    "display_error",  # an error inside a display hook
    "kernel_start_failed",  # no kernel came up, after retries
    "results_missing",  # the runner ended without a results file
    "results_corrupt",  # the results file does not match its checksum
    "disk_full",  # no room for the run's own files
    "image_unavailable",  # the image of the pod cannot be pulled
    "pod_refused",  # the cluster does not make the pod, or does not start its containers
    "pod_unschedulable",  # no node takes the pod
    "pod_lost",  # the pod was evicted, deleted, or lost with its node
    "quota_exceeded",  # a quota of the namespace leaves no room for the pod
    "source_unavailable",  # the source that a pod fetches or mounts is not to be had, or is another one
    "source_unreachable",  # the host of the source did not answer the pod
    "interrupted",  # SIGINT or SIGTERM reached the launcher
)

# What these tell of passes when somebody puts the surroundings right, so that the next call has to look again.
PASSING = frozenset(
    {
        "image_unavailable",
        "pod_refused",
        "pod_unschedulable",
        "quota_exceeded",
        "source_unavailable",
        "source_unreachable",
    }
)


@dataclass(frozen=True)
class Limits(Value):
    """Resource limits of one run; None = no limit.

    memory, file_size, output: bytes. cpu: seconds of CPU time. processes: count for the run's UID.
    """

    memory: int | None = 4 * 1024**3
    cpu: int | None = None
    processes: int | None = 512
    file_size: int | None = 4 * 1024**3
    output: int | None = 64 * 1024**2


@dataclass(frozen=True)
class RunRequest(Value):
    """One notebook to run.

    id: name of the run, unique in the call; derived from content, never from time.
    python: interpreter of the environment.
    source: directory whose copy becomes the run's working tree.
    notebook: path of the notebook relative to source, POSIX form.
    output: directory that receives ``executed.ipynb`` and ``results.json``.
    parameters: papermill parameters.
    timeout, cell_timeout: seconds; None = no limit.
    exclude: globs relative to source of what is not copied.
    environment: environment variables handed in by name and value; nothing else of the caller's leaks in.
    """

    id: str
    python: str
    source: str
    notebook: str
    output: str
    parameters: dict | None = None
    timeout: float | None = None
    cell_timeout: float | None = None
    environment: dict | None = None
    limits: Limits = Limits()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class CellError(Value):
    """ename, evalue and traceback as the kernel sent them, ANSI codes kept."""

    ename: str
    evalue: str
    traceback: tuple[str, ...] = ()


@dataclass(frozen=True)
class CellResult(Value):
    """One cell of the source notebook.

    index: zero-based index in the source notebook, whatever was injected.
    type: ``code``, ``markdown`` or ``raw``.
    status: ``Success``, ``Failure`` or ``Skipped`` (never reached, or not code).
    duration: seconds.
    output_digest: sha256 over the outputs' JSON, None where the cell has none.
    stderr: the cell wrote to stderr.
    """

    index: int
    type: str
    status: str
    duration: float | None = None
    output_digest: str | None = None
    stderr: bool = False
    error: CellError | None = None


@dataclass(frozen=True)
class InstallFailure(Value):
    """A ``%pip`` or ``!pip`` in a cell that failed without failing the cell."""

    cell: int
    message: str


@dataclass(frozen=True)
class RunResult(Value):
    """Raw results of one run, as program.py wrote them, completed by the launcher.

    reason: one of REASONS. cell: index of the cell at fault, if one is.
    error: the error of that cell, or what the runner itself raised.
    executed: path of the executed notebook (in the request's output directory), or None.
    Every cell of the executed notebook that stands in the source carries
    ``metadata.mlops_notebooks.source_index``; injected cells carry none.
    commands: for people, to look further where the cluster failed. warnings: what went wrong beside the run.
    retryable is not here: that is the verdict's to say.
    """

    id: str
    notebook: str
    reason: str
    cells: tuple[CellResult, ...] = ()
    cell: int | None = None
    error: CellError | None = None
    install_failures: tuple[InstallFailure, ...] = ()
    duration: float = 0.0
    executed: str | None = None
    message: str | None = None
    log_tail: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    uid: int | None = None
    versions: dict | None = None
