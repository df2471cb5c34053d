# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML report as text: what it shows, and what of a notebook never gets into it. Looks are tested in tests/browser."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import samples
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.report.write import write
from lxml import html


@pytest.fixture
def page(target, tmp_path):
    """Return the page of a notebook with the given cells, as text."""

    def make(*cells, verdict=None) -> str:
        executed = samples.notebook(tmp_path / "executed.ipynb", *cells)
        verdict = verdict or samples.passing("a.ipynb")
        write([replace(verdict, executed=executed)], target)
        return next((target / "notebooks").glob("*.html")).read_text(encoding="utf-8")

    return make


def output(page, **data) -> str:
    """Return the page's one output."""
    return (
        page(samples.code(1, "x", samples.shown(**data)))
        .partition('<div class="outputs">')[2]
        .partition("</article>")[0]
    )


def test_the_summary_page_leads_to_every_notebook(verdicts, target):
    write(verdicts, target, title="Forecasts & more", source=samples.SOURCE)
    text = (target / "index.html").read_text(encoding="utf-8")
    links = html.fromstring(text).xpath("//tbody//a/@href")
    assert len(links) == 8 and all((target / link).is_file() for link in links)
    assert "4 of 8 notebooks failed" in text and "Forecasts &amp; more" in text and "4be1d07a55e3" in text


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "No notebooks were validated"), (1, "The notebook succeeded"), (3, "All 3 notebooks succeeded")],
)
def test_the_summary_says_how_it_went(target, number, said):
    write([samples.passing(f"{index}.ipynb") for index in range(number)], target)
    assert said in (target / "index.html").read_text(encoding="utf-8")


def test_the_failing_cell_comes_first_with_what_to_do(verdicts, target):
    write(verdicts, target)
    text = next(path for path in (target / "notebooks").glob("*monthly*.html")).read_text(encoding="utf-8")
    places = [
        text.index(part)
        for part in (
            "Failed in cell 3",
            "----&gt; 2 totals",
            "What to do",
            "Requirements (2)",
            ">Notebook<",
            "Monthly summary</h1>",
        )
    ]
    assert places == sorted(places)


def test_a_notebook_that_was_not_run_has_a_page_that_says_why(target):
    write([samples.missing_module()], target)
    text = next((target / "notebooks").glob("*.html")).read_text(encoding="utf-8")
    assert "The notebook was not run." in text and "%pip install seaborn" in text and "ModuleNotFoundError" in text


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"cells": 5}', b"\xff\xfe", b"[" * 100_000])
def test_an_executed_notebook_that_cannot_be_read_still_has_its_page(target, tmp_path, content):
    (tmp_path / "x.ipynb").write_bytes(content)
    write([samples.failing(str(tmp_path / "x.ipynb"))], target)
    assert "The executed notebook cannot be read." in next((target / "notebooks").glob("*.html")).read_text(
        encoding="utf-8"
    )


def test_odd_cells_are_survived(page):
    odd = [
        {},
        5,
        None,
        {"cell_type": "code", "outputs": "x", "source": ["a\n", "b"]},
        {"cell_type": "raw", "source": "<b>raw</b>"},
        {"cell_type": "markdown", "metadata": None, "source": "![x](attachment:gone.png)"},
        {
            "cell_type": "code",
            "source": "y",
            "outputs": [5, {}, {"output_type": "display_data", "data": []}, {"output_type": "error"}],
        },
    ]
    text = page(*odd)
    assert "&lt;b&gt;raw&lt;/b&gt;" in text and "attachment:gone.png" in text


def test_papermills_own_banner_is_left_out(page):
    banner = {
        "cell_type": "markdown",
        "metadata": {"tags": ["papermill-error-cell-tag"]},
        "source": "An Exception was encountered",
    }
    assert "An Exception was encountered" not in page(banner, samples.code(0, "x"))


