# SPDX-License-Identifier: GPL-3.0-or-later
"""The only glue between AnsibleModule and the engine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading

from ansible.module_utils.basic import AnsibleModule

from ._engine.values.base import plain
from ._engine.values.errors import EngineError
from ._engine.verdict.taxonomy import entry

# Options of the modules that report while they work; documented by the fragment mlops.notebooks.progress.
PROGRESS_SPEC = {
    "progress": {"type": "bool", "default": True},
    "progress_path": {"type": "path"},
}
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(argument_spec: dict, function, **options) -> None:
    """Run one module: parse the arguments, call ``function(module, progress)``, exit with its dict.

    ``progress`` takes one dict an event and never fails. Values in the result are made plain, its ``warnings`` are Ansible's. An EngineError
    becomes ``fail_json(msg, code, category, advice, **details)``. SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt in the
    main thread, so that every ``finally`` runs, and end in ``fail_json(code="interrupted")``.
    """
    module = AnsibleModule(argument_spec, **options)
    try:
        with orderly_signals(), Progress(module.params.get("progress_path")) as progress:
            result = function(module, progress)
    except EngineError as error:
        known = entry(error.code)
        told = {"category": known.category, "advice": known.advice, **error.details}
        for words in told.pop("warnings", ()):
            module.warn(words)
        module.fail_json(msg=error.message, code=error.code, **plain(told))
    except KeyboardInterrupt:
        module.fail_json(msg="Interrupted by a signal: what was begun has been cleaned up.", code="interrupted")
    else:
        for words in result.pop("warnings", ()):
            module.warn(words)
        module.exit_json(**plain(result))


@contextlib.contextmanager
def orderly_signals():
    """Turn the first termination signal into KeyboardInterrupt; later ones do not disturb the cleanup."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number, _frame):
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Progress:
    """Write events as JSON lines to the FIFO or file that the action plugin reads; without a path, nowhere.

    Losing a line is better than losing the work: any error of the file ends the reporting, never the module.
    Safe to call from several threads.
    """

    def __init__(self, path: str | None):
        self._path = path
        self._descriptor = None
        self._lock = threading.Lock()

    def __enter__(self):
        if self._path:
            with contextlib.suppress(OSError):
                # Without O_NONBLOCK the open would wait for a reader that may be gone.
                self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
                os.set_blocking(self._descriptor, True)
        return self

    def __exit__(self, *_exception):
        with self._lock:
            self._close()

    def __call__(self, event: dict) -> None:
        if self._descriptor is None:
            return
        data = (json.dumps(plain(event)) + "\n").encode()
        with self._lock:
            try:
                while data and self._descriptor is not None:
                    data = data[os.write(self._descriptor, data) :]
            except OSError:
                self._close()

    def _close(self):
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
