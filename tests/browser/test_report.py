# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML report as people meet it: in a browser, from disk, by mouse and by keyboard, on a desk and on a phone."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

# Text whose contrast with what is behind it is too low (WCAG 2.2, 1.4.3), through shadow roots. What an author coloured
# himself (.paper) is his own.
LOW_CONTRAST = """() => {
  const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = text => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1]; };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const parent = node => node.parentElement || (node.getRootNode() instanceof ShadowRoot ? node.getRootNode().host : null);
  const bad = [];
  const visit = root => {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) visit(node.shadowRoot);
      const text = Array.from(node.childNodes).filter(n => n.nodeType === 3).map(n => n.data.trim()).join("");
      if (!text || !node.checkVisibility({ visibilityProperty: true }) || node.closest(".paper, title, style, script, option")) continue;
      const chain = [];
      for (let at = node; at; at = parent(at)) chain.unshift(at);
      let ground = [255, 255, 255, 1], opacity = 1;
      for (const at of chain) {
        ground = over(parse(getComputedStyle(at).backgroundColor), ground);
        opacity *= Number(getComputedStyle(at).opacity);
      }
      const ink = parse(getComputedStyle(node).color);
      ink[3] *= opacity;
      const [a, b] = [luminance(over(ink, ground)), luminance(ground)].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      if (ratio < 4.5) bad.push(node.tagName + "." + node.className + " " + text.slice(0, 30) + " " + ratio.toFixed(2));
    }
  };
  visit(document);
  return bad;
}"""

# What a screen reader trips over.
BARRIERS = """() => {
  const found = [];
  const one = (selector, number) => { const n = document.querySelectorAll(selector).length; if (n !== number) found.push(selector + ": " + n); };
  one("main", 1); one("h1", document.querySelectorAll(".prose h1").length + 1); one("html[lang]", 1);
  for (const field of document.querySelectorAll("input, select")) if (!field.labels.length) found.push("no label: " + field.name);
  for (const image of document.querySelectorAll("img")) if (!image.alt) found.push("no alt");
  for (const link of document.querySelectorAll("a[href], button")) if (!(link.textContent.trim() || link.ariaLabel)) found.push("no name: " + link.outerHTML);
  for (const part of document.querySelectorAll("[aria-labelledby]"))
    if (!document.getElementById(part.getAttribute("aria-labelledby"))) found.push("no heading: " + part.outerHTML.slice(0, 80));
  for (const link of document.querySelectorAll("a[href^='#']")) if (!document.getElementById(link.hash.slice(1))) found.push("leads nowhere: " + link.hash);
  const ids = Array.from(document.querySelectorAll("[id]"), node => node.id);
  if (new Set(ids).size !== ids.length) found.push("the same id twice");
  return found;
}"""


def shown(page) -> list[str]:
    return page.locator("tbody tr:visible .path").all_inner_texts()


def test_no_page_asks_the_network_or_complains(visit, pages):
    for path in pages:
        visited = visit(path)
        assert (visited.requests, visited.complaints) == ([], []), path


def test_scripts_in_outputs_do_not_run(visit, page_of):
    visited = visit(page_of("hostile"))
    for link in visited.page.get_by_text("click", exact=True).all():
        link.click()
    assert visited.page.get_by_text("after the attack").count() >= 3
    assert visited.page.evaluate("window.ran") is None
    assert (visited.requests, visited.complaints) == ([], [])


def test_an_output_cannot_lie_over_the_page(visit, page_of):
    page = visit(page_of("hostile")).page
    assert page.evaluate("document.elementFromPoint(100, 30).closest('.back, h1') !== null")