def test_the_cleaned_traceback_stands_in_for_the_kernels_own(page):
    error = {
        "output_type": "error",
        "ename": "E",
        "evalue": "e",
        "traceback": ["the kernel's own, with what it may hold"],
    }
    text = page(samples.code(3, "x", error), verdict=samples.failing())
    assert "the kernel&#39;s own" not in text and text.count("----&gt; 2 totals") == 2


def test_streams_are_joined_and_a_progress_bar_shows_its_last_state(page):
    progress = "".join(f"\r{percent}%" for percent in range(0, 101, 10)) + "\n"
    text = page(
        samples.code(1, "x", samples.stream("one "), samples.stream("two\n"), samples.stream(progress, "stderr"))
    )
    assert "one two" in text and "100%" in text and "\n50%" not in text and ">50%" not in text


def test_colours_of_a_terminal_become_classes(page):
    assert '<span class="ansi-red-fg">hot</span>' in page(samples.code(1, "x", samples.stream("\x1b[31mhot\x1b[0m")))


ATTACKS = [
    "<script>alert(1)</script>",
    "<SCRIPT src=//evil.example/x.js></SCRIPT>",
    "<script>alert(1)",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' jAvAsCrIpT&colon;alert(1)'>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=x></object>",
    "<embed src=x>",
    "<form action=//evil.example><input><button>x</button></form>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<base href=//evil.example>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css'; td { background: url(//evil.example/x.png) }</style>t",
    "<p style='background:url(//evil.example)'>t</p>",
    "<p style='background:\\75 rl(//evil.example)'>t</p>",
    "<style>a{}</style></template><script>alert(1)</script>",
    "</template><script>alert(1)</script>",
    "<template shadowrootmode=open><script>alert(1)</script></template>",
    "<video src=//evil.example/x autoplay></video>",
    "<math><mtext><script>alert(1)</script></mtext></math>",
    "<img src='https://evil.example/pixel.png'>",
    "<img srcset='//evil.example/x 1x'>",
    "<style>:host{position:fixed!important}</style>t",
    "<p style='position:fixed;inset:0'>t</p>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<!--><script>alert(1)</script>-->",
    "<img src='data:text/html,<script>alert(1)</script>'>",
    "<style><!--</style><script>alert(1)</script>--></style>",
]
FORBIDDEN = re.compile(
    r"<(?:script|iframe|object|embed|form|input|meta|base|link|svg|video|math)\b|\son\w+\s*=|javascript:|evil\.example"
    r"|srcset|@import|url\(|position\s*:|:host\s*\{position|data:text",
    re.IGNORECASE,
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_could_run_or_fetch_never_gets_into_the_page(page, attack):
    cells = [
        samples.markdown(0, f"text {attack}\n\n{attack}\n\n[x](javascript:alert(1))"),
        samples.code(1, "x", samples.shown(text_html=attack, text_plain="plain")),
        samples.code(2, "x", samples.shown(text_markdown=attack, text_plain="plain")),
    ]
    text = page(*cells)
    body = text.partition('<h2 id="notebook">')[2].replace(":host { display: block; }", "")
    tags = re.findall(r"<[^>]*>|<style>.*?</style>", body, re.DOTALL)
    assert not [tag for tag in tags if FORBIDDEN.search(tag)]


def test_names_and_causes_are_escaped(target):
    attack = "<script>alert('x')</script>\"'"
    write(
        [samples.failing(cause=attack, advice=(attack,), warnings=(attack,), code=attack)],
        target,
        title=attack,
        source={"url": attack, "ref": attack},
    )
    for path in target.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "<script>alert" not in text and "&lt;script&gt;alert" in text


def test_a_data_frame_keeps_its_table_and_a_styler_its_colours(page):
    assert "<td>North</td>" in output(page, text_html=samples.TABLE, text_plain="x")
    styled = output(page, text_html=samples.STYLER, text_plain="x")
    assert "#T_a1_row0_col0 { background-color: #440154" in styled and 'id="T_a1_row0_col0"' in styled


def test_an_interactive_plot_falls_back_to_what_can_be_shown(page):
    script = "<div><script>Plotly.newPlot()</script><div class='plotly' style='height:400px'></div></div>"
    assert "data:image/png;base64," in output(page, text_html=script, image_png=samples.plot(), text_plain="x")
    widget = {"application_vnd.jupyter.widget-view": {"model_id": "1"}, "text_plain": "IntSlider(value=3)"}
    text = output(page, **widget)
    assert "runs a script and is not shown here" in text and "IntSlider(value=3)" in text
    assert "runs a script" in output(page, application_javascript="alert(1)")


def test_images_and_json_are_shown(page):
    drawing = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    assert '<img class="plot" src="data:image/svg+xml;base64,' in output(page, image_svg__xml=drawing)
    assert "not valid base64" in output(page, image_png="<b>")
    assert "&#34;answer&#34;: 42" in output(page, application_json={"answer": 42})
    assert "<em>well</em>" in output(page, text_markdown="*well*")
    assert "$x^2$" in output(page, text_latex="$x^2$")


def test_a_huge_notebook_gives_a_page_of_bounded_size(page):
    flood = samples.stream("".join(f"line {number}\n" for number in range(400_000)))
    wide = samples.shown(text_html="<table>" + "<tr><td>cell</td></tr>" * 40_000 + "</table>", text_plain="x")
    many = [samples.stream(f"{number}\n", name) for number in range(200) for name in ("stdout", "stderr")]
    image = samples.shown(image_png="A" * 5_000_000)
    filler = [samples.code(index, "y" * 18_000, samples.stream("z" * 19_000)) for index in range(4, 400)]
    text = page(
        samples.code(0, "x", flood),
        samples.code(1, "x", wide),
        samples.code(2, "x", *many),
        samples.code(3, "x", image),
        *filler,
    )
    assert len(text) < 8_000_000
    assert "line 399999" in text and "characters left out here" in text
    assert "The first 200,000 of" in text and "340 more outputs" in text and "3,662 KiB" in text
    assert "more cells are in the executed notebook" in text


def test_golden_differences_stand_side_by_side(verdicts, target):
    write(verdicts, target)
    text = next((target / "notebooks").glob("*price*.html")).read_text(encoding="utf-8")
    assert "11.<mark>2</mark>0" in text and "11.<mark>9</mark>0" in text
    assert "4 equal lines" in text and "Failed in cell" not in text
    assert text.index("Differences from the golden notebook") < text.index("What to do")
    assert 'alt="Expected image of cell 3"' in text and 'alt="Actual image of cell 3"' in text


def test_lines_that_only_one_side_has_stand_alone(target):
    verdict = samples.mismatched()
    diff = replace(verdict.comparison.diffs[0], expected="a\nb\nc", actual="a\nc\nd")
    write([replace(verdict, comparison=replace(verdict.comparison, diffs=(diff,)))], target)
    tree = html.fromstring(next((target / "notebooks").glob("*.html")).read_text(encoding="utf-8"))
    changed = [[side.text_content() for side in row] for row in tree.xpath("//div[@class='row changed']")]
    assert changed == [["b", ""], ["", "d"]]


def test_a_difference_that_has_only_a_unified_diff_shows_that(target):
    verdict = samples.mismatched()
    diff = replace(verdict.comparison.diffs[0], expected=None, actual=None, diff="-<old>\n+new")
    write([replace(verdict, comparison=replace(verdict.comparison, diffs=(diff,)))], target)
    assert "-&lt;old&gt;" in next((target / "notebooks").glob("*.html")).read_text(encoding="utf-8")


def test_no_page_names_a_place_to_fetch_from(verdicts, target):
    write(verdicts, target)
    for path in target.rglob("*.html"):
        tree = html.fromstring(path.read_bytes())
        assert all(
            value.startswith("data:") for value in tree.xpath("//@src | //link/@href | //@srcset | //@data | //@action")
        )
        (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
        assert policy.startswith("default-src 'none'; img-src data:;") and "unsafe-eval" not in policy
        assert ("script-src" in policy) == (path.name == "index.html")
