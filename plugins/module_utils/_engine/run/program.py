# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs notebooks inside their environment.

Stands alone: one file, Python 3.9 and later, the standard library plus nbclient, nbformat and (for
parameters) papermill, which are imported late. It never imports the rest of the engine, which in its turn
may import it without having those libraries.

``program.py --request FILE``   one notebook; the last line of stdout is the SHA-256 of results.json.
``program.py --serve``          tasks as JSON lines on stdin, events as JSON lines on stdout.
``program.py --kernel FILE LIMITS``   an ipykernel under limits, used by the two above.

The verdict travels over a descriptor that the kernel does not hold; nothing that a notebook prints is read.
"""

from __future__ import annotations

# The engine knows no AnsibleModule, so no run_command.
# pylint: disable=ansible-bad-function
import asyncio
import contextlib
import ctypes
import errno
import hashlib
import json
import os
import re
import resource
import secrets
import signal
import subprocess
import sys
import time

CHANNELS = ("shell", "iopub", "stdin", "hb", "control")
START_TIMEOUT = 60.0  # seconds until a kernel must answer
START_ATTEMPTS = 3
STOP_TIMEOUT = 5.0  # seconds that a kernel has for its exit handlers
SAVE_EVERY = 5.0  # seconds between two saves of a notebook that still runs
TAIL_BYTES, TAIL_LINES = 16384, 20
ERROR_BYTES = 100_000  # of an error's text and of its traceback
INJECTED = "injected-parameters"
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT)
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38

_INSTALL = re.compile(r"\b(?:pip3?|conda|mamba|micromamba)\b[^\n]*\binstall\b")
_INSTALL_ERROR = re.compile(
    r"^(?:ERROR: (?!pip's dependency resolver does not).*|error: .*|\s*× No solution found.*"
    r"|CondaError.*|PackagesNotFoundError.*|.*\bNo module named (?:pip|uv)\b.*"
    r"|.*\b(?:pip3?|conda|mamba|uv)\b: (?:command )?not found.*)$",
    re.MULTILINE,
)
_MEMORY_NAMES = {"MemoryError", "_ArrayMemoryError", "ArrayMemoryError", "OutOfMemoryError"}
_MEMORY_TEXT = re.compile(
    r"MemoryError|std::bad_alloc|memory allocation of \d+ bytes failed|Cannot allocate memory|can't allocate memory"
)


class Stop(Exception):
    """The run ends here. reason: one of the engine's REASONS."""

    def __init__(self, reason, message=None, error=None):
        super().__init__(reason)
        self.reason, self.message, self.error = reason, message, error


# --- what a process looks like from inside ------------------------------------------------------------------------


def prctl(option, value):
    """Call prctl(2); where the platform has none, do without."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def private_variables(home):
    """Return the environment variables that keep a process's files below ``home``, and make its directories."""
    places = {
        "TMPDIR": "tmp",
        "XDG_CACHE_HOME": ".cache",
        "XDG_CONFIG_HOME": ".config",
        "XDG_DATA_HOME": ".local/share",
        "XDG_STATE_HOME": ".local/state",
        "XDG_RUNTIME_DIR": ".run",
        "IPYTHONDIR": ".ipython",
        "JUPYTER_CONFIG_DIR": ".jupyter",
        "JUPYTER_DATA_DIR": ".local/share/jupyter",
        "JUPYTER_RUNTIME_DIR": ".run/jupyter",
        "MPLCONFIGDIR": ".config/matplotlib",
        "NUMBA_CACHE_DIR": ".cache/numba",
    }
    variables = {name: os.path.join(home, place) for name, place in places.items()}
    for path in variables.values():
        os.makedirs(path, mode=0o700, exist_ok=True)
    return {"HOME": home, "USER": "notebook", "LOGNAME": "notebook", **variables}


