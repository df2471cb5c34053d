# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs many notebooks on this machine, each in a process of its own, under a user of its own where we are root."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from ..values.errors import EngineError
from ..values.execution import RunRequest, RunResult
from . import program, results
from .identity import Identities, Identity, closed_directory, kill_everything_of
from .worker import Cancelled, OutOfTime, Worker, WorkerEnded
from .workspace import Workspace, base_environment, make_scratch, make_workspace, remove_tree

GRACE = 30.0  # seconds that a runner may take beyond the run's timeout to tell of it


def run_all(
    requests: Sequence[RunRequest],
    *,
    workers: int,
    scratch: str | None = None,
    on_result: Callable[[RunResult], None] | None = None,
) -> list[RunResult]:
    """Run notebooks, ``workers`` at a time; return their results in the order of the requests.

    scratch: directory for the private working trees, None = the system's; what is made there is removed again.
    on_result: called from this thread for each result as it ends.
    SIGINT and SIGTERM end all runs and take effect after nothing is left of them. While this runs, the process
    adopts what notebooks leave behind and kills it, so no other thread may start processes meanwhile.
    Raises EngineError when an interpreter cannot be reached or scratch cannot be written.
    """
    if not requests:
        return []
    launcher = _Launcher(requests, max(1, min(workers, len(requests))), scratch)
    return launcher.run(on_result or (lambda result: None))


def program_source() -> str:
    """Return the text of program.py, also from inside the zip file that Ansible ships."""
    return program.__loader__.get_source(program.__name__)


@dataclass
class _Attempt:
    """One start of one notebook."""

    request: RunRequest
    place: Workspace
    identity: Identity
    killed: int
    kernel: object = None
    event: dict = field(default_factory=dict)
    failure: tuple | None = None
    cells: dict = field(default_factory=dict)
    current: int | None = None
    begin: float = field(default_factory=time.monotonic)

    def heard(self, event: dict) -> None:
        """Note what the runner tells while it runs: all that is left should it be killed."""
        if event.get("event") == "cell_started":
            self.current = event["index"]
        elif event.get("event") == "cell":
            self.cells[event["cell"]["index"]] = event["cell"]


