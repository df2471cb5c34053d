# SPDX-License-Identifier: GPL-3.0-or-later
"""The script of the summary page: filter, sort, keys. Notebook pages have none."""

# ruff: noqa: E501
from __future__ import annotations

INDEX = """
"use strict";
(function () {
  const page = document.documentElement;
  const form = document.getElementById("filters");
  const body = document.querySelector("#notebooks tbody");
  const rows = Array.from(body.querySelectorAll("tr"));
  const count = document.getElementById("count");
  const none = document.getElementById("none");
  const fields = ["q", "status", "code", "tier"];
  let order = "";
  page.classList.add("js");

  function show() {
    const words = form.q.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = ["status", "code", "tier"].every(name => !form[name].value || row.dataset[name] === form[name].value)
        && words.every(word => row.dataset.text.includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown === rows.length ? rows.length + " notebooks" : shown + " of " + rows.length + " notebooks";
    none.hidden = shown > 0;
    form.clear.hidden = !fields.some(name => form[name].value);
    remember();
  }

  function sort(button, direction) {
    const header = button.closest("th");
    const at = Array.from(header.parentNode.children).indexOf(header);
    const value = row => row.children[at].dataset.sort;
    const numeric = header.classList.contains("number");
    const compare = (a, b) => numeric ? value(a) - value(b) : value(a).localeCompare(value(b), "en", { numeric: true });
    for (const other of header.parentNode.children) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    body.append(...rows.slice().sort((a, b) => direction * compare(a, b)));
    order = (direction > 0 ? "" : "-") + button.dataset.column;
    remember();
  }

  function remember() {
    const state = new URLSearchParams();
    for (const name of fields) if (form[name].value) state.set(name, form[name].value);
    if (order) state.set("sort", order);
    const hash = state.toString();
    history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search);
  }

  function recall() {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const name of fields) if (state.has(name)) form[name].value = state.get(name);
    const wanted = state.get("sort") || "";
    const button = document.querySelector('th button[data-column="' + CSS.escape(wanted.replace(/^-/, "")) + '"]');
    show();
    if (button) sort(button, wanted.startsWith("-") ? -1 : 1);
  }

  form.addEventListener("input", show);
  form.addEventListener("submit", event => event.preventDefault());
  form.clear.addEventListener("click", () => { for (const name of fields) form[name].value = ""; show(); form.q.focus(); });
  for (const button of document.querySelectorAll("th button"))
    button.addEventListener("click", () => sort(button, button.closest("th").getAttribute("aria-sort") === "ascending" ? -1 : 1));
  document.addEventListener("keydown", event => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); form.q.focus(); }
    if (event.key === "Escape" && event.target === form.q) { form.q.value = ""; show(); }
  });
  recall();
})();
"""