def set_limits(limits):
    """Limit this process and its children. limits: the fields of ``values.execution.Limits``.

    Memory is limited as RLIMIT_DATA: it counts what can be written, so a reserved but unused address range
    (threads, CUDA, memory maps) costs nothing, as it would under RLIMIT_AS.
    """
    processes = limits.get("processes")
    wanted = {
        resource.RLIMIT_DATA: limits.get("memory"),
        resource.RLIMIT_CPU: limits.get("cpu"),
        resource.RLIMIT_FSIZE: limits.get("file_size"),
        resource.RLIMIT_NPROC: processes and processes + _threads_of(os.getuid()),
        resource.RLIMIT_CORE: 0,
    }
    for which, value in wanted.items():
        if value is None:
            continue
        hard = resource.getrlimit(which)[1]
        top = value + (2 if which == resource.RLIMIT_CPU else 0)  # SIGXCPU shall come first: it tells the reason
        top = top if hard == resource.RLIM_INFINITY else min(top, hard)
        resource.setrlimit(which, (min(value, top), top))


def _threads_of(uid):
    """Count the threads that a user already has: RLIMIT_NPROC counts them all, not this run's alone."""
    total = 0
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if entry.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{entry}").st_uid == uid:
                    total += len(os.listdir(f"/proc/{entry}/task"))
    return total