class _Launcher:
    def __init__(self, requests: Sequence[RunRequest], workers: int, scratch: str | None) -> None:
        self.requests, self.workers = requests, workers
        self.identities = Identities()
        for python in sorted({request.python for request in requests}):
            _require_usable(python, self.identities.dropping)
        self.pending = list(enumerate(requests))
        self.lock, self.births = threading.Lock(), threading.Lock()
        self.ended: queue.Queue = queue.Queue()
        self.signal = None
        self.wake, self._waker = os.pipe()
        self.live: dict[int, Worker] = {}
        self.count = 0
        self.leave_out = frozenset(os.path.realpath(request.output) for request in requests)
        self.root, self.scratch_lock = make_scratch(scratch, self.identities.dropping)
        self.leave_out |= {os.path.realpath(self.root)}
        self.program = os.path.join(self.root, "program.py")
        with open(self.program, "w", encoding="utf-8") as file:
            file.write(program_source())

    def run(self, on_result: Callable[[RunResult], None]) -> list[RunResult]:
        answers: dict[int, RunResult] = {}
        self.not_ours = set(program.descendants(os.getpid()))
        program.prctl(program.PR_SET_CHILD_SUBREAPER, 1)
        handlers = self._handle_signals()
        self.finishers = ThreadPoolExecutor(self.workers)
        slots = [threading.Thread(target=self._slot, daemon=True) for _unused in range(self.workers)]
        try:
            for slot in slots:
                slot.start()
            while len(answers) < len(self.requests):
                index, result = self.ended.get()
                answers[index] = result
                on_result(result)
        finally:
            self._cancel()
            for slot in slots:
                slot.join()
            self.finishers.shutdown()
            self._kill_orphans()
            program.prctl(program.PR_SET_CHILD_SUBREAPER, 0)
            remove_tree(self.root)
            for descriptor in (self.wake, self._waker, self.scratch_lock):
                os.close(descriptor)
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if self.signal is not None:
            signal.raise_signal(self.signal)
        return [answers[index] for index in range(len(self.requests))]

    # --- signals ---

    def _handle_signals(self) -> dict:
        if threading.current_thread() is not threading.main_thread():
            return {}

        def handle(number, _frame):
            self.signal = self.signal or number
            self._cancel()

        return {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}

    def _cancel(self) -> None:
        os.write(self._waker, b"x")

    def _cancelled(self) -> bool:
        return bool(select.select([self.wake], [], [], 0)[0])

    # --- one slot: runs one notebook at a time ---

    def _take(self, worker: Worker | None):
        """Return the next request, of the environment whose runner is already there if there is one."""
        with self.lock:
            for position, (_index, request) in enumerate(self.pending):
                if worker and request.python == worker.python:
                    return self.pending.pop(position)
            return self.pending.pop(0) if self.pending else None

    def _slot(self) -> None:
        worker, group, finishing = None, self.identities.number(), []
        while taken := self._take(worker):
            index, request = taken
            if self._cancelled():
                self.ended.put((index, _result(request, "interrupted")))
                continue
            try:
                if worker and worker.python != request.python:
                    worker = self._dismiss(worker)
                worker = worker or self._hire(request.python, group)
                attempt = self._run(request, worker, group)
                if attempt.failure or attempt.event.get("event") != "done":
                    worker = self._dismiss(worker)
                finishing.append(self.finishers.submit(self._finish, index, attempt))
            except Exception as error:
                self.ended.put((index, _result(request, _reason_of(error), message=f"{error}")))
        wait(finishing)  # a kernel dies with the thread that started it
        if worker:
            self._dismiss(worker)

    def _number(self) -> int:
        with self.lock:
            self.count += 1
            return self.count

    def _hire(self, python: str, group: int) -> Worker:
        with self.births:
            identity = self.identities.new(group)
            worker = Worker(python, self.program, os.path.join(self.root, f"w{self._number()}"), identity)
            self.live[worker.process.pid] = worker
            return worker

    def _dismiss(self, worker: Worker) -> None:
        worker.close()
        with self.births:
            del self.live[worker.process.pid]
            if not self.identities.dropping:
                self._kill_orphans()

    def _kill_orphans(self) -> None:
        """Kill what a runner that was killed has left: as their reaper we are now the parent."""
        program.kill_descendants(os.getpid(), keep=self._kept())

    def _kept(self) -> set[int]:
        kept = set(self.not_ours)
        for pid in self.live:
            kept |= {pid, *program.descendants(pid)}
        return kept

    def _run(self, request: RunRequest, worker: Worker, group: int) -> _Attempt:
        """Run one notebook until its runner has told the end, again where its kernel did not start."""
        for left in reversed(range(program.START_ATTEMPTS)):
            attempt = self._begin(request, worker, group)
            self._ask(attempt, worker)
            failed = attempt.event.get("reason") == "kernel_start_failed"
            hopeless = not attempt.kernel or program.no_kernel_at_all(program.tail(attempt.place.log))
            if not failed or hopeless or not left:
                return attempt
            self._end_kernel(attempt, graceful=False)
            remove_tree(attempt.place.root)
        raise AssertionError("unreachable")

    def _begin(self, request: RunRequest, worker: Worker, group: int) -> _Attempt:
        identity = self.identities.new()
        runner = Identity(worker.identity.uid, (group,)) if self.identities.dropping else worker.identity
        root = os.path.join(self.root, f"r{self._number()}")
        results.clear(request)
        place = make_workspace(root, request, identity, runner, self.leave_out)
        return _Attempt(request, place, identity, program.memory_kills())

    def _ask(self, attempt: _Attempt, worker: Worker) -> None:
        request, place = attempt.request, attempt.place
        environment = {**base_environment(request.python, place.home), **(request.environment or {})}
        start = {"python": request.python, "program": self.program, "sockets": place.sockets, "cwd": place.cwd}
        start.update(env={name: str(value) for name, value in environment.items()}, log=place.log)
        task = {"request": request.as_dict(), "notebook": place.notebook, "output": place.output}
        deadline = None if request.timeout is None else time.monotonic() + request.timeout + GRACE
        try:
            if self.identities.dropping:
                limits, who = request.limits.as_dict(), attempt.identity.popen_arguments()
                attempt.kernel, connection = program.start_kernel(limits=limits, **start, **who)
                os.chmod(place.log, 0o600)
                task["kernel"] = {"connection": connection, "pid": attempt.kernel.pid, "log": place.log}
            else:
                task["start"] = start
            attempt.event = worker.ask(task, deadline, self.wake, attempt.heard)
        except WorkerEnded as ended:
            attempt.failure = _worker_death(worker, attempt, str(ended))
        except OutOfTime:
            attempt.failure = ("run_timeout", f"The run took longer than {request.timeout:g} seconds.")
        except Cancelled:
            attempt.failure = ("interrupted", None)
        except (OSError, ValueError) as error:
            attempt.failure = (_reason_of(error), f"{type(error).__name__}: {error}")

    # --- the end of a run ---

    def _end_kernel(self, attempt: _Attempt, graceful: bool) -> int | None:
        """End the kernel and all that the notebook left; return its exit status, None where we killed it."""
        kernel = attempt.kernel
        if not kernel:
            return None
        deadline = time.monotonic() + (program.STOP_TIMEOUT if graceful else 0)
        while kernel.poll() is None and time.monotonic() < deadline and not self._cancelled():
            with contextlib.suppress(Exception):
                kernel.wait(0.1)
        code = kernel.poll()
        kernel.kill()
        kernel.wait()
        kill_everything_of(attempt.identity)
        return code

    def _finish(self, index: int, attempt: _Attempt) -> None:
        try:
            result = self._judge(attempt)
            results.store(result, attempt.request)
        except Exception as error:
            result = _result(attempt.request, _reason_of(error), message=f"{type(error).__name__}: {error}")
        remove_tree(attempt.place.root)
        remove_tree(attempt.place.sockets)
        self.ended.put((index, result))

    def _full(self) -> str:
        place = os.path.dirname(self.root)
        return f"The disk is full in {place}, where runs have their files: free space there, or set TMPDIR to another place."

    def _judge(self, attempt: _Attempt) -> RunResult:
        request, place, event = attempt.request, attempt.place, attempt.event
        reason = event.get("reason")
        code = self._end_kernel(attempt, graceful=reason == "completed")
        known: dict = {"uid": attempt.identity.uid}
        if attempt.kernel or attempt.failure:
            known["log_tail"] = tuple(program.tail(place.log))
        if attempt.failure:
            reason, known["message"] = attempt.failure
            known.update(reason=reason, cell=attempt.current, duration=time.monotonic() - attempt.begin)
            return results.salvage(attempt.cells, request, place.output, **known)
        if event["event"] == "failed":
            message = self._full() if event["reason"] == "disk_full" else event["message"]
            known.update(reason=event["reason"], message=message, cell=attempt.current)
            return results.salvage(attempt.cells, request, place.output, **known)
        if attempt.kernel and reason == "kernel_died":
            killed = program.memory_kills() > attempt.killed
            known["reason"], known["message"] = program.explain_death(code, known["log_tail"], killed)
        try:
            raw = results.read_results(os.path.join(place.output, "results.json"), event["sha256"])
            return results.complete(raw, request, place.output, **known)
        except FileNotFoundError:
            known.update(reason="results_missing", message="The runner left no results file.")
        except results.Corrupt as error:
            known.update(reason="results_corrupt", message=f"{error}.")
        return results.salvage(attempt.cells, request, place.output, **known)


