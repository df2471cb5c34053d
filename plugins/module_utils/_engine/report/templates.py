# SPDX-License-Identifier: GPL-3.0-or-later
"""Jinja templates of the HTML report; autoescaped, whitespace-trimmed."""

from __future__ import annotations

BASE = """
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="mlops.notebooks">
<title>{% block title %}{% endblock %}</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='%23{{
  'd8433c' if failed else '2da055' }}'/%3E%3C/svg%3E">
<style>{{ style }}</style>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<div class="page">
{% block page %}{% endblock %}
</div>
{% block script %}{% endblock %}
</body>
</html>
"""

INDEX = """
{% extends "base" %}
{% block title %}{% if summary.failed %}{{ summary.failed }} of {{ summary.total }} failed{% else %}{{ summary.total }} passed{% endif %} – {{ title
  }}{% endblock %}
{% block page %}
<header>
<h1>{{ title }}</h1>
{% if source %}
<p class="source">
{% for name, value in source.items() if value != title %}
<span>{{ "Source" if name == "url" else name|capitalize }}: {% if value is weblink %}<a href="{{ value }}"
  rel="noreferrer">{{ value }}</a>{% else %}<code>{{ value[:12] if name == "commit" else value }}</code>{% endif %}</span>
{% endfor %}
</p>
{% endif %}
</header>
<main id="main">
<section class="outcome" aria-label="Outcome">
<p class="said">
{% if not summary.total %}No notebooks were validated
{% elif not summary.failed %}{{ "The notebook" if summary.total == 1 else "All %d notebooks"|format(summary.total) }} succeeded
{% else %}{{ summary.failed }} of {{ summary.total }} notebook{{ "" if summary.total == 1 else "s" }} failed{% endif %}
</p>
{% if summary.total %}
<svg class="bar" viewBox="0 0 {{ summary.total }} 1" preserveAspectRatio="none" role="img"
  aria-label="{{ summary.succeeded }} succeeded, {{ summary.failed }} failed">
<rect class="ko" width="{{ summary.failed }}" height="1"/><rect class="ok" x="{{ summary.failed }}" width="{{ summary.succeeded }}" height="1"/>
</svg>
{% endif %}
<dl class="figures">
<div><dt>Succeeded</dt><dd>{{ summary.succeeded }}</dd></div>
<div><dt>Failed</dt><dd>{{ summary.failed }}</dd></div>
<div><dt>Time in notebooks</dt><dd>{{ summary.duration|duration }}</dd></div>
<div><dt>Verdicts from cache</dt><dd>{{ summary.cached }} <small>of {{ summary.total }}</small></dd></div>
<div><dt>Environments</dt><dd>{{ summary.environments }} <small>{{ summary.environments_cached }} reused</small></dd></div>
<div><dt>Warnings</dt><dd>{{ summary.warnings }}</dd></div>
</dl>
</section>
{% if models %}
<section aria-labelledby="models"><h2 id="models">Models</h2>
<ul class="models">
{% for model in models %}
<li><span class="badge {{ 'failed' if model.status == 'failed' else 'succeeded' }}">{{ model.status|capitalize }}</span> <strong>{{ model.title }}</strong>
<span class="quiet">{{ model.platform }}</span>{% if model.code %} <code>{{ model.code }}</code>{% endif %}
<details{{ " open" if model.status == "failed" else "" }}><summary>{{ model.cause or "Checks" }}</summary>
<ul>{% for name, check in model.checks.as_dict().items() %}<li>{{ name|capitalize }} {{ check.status }}: {{ check.message }}</li>{% endfor %}</ul>
{% if model.advice %}<p>What to do:</p><ul>{% for action in model.advice %}<li>{{ action }}</li>{% endfor %}</ul>{% endif %}
</details></li>
{% endfor %}
</ul></section>
{% endif %}
<form class="filters no-print" id="filters" role="search" aria-label="Which notebooks are shown">
<label class="grow"><span>Filter <span class="keys">(press <kbd>/</kbd>)</span></span><input type="search" name="q" autocomplete="off"
  spellcheck="false" placeholder="path, cause, module"></label>
<label>Status <select name="status"><option value="">All</option><option value="failed">Failed</option><option
  value="succeeded">Succeeded</option></select></label>
<label>Code <select name="code"><option value="">All</option>{% for code, number in summary.by_code.items() %}<option
  value="{{ code }}">{{ code }} ({{ number }})</option>{% endfor %}</select></label>
<label>Tier <select name="tier"><option value="">All</option>{% for tier, number in summary.by_tier.items() %}<option
  value="{{ tier }}">{{ tier }} ({{ number }})</option>{% endfor %}</select></label>
<button type="button" name="clear" hidden>Clear</button>
</form>
<p class="count" id="count" role="status">{{ summary.total }} notebook{{ "" if summary.total == 1 else "s" }}</p>
<table id="notebooks" role="table" aria-label="Notebooks">
<thead role="rowgroup"><tr role="row">
{% for column, label in columns %}
<th role="columnheader" scope="col"{% if column == "time" %} class="number"{% endif %}><button type="button"
  data-column="{{ column }}">{{ label }}</button></th>
{% endfor %}
</tr></thead>
<tbody role="rowgroup">
{% for entry in entries %}
{% set verdict = entry.verdict %}
<tr role="row" data-status="{{ verdict.status }}" data-code="{{ verdict.code or '' }}" data-tier="{{ verdict.tier or '' }}" data-text="{{ entry|words }}">
<td role="cell" data-sort="{{ verdict.status }}"><span class="badge {{ verdict.status }}">{{ verdict.status|capitalize }}</span></td>
<td role="cell" data-sort="{{ verdict.notebook }}"><a class="path" href="{{ entry.page }}">{{ verdict.notebook }}</a>
{% if verdict.cause %}<span class="cause">{{ verdict.cause }}</span>{% endif %}
{% if verdict.warnings %}<span class="cause">{{ verdict.warnings|length }} warning{{ "" if verdict.warnings|length == 1 else "s" }}</span>{% endif %}</td>
<td role="cell" class="fact{{ '' if verdict.code else ' empty' }}" data-label="Code" data-sort="{{ verdict.code or '' }}">{% if
  verdict.code %}<code>{{ verdict.code }}</code>{% endif %}</td>
<td role="cell" class="fact{{ '' if verdict.tier else ' empty' }}" data-label="Tier" data-sort="{{ verdict.tier or '' }}">{{ verdict.tier or "" }}</td>
<td role="cell" class="fact{{ '' if verdict.environment else ' empty' }}" data-label="Environment" data-sort="{{ verdict.environment or '' }}">{% if
  verdict.environment %}<code title="{{ verdict.environment }}">{{ verdict.environment|short }}</code>{% if verdict.environment_cached %} <span
  class="quiet">reused</span>{% endif %}{% endif %}</td>
<td role="cell" class="fact{{ '' if verdict.cached else ' empty' }}" data-label="Cached" data-sort="{{ 'no' if not verdict.cached else 'yes' }}">{% if
  verdict.cached %}<span class="chip">cached</span>{% endif %}</td>
<td role="cell" class="time number" data-sort="{{ verdict.duration }}">{{ verdict.duration|duration }}
{% if longest and verdict.duration %}<svg class="length" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect x="{{ (100 - 100 *
  verdict.duration / longest)|round(1) }}" width="{{ (100 * verdict.duration / longest)|round(1) }}" height="4"/></svg>{% endif %}</td>
</tr>
{% endfor %}
</tbody>
</table>
<p class="none" id="none" hidden>No notebook fits the filter.</p>
</main>
<footer>Made by mlops.notebooks.notebook_report from the verdicts of one validation. Outputs of notebooks are shown without their scripts.</footer>
{% endblock %}
{% block script %}<script>{{ script }}</script>{% endblock %}
"""

