# SPDX-License-Identifier: GPL-3.0-or-later
"""Style sheets of the HTML report. No fonts, no images, nothing that is fetched."""

from __future__ import annotations

# Every pair of text and ground that is used has a contrast of at least 4.5:1 in both schemes (WCAG 2.2, 1.4.3).
COMMON = """
:root { color-scheme: light dark;
  --ground: #f5f6f8; --surface: #ffffff; --sunken: #f0f2f5; --line: #d9dee5; --line-strong: #868f9c;
  --ink: #1a1f27; --quiet: #535d6b; --link: #0b57c2; --focus: #0b57c2;
  --good: #14713a; --good-ground: #e2f5e8; --good-fill: #2da055; --bad: #b3201b; --bad-ground: #fdeaea; --bad-fill: #d8433c;
  --warn: #7a4b00; --warn-ground: #fdf2da; --mark-bad: #f8bdb9; --mark-good: #a9e3bc;
  --keyword: #8929a8; --string: #1b6a2c; --number: #0a5a9c; --comment: #5c6773; --name: #7a4b00;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "Segoe UI Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #0f1318; --surface: #171c23; --sunken: #11161c; --line: #2c343f; --line-strong: #7d8896;
  --ink: #e6eaf0; --quiet: #a3aebb; --link: #85b7ff; --focus: #85b7ff;
  --good: #63d68c; --good-ground: #12301e; --good-fill: #3fae68; --bad: #ff938b; --bad-ground: #3a1a1b; --bad-fill: #e5645c;
  --warn: #f0bd5c; --warn-ground: #33260c; --mark-bad: #7c2a29; --mark-good: #1c5c36;
  --keyword: #d79bf0; --string: #85d494; --number: #82bdf7; --comment: #94a0ad; --name: #f0bd5c; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scroll-padding-top: 1rem; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.5 var(--sans); }
a { color: var(--link); text-underline-offset: .15em; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 3px; }
code, pre, .path { font-family: var(--mono); font-size: .875em; }
h1, h2, h3 { line-height: 1.25; margin: 0; overflow-wrap: anywhere; text-wrap: balance; }
h1 { font-size: clamp(1.35rem, 1rem + 1.6vw, 1.9rem); font-weight: 650; letter-spacing: -.015em; }
h2 { font-size: 1.125rem; font-weight: 650; }
h3 { font-size: 1rem; font-weight: 600; }
p { margin: 0; }
.page { max-width: 76rem; margin: 0 auto; padding: 1.75rem clamp(1rem, 3vw, 2rem) 3rem; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: 1rem; z-index: 2; background: var(--surface); padding: .5rem .75rem; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.quiet { color: var(--quiet); }
.badge { display: inline-flex; align-items: center; gap: .4em; padding: .1rem .6rem .1rem .5rem; border-radius: 99rem;
  font-size: .8125rem; font-weight: 600; white-space: nowrap; }
.badge::before { content: ""; width: .55em; height: .55em; border-radius: 50%; background: currentColor; }
.badge.failed::before { border-radius: 1px; }
.succeeded { color: var(--good); background: var(--good-ground); }
.failed { color: var(--bad); background: var(--bad-ground); }
.chip { display: inline-block; padding: .05rem .45rem; border-radius: .3rem; background: var(--sunken); border: 1px solid var(--line);
  font-size: .8125rem; color: var(--quiet); white-space: nowrap; }
footer { margin-top: 2.5rem; color: var(--quiet); font-size: .8125rem; }
@media print { body { background: none; } .page { max-width: none; padding: 0; } .no-print { display: none !important; } }
"""