def test_the_policy_holds_where_the_sanitizer_would_not(visit, page_of, report):
    path = report / page_of("monthly")
    leaky = path.with_name("leaky.html")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        attack = (
            "<script>window.ran = 1</script><img src=x onerror='window.ran = 2'><a href='javascript:window.ran=3' id=lure>lure</a>"
            f"<img src='{address}/x.png'><link rel=stylesheet href='{address}/x.css'><script src='{address}/x.js'></script>"
        )
        mark = '<h2 id="notebook">'
        leaky.write_text(path.read_text(encoding="utf-8").replace(mark, attack + mark), encoding="utf-8")
        try:
            visited = visit("notebooks/leaky.html")
            visited.page.locator("#lure").click()
            assert visited.page.evaluate("window.ran") is None
            assert any("Content Security Policy" in text for text in visited.complaints)
            # The page has loaded, and loading waits for images, styles and scripts: nobody came.
            with pytest.raises(BlockingIOError):
                listener.accept()
        finally:
            leaky.unlink()


def test_the_filter_finds_by_any_words_and_counts(visit):
    page = visit().page
    assert len(shown(page)) == 9
    page.get_by_label("Filter").fill("SEABORN keywords")
    assert shown(page) == ["reports/keywords.ipynb"]
    assert page.locator("#count").inner_text() == "1 of 9 notebooks"
    page.get_by_label("Filter").fill("nothing like this")
    assert page.get_by_text("No notebook fits the filter.").is_visible()
    page.get_by_role("button", name="Clear").click()
    assert len(shown(page)) == 9 and page.locator("#count").inner_text() == "9 notebooks"


def test_status_code_and_tier_narrow_the_list(visit):
    page = visit().page
    page.get_by_label("Status").select_option("failed")
    assert len(shown(page)) == 4
    page.get_by_label("Tier").select_option("base")
    assert shown(page) == ["base/slow-simulation.ipynb", "reports/keywords.ipynb"]
    page.get_by_label("Code", exact=False).first.select_option("missing_module")
    assert shown(page) == ["reports/keywords.ipynb"]


def test_every_column_sorts_both_ways_and_says_so(visit):
    page = visit().page
    for column in ("Status", "Notebook", "Code", "Tier", "Environment", "Cached", "Time"):
        header = page.get_by_role("columnheader", name=column)
        button = header.get_by_role("button")
        button.click()
        assert header.get_attribute("aria-sort") == "ascending"
        ascending = shown(page)
        button.click()
        assert header.get_attribute("aria-sort") == "descending"
        assert page.locator("th[aria-sort]").count() == 1
        assert sorted(shown(page)) == sorted(ascending) and shown(page)[0] != ascending[0]


def test_times_sort_as_numbers(visit):
    page = visit().page
    page.get_by_role("button", name="Time").click()
    order = shown(page)
    assert order[0] == "units/conversion.ipynb" and order[-2:] == [
        "sales/price-bands.ipynb",
        "base/slow-simulation.ipynb",
    ]


def test_coming_back_finds_the_filter_and_the_order(visit):
    page = visit().page
    page.get_by_label("Status").select_option("failed")
    page.get_by_role("button", name="Notebook").click()
    page.get_by_role("button", name="Notebook").click()
    before = shown(page)
    page.get_by_role("link", name="sales/price-bands.ipynb").click()
    page.get_by_role("heading", level=1).wait_for()
    page.go_back()
    page.locator("html.js").wait_for()
    assert shown(page) == before == sorted(before, reverse=True)


def test_the_whole_summary_by_keyboard(visit):
    page = visit().page
    focused = "document.activeElement"
    page.keyboard.press("Tab")
    assert page.evaluate(f"{focused}.textContent") == "Skip to content"
    page.keyboard.press("/")
    assert page.evaluate(f"{focused}.name") == "q"
    page.keyboard.type("sales/")
    assert len(shown(page)) == 4 and page.get_by_label("Filter").input_value() == "sales/"
    page.keyboard.press("Escape")
    assert len(shown(page)) == 9
    page.keyboard.type("atlantis")
    names = []
    for _ in range(12):
        page.keyboard.press("Tab")
        names.append(page.evaluate(f"{focused}.name || {focused}.dataset.column || {focused}.textContent"))
        outline = page.evaluate(
            f"(() => {{ const a = {focused}; return getComputedStyle(a).outlineStyle + getComputedStyle(a, '::after').outlineStyle; }})()"
        )
        assert "solid" in outline or "auto" in outline, names[-1]
        if names[-1].endswith(".ipynb"):
            break
    assert names == [
        "status",
        "code",
        "tier",
        "clear",
        "status",
        "notebook",
        "code",
        "tier",
        "environment",
        "cached",
        "time",
        "sales/monthly-summary.ipynb",
    ]
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Failed in cell 3").wait_for()


