# SPDX-License-Identifier: GPL-3.0-or-later
"""Each policy acts where it should, and leaves a clean notebook alone."""

from __future__ import annotations

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import (
    CellResult,
    InstallFailure,
    RunResult,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution, Unresolved
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.judge import judge
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.policies import Policies

WARNING = "/tmp/ipykernel_12/345.py:1: FutureWarning: use loc\n  df.ix[0]\n"
DESCRIBE = (
    "<table><thead><tr><th></th><th>a</th><th>b</th></tr></thead><tbody><tr><th>count</th><td>1.0</td><td>2</td></tr>"
    "<tr><th>std</th><td>NaN</td><td>0.5</td></tr></tbody></table>"
)


def cell(source: str = "x = 1", plain=None, tags=(), html=None, json=None, stdout="", stderr="", png=False) -> dict:
    outputs = [
        {"output_type": "stream", "name": name, "text": [words]}
        for name, words in (("stdout", stdout), ("stderr", stderr))
        if words
    ]
    data = {"text/plain": plain, "text/html": html, "application/json": json, "image/png": "iVBO" if png else None}
    data = {mime: item for mime, item in data.items() if item is not None}
    if data:
        outputs.append({"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1})
    return {"cell_type": "code", "source": source, "metadata": {"tags": list(tags)}, "outputs": outputs}


CLEAN = (
    {"cell_type": "markdown", "source": "# NaN and Warnings: a story", "metadata": {}},
    cell("import warnings\nimport pandas as pd  # Warning: slow"),
    cell("df.describe()", plain="      a    b\ncount 1 2\nstd NaN 0.5", html=DESCRIBE),
    cell("print('Warning: this is data')", stdout="Warning: this is data\nmax_depth: None\nnan is not a number\n"),
    cell("import numpy as np\nnp.nan", plain="nan"),
    cell("df.plot();", png=True),
    cell("model.fit(X)\nNone"),
    cell("for _ in tqdm(range(3)): pass", stderr="  0%|   | 0/3\r100%|███| 3/3 [00:00<00:00, 90it/s]\n"),
    cell("total", plain="42"),
    cell("# only a comment"),
)


def run(*cells: dict, policies: dict, resolution=None, skipped=(), **fields):
    cells = cells or CLEAN
    status = [
        "Skipped" if index in skipped or item["cell_type"] != "code" else "Success" for index, item in enumerate(cells)
    ]
    results = tuple(CellResult(index, item["cell_type"], status[index]) for index, item in enumerate(cells))
    result = RunResult("id", "n.ipynb", "completed", cells=results, **fields)
    executed = {"cells": list(cells), "metadata": {}}
    return judge(result, executed=executed, policies=Policies.from_options(policies), resolution=resolution)


@pytest.mark.parametrize("policy", ["fail_on_warnings", "fail_on_stderr", "strict", "detect_silent_failures"])
def test_a_clean_notebook_passes_every_policy(policy):
    said = run(policies={policy: True}, resolution=Resolution("n.ipynb", "declared", ("pandas",)))
    assert said.status == "succeeded", said.cause


def test_without_policies_nothing_of_this_fails():
    assert run(cell(stderr=WARNING), cell("score", plain="nan"), policies={}).status == "succeeded"


def test_warnings():
    said = run(cell(), cell(stderr=WARNING), policies={"fail_on_warnings": True})
    assert (said.code, said.category, said.cell) == ("warnings_found", "validation_warning_failure", 1)
    assert "FutureWarning: use loc" in said.cause
    assert run(cell(stderr="<string>:3: DeprecationWarning: old\n"), policies={"fail_on_warnings": True}).code
    for other in ("WARNING:root:logged\n", "[IPKernelApp] WARNING | Kernel is running over TCP\n", "note\n"):
        assert run(cell(stderr=other), policies={"fail_on_warnings": True}).status == "succeeded"


def test_stderr():
    said = run(cell(stderr="\n"), cell(stderr="something is odd\n"), policies={"fail_on_stderr": True})
    assert (said.code, said.category, said.cell) == ("stderr_found", "validation_stderr_failure", 1)
    assert "something is odd" in said.cause
    kernel = "[IPKernelApp] WARNING | Kernel is running over TCP\n0.00s - Debugger warning: It seems\n"
    assert run(cell(stderr=kernel), policies={"fail_on_stderr": True}).status == "succeeded"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"cells": (cell(stderr=WARNING),)}, "FutureWarning"),
        ({"cells": (cell(stderr="odd\n"),)}, "odd"),
        ({"cells": (cell("score", plain="nan"),)}, "nan"),
        ({"cells": (cell("pass"),), "skipped": (0,)}, "never run"),
        ({"cells": (cell("pass", tags=("skip-execution",)),), "skipped": (0,)}, "skip-execution"),
        ({"resolution": Resolution("n", "base", warnings=("No requirement is known.",))}, "No requirement"),
        (
            {"resolution": Resolution("n", "inline", unresolved=(Unresolved("$PKG", "It holds a variable."),))},
            "variable",
        ),
    ],
)
def test_strict(arguments, told):
    said = run(*arguments.pop("cells", ()), policies={"strict": True}, **arguments)
    assert (said.code, said.category) == ("strict_mode_violation", "validation_strict_mode_failure")
    assert told in said.cause