INDEX = """
.source { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin-top: .4rem; color: var(--quiet); font-size: .875rem; overflow-wrap: anywhere; }
.outcome { display: grid; gap: 1.1rem; margin: 1.4rem 0; padding: 1.25rem 1.4rem; background: var(--surface); border: 1px solid var(--line);
  border-radius: .75rem; }
.outcome .said { font-size: 1.25rem; font-weight: 600; }
.bar { display: block; width: 100%; height: .625rem; border-radius: 99rem; background: var(--sunken); overflow: hidden; }
.bar .ok { fill: var(--good-fill); } .bar .ko { fill: var(--bad-fill); }
.models { list-style: none; margin: 0 0 1.5rem; padding: 0; } .models > li { margin: .5rem 0; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .9rem 1.5rem; margin: 0; }
.figures dt { color: var(--quiet); font-size: .8125rem; }
.figures dd { margin: 0; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.figures dd small { font-weight: 400; font-size: .8125rem; color: var(--quiet); }
.filters { display: none; flex-wrap: wrap; align-items: end; gap: .75rem; margin: 1.25rem 0 .75rem; }
.js .filters { display: flex; }
.filters label { display: grid; gap: .2rem; font-size: .8125rem; color: var(--quiet); }
.filters label { flex: 1 1 8rem; } .filters .grow { flex: 5 1 15rem; }
.filters input, .filters select, .filters button { font: inherit; font-size: .9375rem; color: var(--ink); background: var(--surface);
  border: 1px solid var(--line-strong); border-radius: .45rem; padding: .4rem .65rem; min-height: 2.5rem; width: 100%; }
.filters input::placeholder { color: var(--quiet); opacity: 1; } .filters button { width: auto; cursor: pointer; }
.filters kbd { font: inherit; border: 1px solid var(--line); border-radius: .25rem; padding: 0 .3rem; background: var(--sunken); }
.count { margin: 0 0 .5rem; font-size: .875rem; color: var(--quiet); }
table { width: 100%; border-collapse: separate; border-spacing: 0; background: var(--surface); border: 1px solid var(--line); border-radius: .75rem; }
th { text-align: left; font-size: .8125rem; font-weight: 600; color: var(--quiet); padding: .35rem .4rem; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th button { all: unset; box-sizing: border-box; cursor: pointer; padding: .3rem .45rem; border-radius: .3rem; }
th button:hover { color: var(--ink); background: var(--sunken); }
th button:focus-visible { outline: 3px solid var(--focus); }
th button::after { content: " \\2195"; opacity: .55; } th[aria-sort=ascending] button::after { content: " \\2191"; opacity: 1; }
th[aria-sort=descending] button::after { content: " \\2193"; opacity: 1; }
th[aria-sort=ascending] button, th[aria-sort=descending] button { color: var(--ink); }
td { padding: .7rem .85rem; border-bottom: 1px solid var(--line); vertical-align: top; font-size: .9375rem; }
tbody tr { position: relative; }
tbody tr:last-child td { border-bottom: 0; }
tbody tr:hover { background: var(--sunken); }
tbody tr:hover td:first-child, tbody tr:hover td:last-child { background: var(--sunken); }
td .path { font-size: .9rem; font-weight: 600; overflow-wrap: anywhere; text-decoration: none; }
td .path::after { content: ""; position: absolute; inset: 0; }
td .path:focus-visible { outline: none; } td .path:focus-visible::after { outline: 3px solid var(--focus); outline-offset: -3px; border-radius: .4rem; }
tr:hover .path { text-decoration: underline; }
td .cause { display: block; margin-top: .15rem; color: var(--quiet); font-size: .875rem; max-width: 62ch; overflow-wrap: anywhere; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.number { text-align: right; }
.length { display: block; width: 5rem; height: .25rem; margin: .3rem 0 0 auto; } .length rect { fill: var(--line-strong); }
.none { padding: 2rem; text-align: center; color: var(--quiet); }
@media (max-width: 60rem) {
  table, tbody, td { display: block; } table { background: none; border: 0; }
  thead tr { display: flex; flex-wrap: wrap; gap: .35rem; margin-bottom: .75rem; } html:not(.js) thead { display: none; }
  thead th { padding: 0; border: 0; } th button { border: 1px solid var(--line); background: var(--surface); padding: .45rem .6rem; }
  tbody tr { display: grid; grid-template-columns: auto 1fr; gap: .35rem .75rem; margin-bottom: .75rem; padding: .9rem 1rem; background: var(--surface);
    border: 1px solid var(--line); border-radius: .75rem; }
  tbody tr[hidden] { display: none; }
  td { padding: 0; border: 0; grid-column: 1 / -1; } td:nth-child(1) { grid-column: 1; grid-row: 1; } td.time { grid-column: 2; grid-row: 1;
    text-align: right; }
  td.fact { display: flex; gap: .6rem; font-size: .875rem; } td.fact::before { content: attr(data-label); color: var(--quiet); min-width: 6.5rem; }
  td.fact.empty, .length { display: none; } tbody tr:hover td { background: none; }
}
@media print { table, tr { break-inside: avoid; } tr[hidden] { display: table-row !important; } }
"""