def test_sorting_by_keyboard(visit):
    page = visit().page
    page.get_by_role("button", name="Time").focus()
    page.keyboard.press("Enter")
    assert shown(page)[0] == "units/conversion.ipynb"
    page.keyboard.press("Space")
    assert shown(page)[0] == "base/slow-simulation.ipynb"


def test_a_click_anywhere_on_a_row_opens_its_notebook(visit):
    page = visit().page
    page.locator("tbody tr", has_text="Atlantis").click(position={"x": 30, "y": 45})
    assert page.get_by_role("heading", level=1).first.inner_text() == "sales/monthly-summary.ipynb"


def test_from_the_failure_to_its_cell(visit, page_of):
    page = visit(page_of("monthly")).page
    page.get_by_role("link", name="See it in the notebook").click()
    assert page.locator("article:target").get_attribute("id") == "cell-3"
    assert page.locator("#cell-3").bounding_box()["y"] < 844


def test_the_executed_notebook_is_there(visit, page_of):
    link = visit(page_of("monthly")).page.get_by_role("link", name="download")
    path = Path(unquote(urlsplit(link.evaluate("node => node.href")).path))
    assert json.loads(path.read_bytes())["nbformat"] == 4


def test_tables_keep_their_styles_to_themselves(visit, page_of):
    page = visit(page_of("forecast")).page
    cell = page.locator("#T_a1_row0_col0")
    assert cell.evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(68, 1, 84)"
    assert page.get_by_text("North", exact=True).is_visible()


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_page_scrolls_sideways(tour, width):
    for path, page in tour(width):
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_golden_differences_stand_side_by_side_and_on_a_phone_below_each_other(visit, page_of):
    def sides(width):
        row = visit(page_of("price"), width=width).page.locator(".row.changed").first
        return row.locator(".old").bounding_box(), row.locator(".new").bounding_box()

    old, new = sides(1280)
    assert old["y"] == new["y"] and old["x"] + old["width"] <= new["x"] + 1
    old, new = sides(390)
    assert old["x"] == new["x"] and old["y"] + old["height"] <= new["y"] + 1


def test_a_phone_can_sort_and_filter_too(visit):
    page = visit(width=390).page
    page.get_by_role("button", name="Time").click()
    page.get_by_label("Filter").fill("sales")
    assert shown(page)[0] == "sales/currency.ipynb" and shown(page)[-1] == "sales/price-bands.ipynb"
    assert page.get_by_role("table", name="Notebooks").get_by_role("row").count() == 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(tour, scheme):
    for path, page in tour(scheme=scheme):
        assert page.evaluate(LOW_CONTRAST) == [], path


def test_dark_is_dark(visit):
    ground = "getComputedStyle(document.body).backgroundColor"
    assert visit(scheme="dark").page.evaluate(ground) == "rgb(15, 19, 24)"
    assert visit(scheme="light").page.evaluate(ground) == "rgb(245, 246, 248)"


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_has_a_barrier(tour, width):
    for path, page in tour(width):
        assert page.evaluate(BARRIERS) == [], path


def test_without_scripts_everything_is_still_there(visit):
    page = visit(java_script_enabled=False).page
    assert page.locator("tbody tr:visible").count() == 9
    assert not page.get_by_label("Filter").is_visible()


def test_in_print_every_notebook_is_listed(visit):
    page = visit().page
    page.get_by_label("Filter").fill("sales")
    page.emulate_media(media="print")
    assert page.locator("tbody tr:visible").count() == 9
    assert not page.get_by_label("Filter").is_visible()