def _reason_of(error: Exception) -> str:
    """Return the reason of a run that ends with an error of our own file operations."""
    cause = error.__cause__ if isinstance(error, EngineError) else error
    return "disk_full" if getattr(cause, "errno", None) in program.DISK_ERRORS else "results_missing"


def _worker_death(worker: Worker, attempt: _Attempt, last_words: str) -> tuple[str, str]:
    """Say why a runner is gone: it never started, or the notebook killed it."""
    code = worker.process.wait()
    if not attempt.cells and attempt.current is None:
        return "kernel_start_failed", f"The runner in {worker.python} did not start: {last_words or code}"
    if code == -signal.SIGKILL and program.memory_kills() > attempt.killed:
        return "out_of_memory", "The runner was killed because memory ran out."
    return "kernel_died", "The process that ran the notebook was killed, most likely by the notebook."


def _result(request: RunRequest, reason: str, message: str | None = None) -> RunResult:
    return RunResult(id=request.id, notebook=request.notebook, reason=reason, message=message)


def _require_usable(python: str, dropping: bool) -> None:
    if not os.access(python, os.X_OK):
        raise EngineError(f"There is no interpreter {python}. Build the environment first.", code="system_error")
    closed = closed_directory(python) if dropping else None
    if closed:
        raise EngineError(
            f"The interpreter {python} cannot be reached by the unprivileged user that notebooks run as: the directory "
            f"{closed} is closed to others. Make the environment from an interpreter outside of it, such as "
            f"/usr/bin/python3, or open it with: chmod o+x {closed}",
            code="system_error",
        )
