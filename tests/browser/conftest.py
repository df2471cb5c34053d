# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, and a report to open in it from disk."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / "build" / "collections"

named = [Path(path) for path in os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep) if path]
trees = [*named, *(Path(path) for path in sys.path if path), INSTALLED]
tree = next((path for path in trees if (path / "ansible_collections" / "mlops" / "notebooks").is_dir()), INSTALLED)
sys.path[:0] = [str(tree), str(ROOT / "tests" / "unit" / "report"), str(Path(__file__).parent)]

import chromium_support  # noqa: E402
import samples  # noqa: E402
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.report.write import write  # noqa: E402

ATTACKS = """<script>window.ran = 1; console.log("ran")</script><img src=x onerror="window.ran = 2">
<svg onload="window.ran = 3"><script>window.ran = 4</script></svg><a id="lure" href="javascript:window.ran=5">click</a>
<iframe srcdoc="<script>parent.ran = 6</script>"></iframe><img src="http://127.0.0.1:9/pixel.png">
<style>@import "http://127.0.0.1:9/x.css"; td { background: url(http://127.0.0.1:9/y.png) }</style>
<link rel="stylesheet" href="http://127.0.0.1:9/z.css"><meta http-equiv="refresh" content="0;url=http://127.0.0.1:9/">
<div style="position: fixed; inset: 0; background: red" onclick="window.ran = 7">over everything</div>
</template></div></div></article><script>window.ran = 8</script><b>after the attack</b>"""


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Return a running browser, with no profile but its own."""
    with chromium_support.launched(tmp_path_factory.mktemp("home")) as browser:
        yield browser


@pytest.fixture(scope="session")
def report(tmp_path_factory) -> Path:
    """Return the directory of a report on believable notebooks, on one that attacks, and on a huge table."""
    directory = tmp_path_factory.mktemp("report")
    wide = "<table><tr>" + "<td>a rather wide cell</td>" * 40 + "</tr></table>"
    hostile = samples.notebook(
        directory / "hostile.ipynb",
        samples.markdown(
            0, f"Hostile {ATTACKS}\n\n[click](javascript:window.ran=9) ![pixel](http://127.0.0.1:9/m.png)"
        ),
        samples.code(1, "attack()", samples.shown(text_html=ATTACKS, text_plain="x")),
        samples.code(
            2,
            "attack()",
            samples.shown(text_markdown=ATTACKS),
            samples.shown(image_svg__xml=f"<svg xmlns='http://www.w3.org/2000/svg'>{ATTACKS}</svg>"),
        ),
        samples.code(
            3, "x = '" + "long " * 80 + "'", samples.shown(text_html=wide, text_plain="x"), samples.stream("y" * 900)
        ),
    )
    verdicts = [
        *samples.everything(directory / "executed"),
        samples.passing("hostile.ipynb", hostile, warnings=(ATTACKS,)),
    ]
    write(verdicts, directory / "reports", title="Forecasts", source=samples.SOURCE)
    return directory / "reports"


class Visit:
    """One page in a window of its own, with all that it asked for and complained of."""

    def __init__(self, page):
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        if not url.startswith(("file:", "data:")):
            self.requests.append(url)


@pytest.fixture
def visit(chromium, report):
    """Return a function that opens a page of the report: ``visit("index.html", width=390, scheme="dark")``."""
    contexts = []

    def open_page(path: str = "index.html", width: int = 1280, scheme: str = "light", **options) -> Visit:
        context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, **options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        visited = Visit(context.new_page())
        visited.page.goto((report / path).as_uri())
        return visited

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def tour(visit, pages):
    """Return a generator function that shows each page of the report in one window: ``for path, page in tour(390)``."""

    def each(width: int = 1280, scheme: str = "light"):
        visited = visit(pages[0], width=width, scheme=scheme)
        for path in pages:
            visited.page.goto(visited.page.url.partition("/reports/")[0] + f"/reports/{path}")
            yield path, visited.page

    return each


@pytest.fixture(scope="session")
def pages(report) -> list[str]:
    """Return every page of the report, relative to it."""
    return ["index.html", *sorted(str(path.relative_to(report)) for path in (report / "notebooks").glob("*.html"))]


@pytest.fixture
def page_of(pages):
    """Return a function that finds the page of a notebook by a part of its name."""
    return lambda part: next(path for path in pages if part in path)