def test_strict_does_not_forgive_an_installation_that_failed_without_need():
    arguments = {"resolution": Resolution("n", "inline", ("pandas",)), "install_failures": (InstallFailure(0, "no"),)}
    install = cell("%pip install pandas")
    assert run(install, policies={}, **arguments).status == "succeeded"
    assert run(install, policies={"strict": True}, **arguments).code == "strict_mode_violation"


def test_a_policy_that_is_set_itself_gives_its_own_code_in_strict_mode():
    assert run(cell(stderr=WARNING), policies={"strict": True, "fail_on_warnings": True}).code == "warnings_found"


@pytest.mark.parametrize(
    "bad",
    [
        cell("df.score.mean()", plain="nan"),
        cell("df.score.mean()", plain="np.float64(nan)"),
        cell("result = compute()\nresult"),
        cell("report.total"),
        cell("%time\nresults['best']"),
        cell("evaluate()", stdout="Accuracy: nan\n"),
        cell("evaluate()", stdout="epoch 1 loss = NaN\n"),
        cell("evaluate()", tags=("assert-value",)),
        cell("evaluate()", plain="{'auc': nan, 'f1': 0.5}", tags=("assert-value",)),
        cell("df", html=DESCRIBE, tags=("assert-value",)),
        cell("evaluate()", stdout="None\n", tags=("assert-value",)),
    ],
)
def test_silent_failures(bad):
    said = run(cell(), bad, policies={"detect_silent_failures": True})
    assert (said.code, said.category, said.cell) == ("silent_failure", "validation_output_failure", 1)


@pytest.mark.parametrize(
    "good",
    [
        cell("df.describe()", html=DESCRIBE, plain="       a    b\nstd  NaN  0.5"),
        cell("s.isna().mean()", plain="nan"),
        cell("float('nan')", plain="nan"),
        cell("print(f'{x}')", stdout="first: nanometre\nbanana: nan-free\n"),
        cell("widget;"),
        cell("%%capture\nresult"),
        cell("!ls", stdout="a\n"),
        cell("!ls"),
        cell("fig", png=True),
        cell("ax.set_title('x')"),
        cell("value", plain="0.5", tags=("assert-value",)),
        cell("print(score)", stdout="0.93\n", tags=("assert-value",)),
        cell("broken syntax here ("),
    ],
)
def test_no_silent_failure_where_there_is_none(good):
    assert run(good, policies={"detect_silent_failures": True}).status == "succeeded"


TABLE = cell("df", html=DESCRIBE + "<p>100 rows × 2 columns</p>", tags=("frame",))
METRICS = cell("show(metrics)", json={"accuracy": 0.93, "labels": ["a", "b"], "matrix": [[5, 1], [0, 4]]})
ARRAY = cell("a", plain="array([[0.5, 1.5],\n       [2. , 3. ]])")
LONG_ARRAY = cell("a", plain="array([0, 1, ..., 998, 999], shape=(1000,))")
PRINTED = cell("print(json.dumps(r))", stdout='{"rows": 12, "ok": true}\n')