NOTEBOOK = """
{% extends "base" %}
{% macro sides(diff) %}
<div class="sides">
<div class="row head"><div>Expected</div><div>Actual</div></div>
{% for row in diff|rows %}
{% if row.kind == "gap" %}<div class="gap">{{ row.left[0] }} equal lines</div>
{% else %}<div class="row {{ row.kind }}">{{ side(row.left, "old") }}{{ side(row.right, "new") }}</div>
{% endif %}
{% endfor %}
</div>
{% endmacro %}
{% macro side(parts, name) %}<div class="{{ name }}{{ '' if parts else ' absent' }}">{% if parts %}{{ parts[0] }}{% if
  parts[1] %}<mark>{{ parts[1] }}</mark>{% endif %}{{ parts[2] }}{% endif %}</div>{% endmacro %}
{% block title %}{{ verdict.status|capitalize }}: {{ verdict.notebook }} – {{ title }}{% endblock %}
{% block page %}
<nav class="back no-print" aria-label="Report"><a href="../index.html"><span aria-hidden="true">←</span> {{ title }}</a></nav>
<main id="main">
<header>
<h1><span class="dir">{{ directory }}</span>{{ name }}</h1>
<p class="said"><span class="badge {{ verdict.status }}">{{ verdict.status|capitalize }}</span>{% if
  verdict.code %} <code>{{ verdict.code }}</code>{% endif %}{% if verdict.cause %} <span>{{ verdict.cause }}</span>{% endif %}</p>
<dl class="facts">
<div><dt>Time</dt><dd>{{ verdict.duration|duration }}</dd></div>
{% if cell_counts %}<div><dt>Code cells</dt><dd>{{ cell_counts }}</dd></div>{% endif %}
{% if verdict.tier %}<div><dt>Requirements from</dt><dd>{{ verdict.tier }}</dd></div>{% endif %}
{% if verdict.environment %}<div><dt>Environment</dt><dd><code title="{{ verdict.environment }}">{{ verdict.environment|short }}</code></dd></div>{% endif %}
{% if verdict.attempts > 1 %}<div><dt>Attempts</dt><dd>{{ verdict.attempts }}</dd></div>{% endif %}
{% if verdict.comparison %}<div><dt>Golden notebook</dt><dd>{{ verdict.comparison.matched_cells }} of {{ verdict.comparison.total_cells
  }} cells match</dd></div>{% endif %}
{% if copy %}<div><dt>Executed notebook</dt><dd><a href="{{ copy }}" download="{{ name }}">download</a></dd></div>{% endif %}
</dl>
</header>
{% if failing %}
<section aria-labelledby="failure"><h2 id="failure">Failed in cell {{ failing.number }}</h2>
<div class="panel broken">
{% if failing.source %}<div class="code">{{ failing.source }}</div>{% endif %}
{% if failing.error %}<div class="outputs"><pre class="text error">{{ failing.error }}</pre></div>{% endif %}
{% if failing.anchor %}<p class="back no-print"><a href="#{{ failing.anchor }}">See it in the notebook</a></p>{% endif %}
</div></section>
{% endif %}
{% if verdict.comparison and verdict.comparison.diffs %}
<section aria-labelledby="golden"><h2 id="golden">Differences from the golden notebook</h2>
<p class="quiet"><code>{{ verdict.comparison.golden }}</code></p>
{% for diff in verdict.comparison.diffs %}
<div class="panel">
<h3>{% if anchors.get(diff.cell) and diff.kind != "missing_cell" %}<a
  href="#{{ anchors.get(diff.cell) }}">Cell {{ diff.cell }}</a>{% else %}Cell {{ diff.cell }}{% endif %}: {{ diff.message }}{% if diff.mime %} <span
  class="chip">{{ diff.mime }}</span>{% endif %}</h3>
{% if diff.expected_image or diff.actual_image %}
<div class="images">
{% for label, image in (("Expected", diff.expected_image), ("Actual", diff.actual_image)) %}
<figure><figcaption>{{ label }}</figcaption>{% if image is base64 %}<img src="data:image/png;base64,{{ image }}"
  alt="{{ label }} image of cell {{ diff.cell }}">{% else %}<span class="quiet">none</span>{% endif %}</figure>
{% endfor %}
</div>
{% elif diff.expected is not none or diff.actual is not none %}
{{ sides(diff) }}
{% elif diff.diff %}<pre class="lines">{{ diff.diff }}</pre>
{% endif %}
</div>
{% endfor %}
</section>
{% endif %}
{% if verdict.advice or verdict.requirements_found %}
<section aria-labelledby="advice"><h2 id="advice">What to do</h2>
<div class="panel">
{% if verdict.advice|length == 1 %}<p class="advice">{{ verdict.advice[0] }}</p>
{% elif verdict.advice %}<ol class="advice">{% for action in verdict.advice %}<li>{{ action }}</li>{% endfor %}</ol>{% endif %}
{% if verdict.requirements_found %}<h3>Requirement lines that the repair found, to be declared</h3><pre
  class="lines">{{ verdict.requirements_found|join("\n") }}</pre>{% endif %}
</div></section>
{% endif %}
{% if verdict.warnings %}
<section aria-labelledby="warnings"><h2 id="warnings">Warnings</h2>
<ul class="warnings">{% for warning in verdict.warnings %}<li>{{ warning }}</li>{% endfor %}</ul></section>
{% endif %}
{% if verdict.requirements %}
<section aria-label="Requirements"><details><summary>Requirements ({{ verdict.requirements|length }})</summary><pre
  class="lines">{{ verdict.requirements|join("\n") }}</pre></details></section>
{% endif %}
<section aria-labelledby="notebook"><h2 id="notebook">Notebook</h2>
{% if not cells %}<p class="quiet">{{ why_empty }}</p>{% endif %}
{% for cell in cells %}
<article class="cell{{ ' broken' if cell.status == 'Failure' else '' }}{{ ' skipped' if cell.status == 'Skipped' else '' }}"{% if cell.anchor %}
  id="{{ cell.anchor }}"{% endif %} aria-label="{{ cell.label }}">
<div class="side">{% if cell.anchor %}<a href="#{{ cell.anchor }}" tabindex="-1">{{ cell.label }}</a>{% else %}<span>{{ cell.label }}</span>{% endif %}
{% if cell.status == "Failure" %}<span class="mark failed">Failed</span>{% elif cell.status == "Skipped" %}<span>not run</span>{% endif %}
{% if cell.duration is not none %}<span>{{ cell.duration|duration }}</span>{% endif %}</div>
<div class="body">
{% if cell.type == "markdown" %}<div class="prose">{{ cell.shown }}</div>
{% else %}<div class="code">{{ cell.shown }}</div><div class="outputs">{% for output in cell.outputs %}{{ output }}{% endfor %}</div>{% endif %}
</div>
</article>
{% endfor %}
{% if left_out %}<p class="note">{{ left_out }} more cells are in the executed notebook: this page has reached its size.</p>{% endif %}
</section>
</main>
<footer class="no-print"><a href="../index.html">Back to {{ title }}</a></footer>
{% endblock %}
"""
