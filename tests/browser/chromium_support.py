# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium for tests. Where none is installed they are skipped, but not in CI (``CI=true``): there they fail."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()


def unavailable(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; in CI a browser must see what users see", pytrace=False)
    pytest.skip(reason)


@contextlib.contextmanager
def launched(home: Path):
    """A running browser, with no profile but the one in `home`."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not path:
        unavailable("no Chromium is installed (Debian: apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        unavailable("playwright is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS, env={**os.environ, "HOME": str(home)})
        yield browser
        browser.close()