@pytest.mark.parametrize(
    ("target", "met", "missed"),
    [
        (cell("x", plain="42"), {"type": "integer"}, {"type": "string"}),
        (cell("x", plain="np.float64(0.5)"), {"type": "float", "min_value": 0.5, "max_value": 0.5}, {"min_value": 0.6}),
        (cell("x", plain="'text'"), {"type": "str", "equals": "text"}, {"equals": "other"}),
        (cell("x", plain="True"), {"type": "bool", "equals": True}, {"equals": 1}),
        (cell("x", stdout="42\n"), {"equals": 42}, {"equals": 41}),
        (cell("x", stdout="all done\n"), {"matches": r"done$"}, {"matches": r"^done"}),
        (cell("x", plain="[1, 2, 3]"), {"shape": [3], "max_value": 3, "equals": [1, 2, 3.0]}, {"shape": "(2,)"}),
        (
            cell("x", plain="{'a': [1.0], 'b': nan}"),
            {"type": "dict", "equals": {"a": [1], "b": None}},
            {"equals": {"a": [1]}},
        ),
        (cell("x", plain="None"), {"type": "null"}, {"not_empty": True}),
        (cell("x"), {"equals": None}, {"not_empty": True}),
        (cell("x", plain="[]"), {"type": "list"}, {"not_empty": True}),
        (cell("x", png=True), {"type": "image", "not_empty": True}, {"type": "image/jpeg"}),
        (cell("x", png=True), {"type": "image/png"}, {"type": "table"}),
        (TABLE, {"type": "DataFrame", "shape": [100, 2], "not_empty": True}, {"shape": [2, 2]}),
        (cell("x", html=DESCRIBE), {"shape": [2, 2]}, {"max_value": 5}),
        (ARRAY, {"type": "array", "shape": "(2, 2)", "min_value": 0.5, "max_value": 3}, {"max_value": 2.9}),
        (LONG_ARRAY, {"shape": [1000]}, {"shape": [999]}),
        (METRICS, {"expression": "value.accuracy > `0.9`"}, {"expression": "value.accuracy > `0.95`"}),
        (METRICS, {"expression": "value.labels", "shape": [2]}, {"expression": "value.missing"}),
        (METRICS, {"expression": "value.matrix", "shape": [2, 2]}, {"expression": "value.accuracy", "max_value": 0.5}),
        (PRINTED, {"expression": "value.rows", "equals": 12}, {"expression": "value.ok", "equals": False}),
        (
            TABLE,
            {"expression": "value[?a > `0.5`].b | [0]", "equals": 2},
            {"expression": "length(value)", "min_value": 3},
        ),
        (TABLE, {"expression": "outputs[0].type", "matches": "execute"}, {"expression": "length(value[0].a)"}),
    ],
)
def test_expected_outputs(target, met, missed):
    said = run(cell(), target, policies={"expected_outputs": [{"cell": 1, **met}]})
    assert said.status == "succeeded", said.cause
    said = run(cell(), target, policies={"expected_outputs": [{"cell": 1, **missed}]})
    assert (said.status, said.code, said.category) == (
        "failed",
        "expected_output_mismatch",
        "validation_output_failure",
    )
    assert said.cell == 1 and "Cell 1" in said.cause


def test_expected_outputs_find_cells_by_tag_and_say_which_is_missing():
    tagged = {"expected_outputs": [{"cell": "frame", "type": "table"}]}
    assert run(cell(), TABLE, policies=tagged).status == "succeeded"
    assert "'frame'" in run(cell(), policies=tagged).cause
    assert "7" in run(cell(), policies={"expected_outputs": [{"cell": 7, "not_empty": True}]}).cause


def test_an_expected_value_that_is_nan_is_a_silent_failure():
    policies = {"detect_silent_failures": True, "expected_outputs": [{"cell": 0, "type": "list"}]}
    assert run(cell("x", plain="[nan, 1.0]"), policies=policies).code == "silent_failure"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"fail_on_warning": True}, "fail_on_warning"),
        ({"strict": "yes"}, "strict"),
        ({"expected_outputs": {"cell": 1}}, "expected_outputs"),
        ({"expected_outputs": ["x"]}, r"expected_outputs\[0\]"),
        (
            {"expected_outputs": [{"cell": 1, "type": "int"}, {"cell": 1, "kind": "x"}]},
            r"expected_outputs\[1\] knows no kind",
        ),
        ({"expected_outputs": [{"cell": -1, "not_empty": True}]}, "cell"),
        ({"expected_outputs": [{"cell": True, "not_empty": True}]}, "cell"),
        ({"expected_outputs": [{"not_empty": True}]}, "cell"),
        ({"expected_outputs": [{"cell": 1}]}, "nothing to check"),
        ({"expected_outputs": [{"cell": 1, "type": "quux"}]}, "quux"),
        ({"expected_outputs": [{"cell": 1, "shape": "wide"}]}, "shape"),
        ({"expected_outputs": [{"cell": 1, "min_value": "low"}]}, "min_value"),
        ({"expected_outputs": [{"cell": 1, "not_empty": "very"}]}, "not_empty"),
        ({"expected_outputs": [{"cell": 1, "matches": "("}]}, r"matches"),
        ({"expected_outputs": [{"cell": 1, "expression": "value.[["}]}, "JMESPath"),
        ({"expected_outputs": [{"cell": 1, "expression": 5}]}, "JMESPath"),
    ],
)
def test_policies_that_cannot_be_meant_are_refused_by_name(options, told):
    with pytest.raises(EngineError, match=told) as caught:
        Policies.from_options(options)
    assert caught.value.code == "invalid_input"
