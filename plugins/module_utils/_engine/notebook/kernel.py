# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernels the environment's own Python can stand in for."""

from __future__ import annotations

import re
import typing as t

from ..values.errors import EngineError

if t.TYPE_CHECKING:
    from .load import Notebook

# Kernels whose metadata say Python, but whose code runs elsewhere or is no plain Python.
_ELSEWHERE = re.compile(r"(py)?spark(3)?kernel$|sagemath|sos$|spylon", re.IGNORECASE)
_PYTHON_LANGUAGES = ("python", "python3", "ipython", "ipython3")
_PYTHON_NAME = re.compile(r"py|conda|venv", re.IGNORECASE)
_PYTHON_2 = re.compile(r"(i?python[ _-]?2(\.\d+)?|py2\d?)$", re.IGNORECASE)


def is_python_2(notebook: Notebook) -> bool:
    """Tell whether the notebook asks for a kernel of Python 2."""
    return bool(notebook.kernel and _PYTHON_2.match(notebook.kernel))


def check(notebook: Notebook, *, python_2: bool = False) -> None:
    """Refuse a notebook that a Python 3 kernel cannot run.

    Any kernel whose language is Python will do, whatever its name: names such as ``conda-env-x-py`` are those of
    the author's machine, and the environment brings its own kernel. python_2: let kernels of Python 2 pass, for who
    only reads the notebook.
    Raises EngineError with code ``kernel_unsupported`` and the kernel's name.
    """
    kernel, language = notebook.kernel, notebook.language
    if is_python_2(notebook) and not python_2:
        raise _refusal(notebook, f"the kernel {kernel}, which is Python 2")
    if language is not None and language not in _PYTHON_LANGUAGES:
        named = f"the kernel {kernel} for" if kernel else "a kernel for"
        raise _refusal(notebook, f"{named} the language {language}")
    if kernel and _ELSEWHERE.match(kernel):
        raise _refusal(notebook, f"the kernel {kernel}, which is no plain Python kernel")
    if language is None and kernel and not _PYTHON_NAME.search(kernel) and not _display_is_python(notebook):
        raise _refusal(notebook, f"the kernel {kernel} and does not say that its language is Python")


def _display_is_python(notebook: Notebook) -> bool:
    spec = notebook.metadata.get("kernelspec")
    return isinstance(spec, dict) and "python" in str(spec.get("display_name")).lower()


def _refusal(notebook: Notebook, what: str) -> EngineError:
    return EngineError(
        f"{notebook.name} asks for {what}: only Python 3 kernels are supported; leave it out or set its kernel to"
        " python3.",
        code="kernel_unsupported",
        kernel=notebook.kernel or notebook.language,
    )
