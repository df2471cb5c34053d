# SPDX-License-Identifier: GPL-3.0-or-later
"""Live progress: an action plugin that shows what its module reports while the module works."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import tempfile
import threading

from ansible import constants
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

# Switches the live lines off for everything that runs below, where a task cannot be edited.
VARIABLE = "MLOPS_NOTEBOOKS_PROGRESS"


class ProgressAction(ActionBase):
    """Run a module of this collection and show the ``text`` of each of its events on the console at once.

    Live lines need a local connection, as the module and the controller share a FIFO; elsewhere, and for
    ``async`` tasks, the module runs without them. Subclasses set ``module_name``.
    """

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = True
    module_name = ""

    def choose_module(self, arguments: dict) -> str:
        """Return the name of the module to execute."""
        return self.module_name

    def run(self, tmp=None, task_vars=None):
        """Execute the module with the task's arguments; the result is the module's."""
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        detach = bool(self._task.async_val) and not self._connection.has_native_async
        with contextlib.ExitStack() as stack:
            if self._connection.transport == "local" and not self._task.async_val and wanted(arguments):
                arguments["progress_path"] = stack.enter_context(console())
            result.update(
                self._execute_module(
                    module_name=self.choose_module(arguments),
                    module_args=arguments,
                    task_vars=task_vars,
                    wrap_async=detach,
                )
            )
        if not detach:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result


def wanted(arguments: dict) -> bool:
    """Tell whether live lines are wanted; a value that is no boolean is left for the module to refuse."""
    try:
        return boolean(arguments.get("progress", True)) and boolean(os.environ.get(VARIABLE) or True)
    except TypeError:
        return False


@contextlib.contextmanager
def console():
    """Yield the path of a FIFO; show each event written to it until the block ends, none of them lost."""
    # Below the temporary directory of this ansible process, which Ansible removes at its end, however that comes.
    directory = tempfile.mkdtemp(prefix="progress-", dir=constants.DEFAULT_LOCAL_TMP)
    try:
        path = os.path.join(directory, "progress")
        os.mkfifo(path, 0o600)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        # Our own write end keeps the FIFO from ending before the module opens it; closing it ends the thread.
        writer = os.open(path, os.O_WRONLY)
        os.set_blocking(reader, True)
        showing = threading.Lock()
        thread = threading.Thread(target=_follow, args=(reader, showing), daemon=True)
        thread.start()
        try:
            with _not_killed_while(showing):
                yield path
        finally:
            os.close(writer)
            # A process that the module left behind may hold the FIFO: the task's end does not wait for it.
            thread.join(timeout=5)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _not_killed_while(showing: threading.Lock):
    """Let a termination signal wait until no line is on its way to the console.

    A line goes to Ansible's main process through a queue with a lock that all workers share. A worker that is killed
    while it holds that lock leaves the main process waiting for it forever.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in handlers.items() if handler is not None}

    def pass_on(number, frame):
        held = showing.acquire(timeout=1)
        try:
            if callable(before[number]):
                before[number](number, frame)
            else:
                signal.signal(number, before[number])
                os.kill(os.getpid(), number)
        finally:
            if held:
                showing.release()

    for number in before:
        signal.signal(number, pass_on)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _follow(reader: int, showing: threading.Lock) -> None:
    display, rest = Display(), b""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    queue = getattr(getattr(display, "_final_q", None), "_writer", None)
    if queue is not None:
        poll.register(queue.fileno(), 0)  # errors are always told
    try:
        while True:
            for descriptor, _unused in poll.poll():
                if descriptor != reader:
                    poll.unregister(descriptor)
                    _end_abandoned_task()
                    continue
                data = os.read(reader, 65536)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    text = text_of(line)
                    if text is not None:
                        with showing:
                            display.display(text)
    finally:
        os.close(reader)


def _end_abandoned_task() -> None:
    """End the task whose results nobody reads any more.

    Interrupted at the wrong moment, ansible-core 2.19 forgets to pass the signal to the worker, gives up its queue and
    then waits for the worker without end, the notebooks running on. The worker leads a process group of its own.
    """
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGTERM)


def text_of(line: bytes) -> str | None:
    """Return what to show for one line of the FIFO; None where it holds no event with text.

    What a notebook or an installer wrote must not drive the terminal: control characters are dropped.
    """
    try:
        event = json.loads(line)
    except ValueError:
        return None
    text = event.get("text") if isinstance(event, dict) else None
    if not isinstance(text, str):
        return None
    return "".join(letter for letter in text if letter == "\t" or letter == "\n" or letter.isprintable())