NOTEBOOK = """
.back { font-size: .875rem; margin-bottom: .9rem; }
.back a { display: inline-block; padding: .25rem 0; }
h1 .dir { color: var(--quiet); font-weight: 400; }
.said { display: flex; flex-wrap: wrap; align-items: baseline; gap: .4rem .7rem; margin-top: .7rem; overflow-wrap: anywhere; }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1.1rem 0 0; padding: .9rem 0; border-block: 1px solid var(--line); }
.facts dt { color: var(--quiet); font-size: .8125rem; } .facts dd { margin: 0; font-size: .9375rem; overflow-wrap: anywhere; }
section { margin-top: 2rem; } section > h2 { margin-bottom: .75rem; }
.panel { background: var(--surface); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem 1.2rem; }
.panel + .panel { margin-top: .75rem; }
.panel.broken { border-color: var(--bad-fill); border-left-width: 4px; }
.panel h3 { margin-bottom: .5rem; } .panel h3:last-child { margin: 0; } .panel .back { margin: .7rem 0 0; }
.advice { margin: 0; display: grid; gap: .5rem; white-space: pre-line; overflow-wrap: anywhere; } ol.advice { padding-left: 1.3rem; }
.warnings { margin: 0; padding: .8rem 1rem .8rem 2.1rem; background: var(--warn-ground); color: var(--warn); border-radius: .6rem; overflow-wrap: anywhere; }
details > summary { cursor: pointer; padding: .3rem 0; font-weight: 600; }
.lines { margin: .4rem 0 0; padding: .8rem 1rem; background: var(--sunken); border: 1px solid var(--line); border-radius: .5rem; overflow-x: auto; }
.cell { display: grid; grid-template-columns: 5.5rem minmax(0, 1fr); gap: .9rem; padding: .8rem 0; scroll-margin-top: 1rem; }
.cell > .side { font-size: .8125rem; color: var(--quiet); text-align: right; padding-top: .45rem; font-variant-numeric: tabular-nums; }
.side a { color: inherit; text-decoration: none; } .side a:hover { text-decoration: underline; } .side span { display: block; }
.side .mark { font-weight: 650; } .side .mark.failed { color: var(--bad); background: none; } .side .mark.succeeded { color: var(--good); background: none; }
.cell.skipped .code { opacity: .75; }
.cell:target > .body, .cell.broken > .body { box-shadow: 0 0 0 2px var(--bad-fill); border-radius: .5rem; }
.cell:target:not(.broken) > .body { box-shadow: 0 0 0 2px var(--focus); }
.body { min-width: 0; }
.code, pre.text { margin: 0; padding: .7rem .9rem; overflow-x: auto; line-height: 1.5; tab-size: 4; }
.code { background: var(--surface); border: 1px solid var(--line); border-radius: .5rem; }
.code .highlight, .code pre { margin: 0; background: none; }
.outputs { display: grid; gap: .4rem; margin-top: .4rem; } .outputs > * { min-width: 0; }
.outputs:empty { display: none; }
pre.text { padding-block: .45rem; max-height: 36rem; overflow-y: auto; }
pre.stderr { background: var(--warn-ground); border-radius: .4rem; } pre.error { background: var(--bad-ground); border-radius: .4rem; max-height: none; }
.rich { overflow-x: auto; padding: .45rem .9rem; contain: layout paint; }
.rich.paper { justify-self: start; max-width: 100%; background: #fff; color: #1a1f27; border-radius: .4rem; color-scheme: light; --line: #d9dee5;
  --sunken: #f0f2f5; --link: #0b57c2; }
.plot, .images img { max-width: 100%; height: auto; background: #fff; border-radius: .3rem; }
.plot { justify-self: start; margin: .3rem .9rem; max-width: calc(100% - 1.8rem); }
.note { padding: .3rem .9rem; color: var(--quiet); font-size: .875rem; font-style: italic; }
.prose { overflow-wrap: anywhere; padding: .2rem .9rem; }
.prose > :first-child { margin-top: 0; } .prose > :last-child { margin-bottom: 0; } .prose p, .prose ul, .prose ol, .prose blockquote { margin: .6rem 0; }
.prose h1 { font-size: 1.5rem; margin: 1rem 0 .5rem; } .prose h2 { font-size: 1.25rem; margin: 1rem 0 .5rem; } .prose h3 { font-size: 1.1rem;
  margin: .8rem 0 .4rem; }
.prose blockquote { border-left: 3px solid var(--line); padding-left: 1rem; color: var(--quiet); margin-inline: 0; }
.prose pre { background: var(--surface); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem; overflow-x: auto; }
.prose img { max-width: 100%; height: auto; background: #fff; }
.prose table { display: block; overflow-x: auto; border-collapse: collapse; } .prose th, .prose td { border: 1px solid var(--line); padding: .3rem .6rem; }
.k, .kn, .kd, .kc, .kr, .ow { color: var(--keyword); } .s, .s1, .s2, .sa, .sd, .se, .si, .sb, .sx { color: var(--string); }
.m, .mi, .mf, .mh, .mb, .mo, .kt, .nb, .bp { color: var(--number); } .c, .c1, .ch, .cm, .cs { color: var(--comment); font-style: italic; }
.nf, .nc, .nd, .fm { color: var(--name); }
.ansi-bold { font-weight: 700; } .ansi-underline { text-decoration: underline; }
.ansi-red-fg, .ansi-red-intense-fg { color: var(--bad); } .ansi-green-fg, .ansi-green-intense-fg { color: var(--good); }
.ansi-yellow-fg, .ansi-yellow-intense-fg { color: var(--warn); } .ansi-blue-fg, .ansi-blue-intense-fg { color: var(--link); }
.ansi-magenta-fg, .ansi-magenta-intense-fg { color: var(--keyword); } .ansi-cyan-fg, .ansi-cyan-intense-fg { color: var(--number); }
.sides { font-family: var(--mono); font-size: .8125rem; line-height: 1.5; border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; }
.sides .row { display: grid; grid-template-columns: 1fr 1fr; } .sides .row > * { min-width: 0; padding: .05rem .7rem .05rem 1.6rem; white-space: pre-wrap;
  overflow-wrap: anywhere; position: relative; min-height: 1.5em; }
.sides .row > * + * { border-left: 1px solid var(--line); }
.sides .head { background: var(--sunken); font-family: var(--sans); font-weight: 600; border-bottom: 1px solid var(--line); }
.sides .changed .old { background: var(--bad-ground); } .sides .changed .new { background: var(--good-ground); }
.sides .changed .old::before, .sides .changed .new::before { position: absolute; left: .6rem; color: var(--quiet); content: "\\2212"; }
  .sides .changed .new::before { content: "+"; }
.sides .changed .absent { background: var(--sunken); } .sides .changed .absent::before { content: none; }
.sides mark { color: inherit; border-radius: 2px; } .sides .old mark { background: var(--mark-bad); } .sides .new mark { background: var(--mark-good); }
.sides .gap { display: block; background: var(--sunken); color: var(--quiet); text-align: center; font-family: var(--sans); }
.images { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1rem; } .images figure { margin: 0; }
.images figcaption { font-size: .8125rem; font-weight: 600; margin-bottom: .3rem; } .images img { border: 1px solid var(--line); }
@media (max-width: 46rem) {
  .cell { grid-template-columns: minmax(0, 1fr); gap: .3rem; } .cell > .side { display: flex; gap: .75rem; text-align: left; padding: 0; }
  .sides .row { grid-template-columns: 1fr; } .sides .row > * + * { border-left: 0; } .sides .same .new, .sides .absent { display: none; }
  .sides .head > :first-child::before { content: "\\2212\\a0"; } .sides .head > :last-child::before { content: "+ "; }
  .panel { padding: .9rem; } .rich, pre.text, .prose { padding-inline: .3rem; } pre.stderr, pre.error { padding-inline: .7rem; }
}
@media print { pre.text { max-height: none; } .code, pre.text { white-space: pre-wrap; } .cell { break-inside: avoid-page; } }
"""

# Within the shadow root of one HTML output; the page's own rules do not reach in there.
RICH = """
:host { display: block; } table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
thead th { border-bottom: 2px solid var(--line); } tbody tr:nth-child(even) { background: var(--sunken); } th { font-weight: 600; }
caption { text-align: left; padding: .3rem 0; } a { color: var(--link); } img { max-width: 100%; } p { margin: .4rem 0; font-size: .875rem; }
pre, code { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
"""
