# SPDX-License-Identifier: GPL-3.0-or-later
"""Pytest fixtures: `apiserver`, a factory of servers that end with the test."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from .server import ApiServer


@pytest.fixture
def apiserver():
    """`apiserver(profile="openshift", ...)` starts a server; the arguments are those of ApiServer."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(ApiServer(**options))