def kernel_main(connection_file, limits):
    """Become an ipykernel that holds no privilege and stays within its limits."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # the system's memory killer shall take the notebook before anything else
    set_limits(json.loads(limits))
    sys.path.pop(0)  # the directory of this file
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize(["-f", connection_file, "--HistoryManager.hist_file=:memory:"])
    os.umask(0o022)  # the sockets are made, for the group; the notebook's files are as a user expects them
    app.start()


def start_kernel(python, program, sockets, limits, cwd, env, log, **identity):
    """Start a kernel; return its process and the connection to it.

    sockets: private directory for its sockets; the path must be short (a socket's path has 107 bytes).
    log: path of the file that receives what the kernel itself writes.
    identity: ``user``, ``group`` and ``extra_groups`` as subprocess.Popen takes them.
    """
    connection = {f"{channel}_port": number for number, channel in enumerate(CHANNELS, 1)}
    connection.update(transport="ipc", ip=os.path.join(sockets, "k"), key=secrets.token_hex(16))
    connection.update(signature_scheme="hmac-sha256", kernel_name="python3")
    file = os.path.join(sockets, "connection.json")
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        if "user" in identity:
            os.fchown(stream.fileno(), identity["user"], 0)
        json.dump(connection, stream)
    with open(log, "ab") as output:
        process = subprocess.Popen(
            [python, program, "--kernel", file, json.dumps(limits)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env={**env, "JPY_PARENT_PID": str(os.getpid())},
            start_new_session=True,
            umask=0o007,
            **identity,
        )
    return process, connection


def kill_descendants(pid, keep=()):
    """Kill whatever a process has started, daemons too: it must be the reaper of its descendants."""
    while True:
        found = [child for child in descendants(pid) if child not in keep]
        if not found:
            return
        for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none forks away meanwhile
            for child in found:
                with contextlib.suppress(OSError):
                    os.kill(child, number)
        for child in found:
            with contextlib.suppress(OSError):
                os.waitpid(child, 0 if pid == os.getpid() else os.WNOHANG)


def descendants(pid):
    """Return the live processes below ``pid``."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError), open(f"/proc/{entry}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
                if state != b"Z" or int(parent) == os.getpid():
                    children.setdefault(int(parent), []).append(int(entry))
    found, below = [], list(children.get(pid, ()))
    while below:
        child = below.pop()
        found.append(child)
        below.extend(children.get(child, ()))
    return found


def memory_kills():
    """Return how many processes the system has killed for memory, as far as can be seen from here."""
    total = 0
    for path in ("/sys/fs/cgroup/memory.events", "/proc/vmstat"):
        with contextlib.suppress(OSError), open(path) as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
    return total


def tail(path):
    """Return the last lines of a log; an unreadable one has none."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
        return file.read(TAIL_BYTES).decode("utf-8", "replace").splitlines()[-TAIL_LINES:]
    return []


def explain_death(code, log_tail, memory_killed):
    """Return reason and message for a kernel that ended by itself.

    code: its exit status as subprocess gives it, None where unknown.
    memory_killed: the system has killed something for memory meanwhile.
    """
    if (code == -signal.SIGKILL and memory_killed) or _MEMORY_TEXT.search("\n".join(log_tail)):
        return "out_of_memory", "The kernel ended because memory ran out."
    if code == -signal.SIGXCPU:
        return "cpu_limit", "The kernel was ended because it used up its CPU time."
    if code is None:
        return "kernel_died", "The kernel ended in the middle of the run."
    if code < 0:
        name = signal.strsignal(-code) or "unknown"
        return "kernel_died", f"The kernel was ended by signal {-code} ({name})."
    return "kernel_died", f"The kernel ended in the middle of the run with status {code}."


# --- one run ------------------------------------------------------------------------------------------------------


class Kernel:
    """The kernel of one run: our own child, or one that the launcher holds (then ``process`` is None)."""

    def __init__(self, connection, log, process=None, pid=None):
        self.connection, self.log, self.process = connection, log, process
        self.pid = process.pid if process else pid

    def alive(self):
        if self.process:
            return self.process.poll() is None
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as file:
                return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
        except OSError:
            return False

    def listening(self):
        """All its sockets are there."""
        return all(os.path.exists(f"{self.connection['ip']}-{number}") for number in range(1, len(CHANNELS) + 1))


def make_client(nb, kernel, limit, stop):
    """Return an nbclient client on a kernel that runs.

    limit: bytes of output that are kept in memory at most, None = no limit; stop: called when there is more.
    """
    from queue import Empty

    from jupyter_client.asynchronous import AsyncKernelClient
    from jupyter_client.channels import AsyncZMQSocketChannel
    from nbclient import NotebookClient

    class Channel(AsyncZMQSocketChannel):
        """Weighs a message before it is parsed, and parses none that is too heavy."""

        async def get_msg(self, timeout=None):
            if not await self.socket.poll(None if timeout is None else int(timeout * 1000)):
                raise Empty
            frames = await self.socket.recv_multipart()
            size = sum(map(len, frames))
            if limit is not None and size > limit:
                stop()
                await asyncio.get_running_loop().create_future()  # the run ends; nothing more is read
            message = self.session.deserialize(self.session.feed_identities(frames)[1])
            message["size"] = size
            return message

    class KernelClient(AsyncKernelClient):
        async def is_alive(self):
            return kernel.alive()

    class Client(NotebookClient):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.kept, self.displays = {}, {}

        def process_message(self, msg, cell, cell_index):
            display = (msg["content"].get("transient") or {}).get("display_id")
            if msg["msg_type"] == "update_display_data":
                self.displays[display] = msg["size"]
            elif display:
                self.displays.setdefault(display, 0)
            output = super().process_message(msg, cell, cell_index)
            if output is not None:
                self.kept[cell_index] = self.kept.get(cell_index, 0) + msg["size"]
            if limit is not None and sum(self.kept.values()) + sum(self.displays.values()) > limit:
                stop()
            return output

        def clear_output(self, outs, msg, cell_index):
            self.kept[cell_index] = 0
            return super().clear_output(outs, msg, cell_index)

    client = Client(nb, timeout=None, iopub_timeout=10, allow_errors=False)
    client.kc = KernelClient(iopub_channel_class=Channel, shell_channel_class=Channel)
    client.kc.load_connection_info(kernel.connection)
    return client


class Run:
    """One notebook on its way through a kernel."""

    def __init__(self, task, notify=lambda event: None):
        self.task, self.request, self.notify = task, task["request"], notify
        self.limits = self.request.get("limits") or {}
        self.started = time.monotonic()
        self.results, self.installs, self.reply = {}, [], None
        self.current = None
        self.saved = 0.0
        self.nb = self._read()

    def _read(self):
        import nbformat

        nb = nbformat.read(self.task["notebook"], as_version=4)
        for index, cell in enumerate(nb.cells):
            cell.setdefault("metadata", {})
            cell.metadata["mlops_notebooks"] = {"source_index": index}
        self.sources = list(nb.cells)
        parameters = self.request.get("parameters")
        if parameters:
            from papermill.parameterize import parameterize_notebook

            nb.metadata.setdefault("papermill", {})
            for cell in nb.cells:
                cell.metadata.setdefault("tags", [])
            nb = parameterize_notebook(nb, parameters, kernel_name="python3", language="python")
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        return nb

    async def execute(self, kernel):
        """Run the cells; return nothing or raise Stop."""
        loop = asyncio.get_running_loop()
        self.stopped = loop.create_future()
        self.client = make_client(
            self.nb, kernel, self.limits.get("output"), lambda: self.stop("output_limit", _too_much(self.limits))
        )
        self.client.on_cell_executed = self._replied
        watch = loop.create_task(self._watch(kernel))
        try:
            await self._connect(kernel)
            for index, cell in enumerate(self.nb.cells):
                await self._cell(index, cell)
            self.client.set_widgets_metadata()
            self.client.kc.shutdown()
            await asyncio.wait({loop.create_task(self.client.kc.control_channel.get_msg(timeout=2))}, timeout=2)
        finally:
            watch.cancel()
            self.client.kc.stop_channels()

    def stop(self, reason, message=None):
        """Let the run end as soon as it can."""
        if not self.stopped.done():
            self.stopped.set_result((reason, message))

    async def _watch(self, kernel):
        limit = self.limits.get("output")
        while True:
            await asyncio.sleep(0.05)
            if not kernel.alive():
                await asyncio.sleep(0.2)  # what it said before is still on its way
                self.stop("kernel_died")
            with contextlib.suppress(OSError):
                if limit is not None and os.stat(kernel.log).st_size > limit:
                    self.stop("output_limit", _too_much(self.limits))
            cost = time.monotonic()
            if cost - self.saved > SAVE_EVERY:
                self.save()
                spent = time.monotonic() - cost
                self.saved = time.monotonic() + spent * 20  # saving may cost a twentieth of the run

    def _left(self, limit=None):
        """Seconds until the run's deadline, or less where ``limit`` is less; None where neither is set."""
        timeout = self.request.get("timeout")
        left = None if timeout is None else max(0.0, self.started + timeout - time.monotonic())
        return limit if left is None or (limit is not None and limit <= left) else left

    async def _bounded(self, work, limit, reason, message):
        """Await ``work`` until it ends, the time is up or the run is stopped."""
        work = asyncio.ensure_future(work)
        left = self._left(limit)
        await asyncio.wait({work, self.stopped}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        if self.stopped.done():
            raise Stop(*self.stopped.result())
        if left != limit:
            reason, message = "run_timeout", f"The run took longer than {self.request['timeout']:g} seconds."
        raise Stop(reason, message)

    async def _connect(self, kernel):
        try:
            await self._bounded(
                self._ready(kernel), START_TIMEOUT, "kernel_start_failed", "The kernel did not answer in time."
            )
        except Stop as stop:
            if stop.reason == "kernel_died":
                raise Stop("kernel_start_failed", "The kernel ended before it answered.") from None
            raise

    async def _ready(self, kernel):
        from queue import Empty

        kc = self.client.kc
        while not kernel.listening():
            await asyncio.sleep(0.01)
        kc.start_channels(stdin=False, hb=False)
        kc.allow_stdin = False
        while True:  # the subscription may come too late for the first answer
            kc.kernel_info()
            with contextlib.suppress(Empty):
                reply = await kc.shell_channel.get_msg(timeout=1)
                await kc.iopub_channel.get_msg(timeout=0.1)
                self.nb.metadata["language_info"] = reply["content"]["language_info"]
                return

    def _replied(self, cell, cell_index, execute_reply):
        self.reply = execute_reply["content"]

    async def _cell(self, index, cell):
        """Run one cell, record it, and raise Stop when nothing may follow."""
        runs = cell.cell_type == "code" and "skip-execution" not in cell.metadata.get("tags", ())
        if not runs:
            return
        source = cell.metadata.get("mlops_notebooks", {}).get("source_index")
        self.current, self.reply, begin = source, None, time.monotonic()
        self.notify({"event": "cell_started", "index": source})
        limit = self.request.get("cell_timeout")
        stop = None
        try:
            await self._bounded(
                self.client.async_execute_cell(cell, index),
                limit,
                "cell_timeout",
                limit and f"The cell took longer than {limit:g} seconds.",
            )
            if self._asked_to_exit() and any(later.cell_type == "code" for later in self._code_after(index)):
                stop = Stop("system_exit", "The cell ended the notebook before its last cell.")
        except Stop as raised:
            stop = raised
        except Exception as raised:
            stop = self._classify(index, cell, raised)
        self._record(cell, source, time.monotonic() - begin, stop)
        if stop:
            raise stop
        if source is not None and _INSTALL.search(cell.source):
            await self._check_install(cell, source)

    def _code_after(self, index):
        return [cell for cell in self.nb.cells[index + 1 :] if cell.cell_type == "code" and cell.source.strip()]

    def _asked_to_exit(self):
        payload = (self.reply or {}).get("payload") or ()
        return any(item.get("source") == "ask_exit" for item in payload)

    def _classify(self, index, cell, raised):
        """Return the Stop for an exception of nbclient, or None where the notebook may be taken as ended well."""
        if type(raised).__name__ == "DeadKernelError":
            return Stop("kernel_died")
        error = _error_of(cell, raised)
        said = (self.reply or {}).get("ename")
        if error["ename"] == "SystemExit":
            if error["evalue"] in ("0", "None", "") and not self._code_after(index):
                return None
            return Stop("system_exit", f"The cell called sys.exit({error['evalue']}).", error)
        if error["ename"] in _MEMORY_NAMES or (
            error["ename"] in ("RuntimeError", "OSError") and _MEMORY_TEXT.search(error["evalue"])
        ):
            return Stop("out_of_memory", "The cell asked for more memory than the run may have.", error)
        if error["ename"] == "StdinNotImplementedError":
            return Stop("stdin_requested", "The cell waits for input, and nobody is there to give it.", error)
        if self.reply is not None and said in ("NoneType", "None", None):
            return Stop("display_error", "The cell's result cannot be displayed.", error)
        return Stop("cell_error", None, error)

    def _record(self, cell, source, duration, stop):
        outputs = cell.get("outputs") or []
        cell.metadata["papermill"] = {
            "duration": duration,
            "exception": stop is not None,
            "status": "failed" if stop else "completed",
        }
        if source is None:
            return
        text = json.dumps(outputs, sort_keys=True, separators=(",", ":")).encode()
        result = {
            "index": source,
            "type": cell.cell_type,
            "status": "Failure" if stop else "Success",
            "duration": round(duration, 6),
            "output_digest": "sha256:" + hashlib.sha256(text).hexdigest() if outputs else None,
            "stderr": any(item.output_type == "stream" and item.name == "stderr" for item in outputs),
            "error": stop.error if stop else None,
        }
        self.results[source] = result
        self.notify({"event": "cell", "cell": result})

    async def _check_install(self, cell, source):
        """Note an installation that failed without failing its cell."""
        text = "\n".join("".join(item.text) for item in cell.outputs if item.output_type == "stream")
        message = failed_install(cell.source, text)
        if message:
            self.installs.append({"cell": source, "message": message})
        elif cell.source.lstrip().startswith("%%capture"):
            code = await self._exit_code()
            if code:
                self.installs.append({"cell": source, "message": f"The installer ended with status {code}."})

    async def _exit_code(self):
        """Ask the kernel for the status of its last shell command, of which ``%%capture`` hides the words."""
        kc = self.client.kc
        asked = kc.execute("", silent=True, user_expressions={"code": "get_ipython().user_ns.get('_exit_code', 0)"})
        reply = await self._bounded(self._reply_to(kc, asked), 10, "kernel_died", "The kernel does not answer.")
        answer = reply["content"].get("user_expressions", {}).get("code", {}).get("data", {}).get("text/plain", "0")
        return None if answer == "0" else answer

    async def _reply_to(self, kc, message):
        while True:
            reply = await kc.shell_channel.get_msg()
            if reply["parent_header"].get("msg_id") == message:
                return reply

    def cells(self):
        """Return the result of every cell of the source; one that was never reached is Skipped."""
        skipped = {"status": "Skipped", "duration": None, "output_digest": None, "stderr": False, "error": None}
        return [
            self.results.get(index) or {"index": index, "type": cell.cell_type, **skipped}
            for index, cell in enumerate(self.sources)
        ]

    def save(self):
        """Write the notebook as it stands; return its SHA-256."""
        import nbformat

        text = nbformat.writes(self.nb, version=4).encode()
        write_file(os.path.join(self.task["output"], "executed.ipynb"), text)
        self.saved = time.monotonic()
        return hashlib.sha256(text).hexdigest()

    def finish(self, reason, cell=None, error=None, message=None, log_tail=()):
        """Write executed.ipynb and results.json; return the SHA-256 of the latter."""
        results = {
            "id": self.request["id"],
            "notebook": self.request["notebook"],
            "reason": reason,
            "cells": self.cells(),
            "cell": cell,
            "error": error,
            "install_failures": self.installs,
            "duration": round(time.monotonic() - self.started, 6),
            "executed": "executed.ipynb",
            "executed_sha256": self.save(),
            "message": message,
            "log_tail": list(log_tail),
            "versions": versions(),
        }
        text = json.dumps(results).encode()
        write_file(os.path.join(self.task["output"], "results.json"), text)
        return hashlib.sha256(text).hexdigest()


def failed_install(source, output):
    """Return the installer's words where a cell installs something and its output says that this failed."""
    found = _INSTALL_ERROR.search(re.sub(r"\x1b\[[0-9;]*m", "", output.replace("\r", "")))
    return found.group().strip()[:500] if found and _INSTALL.search(source) else None


def _too_much(limits):
    return f"The outputs are larger than {limits['output']} bytes."


def _error_of(cell, raised):
    """Return the error that the cell shows; the exception's own where it shows none."""
    for output in reversed(cell.get("outputs") or ()):
        if output.output_type == "error":
            return {
                "ename": str(output.ename)[:ERROR_BYTES],
                "evalue": str(output.evalue)[:ERROR_BYTES],
                "traceback": "\n".join(output.traceback)[-ERROR_BYTES:].split("\n"),
            }
    ename = getattr(raised, "ename", type(raised).__name__)
    return {"ename": str(ename), "evalue": str(getattr(raised, "evalue", raised))[:ERROR_BYTES], "traceback": []}


def versions():
    """Return the versions of what ran the notebook."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": "{}.{}.{}".format(*sys.version_info[:3])}
    for name in ("ipykernel", "nbclient", "nbformat", "papermill"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def write_file(path, data):
    """Write a whole file or none."""
    with open(path + ".part", "wb") as file:
        file.write(data)
    os.replace(path + ".part", path)


async def run_task(task, notify=lambda event: None, on_start=lambda run: None):
    """Run one notebook; return the reason and the SHA-256 of its results.json.

    task: ``request`` (fields of values.execution.RunRequest), ``notebook`` (file to read), ``output``
    (directory to write to) and either ``kernel`` (``connection``, ``pid`` and ``log`` of a kernel that the
    launcher has started) or ``start`` (what start_kernel wants).
    """
    run = Run(task, notify)
    run.save()
    for attempt in range(1, START_ATTEMPTS + 1):
        killed, process = memory_kills(), None
        if "start" in task:
            process, connection = start_kernel(limits=run.limits, **task["start"])
            kernel = Kernel(connection, task["start"]["log"], process)
        else:
            kernel = Kernel(task["kernel"]["connection"], task["kernel"]["log"], pid=task["kernel"]["pid"])
        reason, stop = "completed", Stop("completed")
        on_start(run)
        try:
            await run.execute(kernel)
        except Stop as raised:
            reason, stop = raised.reason, raised
        code = _end(process, graceful=reason == "completed") if process else None
        log_tail = tail(kernel.log)
        if reason != "kernel_start_failed" or not process or attempt == START_ATTEMPTS or no_kernel_at_all(log_tail):
            break
    if reason == "kernel_died":
        reason, stop.message = explain_death(code, log_tail, memory_kills() > killed)
    cell = run.current if reason not in ("completed", "kernel_start_failed") else None
    return reason, run.finish(reason, cell, stop.error, stop.message, log_tail)


def no_kernel_at_all(log_tail):
    """Tell whether a kernel failed to start for a reason that another attempt meets again."""
    return any(line.startswith(("ModuleNotFoundError", "ImportError")) for line in log_tail)


def _end(process, graceful):
    """End our kernel and all that it left behind; return its exit status, None where we killed it."""
    if graceful:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT)
    code = process.poll()
    if code is None:
        process.kill()
        process.wait()
    kill_descendants(os.getpid())
    return code


# --- the two ways to be called ------------------------------------------------------------------------------------


def harden():
    """Keep a notebook of the same user out of this process, and let no descendant of ours slip away."""
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def serve():
    """Answer tasks until stdin ends."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not reach the channel

    def notify(event):
        channel.write(json.dumps(event) + "\n")
        channel.flush()

    import nbclient  # noqa: F401 - paid for once, while the first kernel starts
    import nbformat  # noqa: F401

    notify({"event": "ready"})
    for line in sys.stdin:
        try:
            reason, digest = asyncio.run(run_task(json.loads(line), notify))
            notify({"event": "done", "reason": reason, "sha256": digest})
        except Exception as error:
            reason = "disk_full" if getattr(error, "errno", None) in DISK_ERRORS else "results_missing"
            notify({"event": "failed", "reason": reason, "message": f"{type(error).__name__}: {error}"})


def run_request(path):
    """Run the one request in a file; print the SHA-256 of its results.json.

    The tree at ``source`` is used as it is: in a pod it is a private copy already.
    """
    with open(path, encoding="utf-8") as file:
        request = json.load(file)
    output = os.path.abspath(request["output"])
    os.makedirs(output, exist_ok=True)
    notebook = os.path.join(os.path.abspath(request["source"]), request["notebook"])
    import tempfile

    with tempfile.TemporaryDirectory(prefix="nb-") as scratch:
        home = os.path.join(scratch, "home")
        sockets = os.path.join(scratch, "s")
        os.mkdir(sockets, 0o700)
        start = {
            "python": sys.executable,
            "program": os.path.abspath(__file__),
            "sockets": sockets,
            "cwd": os.path.dirname(notebook),
            "env": {**os.environ, **private_variables(home), **(request.get("environment") or {})},
            "log": os.path.join(scratch, "kernel.log"),
        }

        def on_start(run):
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, lambda: run.stop("interrupted"))

        task = {"request": request, "notebook": notebook, "output": output, "start": start}
        sys.stdout.write(asyncio.run(run_task(task, on_start=on_start))[1] + "\n")


def main(arguments):
    """Do what the command line says."""
    if arguments[:1] == ["--kernel"]:
        return kernel_main(*arguments[1:])
    harden()
    if arguments == ["--serve"]:
        return serve()
    if arguments[:1] == ["--request"] and len(arguments) == 2:
        return run_request(arguments[1])
    raise SystemExit("usage: program.py --request FILE | --serve")


if __name__ == "__main__":
    main(sys.argv[1:])
