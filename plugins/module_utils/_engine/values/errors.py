# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception of the engine."""

from __future__ import annotations


class EngineError(Exception):
    """A failure that the user is told about in one sentence.

    message: what is wrong, where, and what to do; never a secret, never a traceback.
    code: a code of the taxonomy table (``verdict/taxonomy.py``).
    details: further plain data for the caller, such as ``log_tail``.
    """

    def __init__(self, message: str, code: str = "invalid_input", **details):
        super().__init__(message)
        self.message = message
        self.code = code
        self.details = details
