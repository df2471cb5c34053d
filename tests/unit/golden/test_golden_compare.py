# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden comparison of notebooks made for one question each."""

from __future__ import annotations

import base64
import io

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.golden.compare import compare
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.golden.options import GoldenOptions
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError


def code(source: str, *outputs: dict, tags: tuple = (), **fields) -> dict:
    return {"cell_type": "code", "source": source, "metadata": {"tags": list(tags)}, "outputs": list(outputs), **fields}


def text(words: str, name: str = "stdout") -> dict:
    return {"output_type": "stream", "name": name, "text": words}


def result(data: dict | str, kind: str = "execute_result") -> dict:
    return {"output_type": kind, "data": {"text/plain": data} if isinstance(data, str) else data, "metadata": {}}


def notebook(*cells: dict) -> dict:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)}


def differences(golden, executed, **options):
    """Compare two outputs, or two notebooks."""
    if "cells" not in golden:
        golden, executed = notebook(code("x", golden)), notebook(code("x", executed))
    return compare(executed, golden, GoldenOptions.from_options(options), golden_name="golden.ipynb").diffs


def picture(shade: int, size: tuple = (20, 10), form: str = "PNG") -> str:
    image = pytest.importorskip("PIL.Image")
    buffer = io.BytesIO()
    image.new("RGB", size, (shade, shade, shade)).save(buffer, form)
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize(
    ("golden", "executed"),
    [
        ("0.1 + 0.2 = 0.30000000000000004", "0.1 + 0.2 = 0.3"),
        ("[ 1.5  2.25]", "[1.5000000001 2.25      ]"),
        ("-1e-17", "1e-17"),
        ("nan and inf", "nan and inf"),
        ("+5 and 007", "5 and 7"),
        ("<a.B object at 0x7f0000000010>", "<a.B object at 0x55d0c0ffee>"),
        ("2024-01-01T00:00:01Z start", "2026-11-21T23:59:59Z start"),
        ("Mon Jan  1 10:00:00 2024", "Sat Nov 21 09:25:03 2026"),
        ("[14:03:22] begin", "[00:12:01] begin"),
        ("saved model_20240101_120000.pkl", "saved model_20261121_092503.pkl"),
        ("at 1700000000.123", "at 1795253103.668936"),
        ("job 3f2b8c0e9d1a4b6c8d7e6f5a4b3c2d1e", "job 00112233445546778899aabbccddeeff"),
        ("/tmp/mlops-notebooks-ab12cd34/1/work/x.csv", "/tmp/mlops-notebooks-zz98yy76/12/work/x.csv"),
        ("/srv/mlops-notebooks-ab1/1/home/tmp/job_ab12cd34/x", "/tmp/job_99zzyyxx/x"),
        ("File /tmp/ipykernel_12/345.py:1", "File /tmp/ipykernel_99/345.py:1"),
        ("{'b', 'a'}", "{'a', 'b'}"),
        ("frozenset({(1, 2), (0, 1)})", "frozenset({(0, 1), (1, 2)})"),
        ("{<A at 0x7f1234567890>, <B at 0x7f1234567891>}", "{<B at 0x7f1234567800>, <A at 0x7f1234567801>}"),
        ("/tmp/tmpab12cd34/data.csv", "/tmp/run-7/tmp/tmpxyz_9876/data.csv"),
        ("  0%|    | 0/3\r 100%|####| 3/3 [00:01<00:00,  2.9it/s]", "100%|####| 3/3 [00:09<00:00, 0.31it/s]"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\r\nb", "a\nb"),
        ("a  b \n\n", "a b"),
    ],
)
def test_what_means_the_same_is_equal(golden, executed):
    assert not differences(text(golden), text(executed))


@pytest.mark.parametrize(
    ("golden", "executed"),
    [
        ("pid 4194303", "pid 4194302"),
        ("took 0.0101 s", "took 0.0113 s"),
        ("0:00:00.010101", "0:00:00.010113"),
        ("pandas 2.1.0", "pandas 2.1.1"),
        ("1000000000", "2222222222"),
        ("0.00005", "0.000049"),
        ("0.1", "nan"),
        ("inf", "-inf"),
        ("{'a': 1, 'b': 2}", "{'a': 2, 'b': 1}"),
        ("{'a', 'b'}", "{'a', 'c'}"),
        ("['a', 'b']", "['b', 'a']"),
        ("0xff", "0xfe"),
        ("id 1700000000", "id 1700000001"),
        ("1700000000.5", "3.5"),
        ("d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf84270"),
        ("/tmp/mlops-notebooks-ab12cd34/1/work/x.csv", "/tmp/mlops-notebooks-ab12cd34/1/work/y.csv"),
        ("/tmp/tmpab12cd34/train.csv", "/tmp/tmpxyz_9876/test.csv"),
        ("commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904", "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4905"),
        ("50%|##  | 5/10 [00:01<00:01, 5it/s]", "100%|####| 10/10 [00:01<00:00, 5it/s]"),
        ("a\nb", "a b"),
        ("ab", "a b"),
        ("x", "x y"),
        ("", "x"),
        ("9" * 5000, "9" * 4999 + "8"),
    ],
)
def test_what_differs_is_found(golden, executed):
    (diff,) = differences(text(golden), text(executed))
    assert diff.kind == "output_mismatch" and diff.mime == "stdout" and diff.cell == 0


def test_given_tolerances_are_true_and_hold_for_whole_numbers_too():
    assert not differences(text("0.00005"), text("0.000049"), atol=1e-5)
    assert not differences(text("n = 100"), text("n = 104"), rtol=0.05)
    assert differences(text("n = 100"), text("n = 106"), rtol=0.05)
    assert differences(text("1.0"), text("1.0000001"), rtol=0, atol=0)


def test_dates_in_data_are_compared_when_the_time_of_the_run_is_known():
    def at(day: str, words: str) -> dict:
        cell = code("df", text(words))
        cell["metadata"]["execution"] = {"iopub.execute_input": f"{day}T10:00:00.000000Z"}
        return notebook(cell)

    assert not differences(at("2026-01-10", "run 2026-01-10"), at("2026-11-21", "run 2026-11-21"))
    assert not differences(at("2026-01-10", "from 2026-01-03"), at("2026-11-21", "from 2026-11-14"))
    assert differences(at("2026-01-10", "0 2020-01-05 3"), at("2026-11-21", "0 2020-01-06 3"))
    assert differences(at("2026-01-10", "2020-01-05 13:00:00"), at("2026-11-21", "2020-01-05 14:00:00"))
    untimed = notebook(code("df", text("born 2020-01-05")))
    assert differences(untimed, at("2026-11-21", "born 2020-01-06"))
    assert not differences(notebook(code("df", text("today 2020-01-05"))), at("2026-11-21", "today 2026-11-21"))
    assert not differences(at("2026-01-10", "t=1768000000"), at("2026-11-21", "t=1795255200"))
    assert not differences(at("2026-01-10", "t=1768000000123"), at("2026-11-21", "t=1795255200456"))
    assert differences(at("2026-01-10", "id 1700000000"), at("2026-11-21", "id 1700000001"))


def test_clocks_and_addresses_count_when_asked():
    assert differences(text("2024-01-01 10:00:00"), text("2024-01-01 10:00:01"), ignore_timestamps=False)
    assert differences(text("at 0x7f0000000010"), text("at 0x7f0000000020"), ignore_addresses=False)


def test_timings_are_ignored_only_when_asked():
    golden = text("CPU times: user 2.1 ms, sys: 0 ns, total: 2.1 ms\nWall time: 1min 2s")
    executed = text("CPU times: user 3 ms, sys: 12 µs, total: 3.01 ms\nWall time: 59.4 s")
    assert differences(golden, executed)
    assert not differences(golden, executed, ignore_timings=True)
    assert differences(text("3 items in 2 s"), text("4 items in 9 s"), ignore_timings=True)


def test_streams_are_joined_and_stderr_is_left_out_by_default():
    golden = notebook(code("x", text("one\ntwo\n"), text("careful", "stderr")))
    executed = notebook(code("x", text("one\n"), text("other", "stderr"), text("two\n")))
    assert not differences(golden, executed)
    (diff,) = differences(golden, executed, ignore_outputs=[])
    assert diff.mime == "stderr" and "careful" in diff.diff and "other" in diff.diff


def test_all_mime_data_are_compared_and_chosen_ones_left_out():
    golden = result({"text/plain": "1", "text/html": "<b>1</b>"}, "display_data")
    executed = result({"text/plain": "1", "text/html": "<b>2</b>", "text/latex": "$1$"}, "display_data")
    assert {(diff.kind, diff.mime) for diff in differences(golden, executed)} == {
        ("output_mismatch", "text/html"),
        ("extra_output", "text/latex"),
    }
    assert {diff.kind for diff in differences(golden=executed, executed=golden)} == {
        "output_mismatch",
        "missing_output",
    }
    assert not differences(golden, executed, ignore_outputs=["text/html", "text/latex"])
    assert not differences(golden, executed, ignore_outputs="display_data")


def test_a_missing_and_an_extra_output_are_named():
    one, two = result("1", "display_data"), result("2")
    (missing,) = differences(notebook(code("x", one, two)), notebook(code("x", one)))
    assert missing.kind == "missing_output" and missing.expected == "2"
    (extra,) = differences(notebook(code("x")), notebook(code("x", text("news"), one)))[1:]
    assert extra.kind == "extra_output" and extra.actual == "1"


def test_errors_are_compared_without_their_traceback():
    def error(value: str, trace: str) -> dict:
        return {"output_type": "error", "ename": "ValueError", "evalue": value, "traceback": [trace]}

    assert not differences(error("bad 1", "line 3"), error("bad 1", "line 4"))
    assert differences(error("bad 1", "line 3"), error("bad 2", "line 3"))


def test_html_tables_hold_noise_and_random_ids_but_not_other_values():
    def table(number: str, style: str) -> dict:
        return result(
            {"text/html": f'<table id="T_{style}"><tr><td id="T_{style}_row0">{number}</td><td>kept</td></tr></table>'}
        )

    assert not differences(table("0.30000000000000004", "ab12f"), table("0.3", "99c0e"))
    (diff,) = differences(table("0.5", "ab12f"), table("0.6", "99c0e"))
    assert "-0.5 | kept" in diff.diff and "+0.6 | kept" in diff.diff, "the difference is shown as text, not as markup"


def test_json_is_compared_by_structure():
    def data(value) -> dict:
        return result({"application/json": value})

    assert not differences(data({"a": [0.1, "x"], "b": None}), data({"b": None, "a": [0.1000000001, "x"]}))
    for value in ({"a": [0.1]}, {"a": [0.2, "x"]}, {"a": [0.1, "y"]}, {"a": [True, "x"]}, {"a": [0.1, "x"], "b": 1}):
        assert (
            "application/json differs at $.a" in differences(data({"a": [0.1, "x"]}), data(value))[0].message
            or "b" in value
        )
    (diff,) = differences(data({"a": {"deep": [1, 2]}}), data({"a": {"deep": [1, 3]}}))
    assert diff.message.startswith("application/json differs at $.a.deep[1]")
    assert differences(data([True]), data([1]))


def test_images_are_compared_by_pixels():
    def image(data: str, mime: str = "image/png") -> dict:
        return result({mime: data}, "display_data")

    assert not differences(image(picture(100)), image(picture(101))), "a shade of 1/255 is below one per cent"
    (diff,) = differences(image(picture(100)), image(picture(110)))
    assert diff.expected_image and diff.actual_image and "3.9%" in diff.message
    assert not differences(image(picture(100)), image(picture(110)), image_tolerance=0.05)
    assert "40 x 10" in differences(image(picture(100)), image(picture(100, (40, 10))))[0].message
    (jpeg,) = differences(*(image(picture(shade, form="JPEG"), "image/jpeg") for shade in (10, 200)))
    assert base64.b64decode(jpeg.actual_image).startswith(b"\x89PNG")
    assert (
        "cannot be decoded" in differences(image(picture(1)), image(base64.b64encode(b"no image").decode()))[0].message
    )
    assert "base64" in differences(image(picture(1)), image("%%%"))[0].message


def test_without_pillow_only_the_same_bytes_are_equal(monkeypatch):
    one, other = picture(100), picture(101)
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    assert not differences(result({"image/png": one}), result({"image/png": one + "\n"}))
    assert "install Pillow" in differences(result({"image/png": one}), result({"image/png": other}))[0].message


def test_one_more_cell_does_not_flag_those_after_it():
    cells = [code(f"step({number})", text(str(number))) for number in range(5)]
    new = code("print('new')", text("new"))
    (extra,) = differences(notebook(*cells), notebook(*cells[:2], new, *cells[2:]))
    assert (extra.kind, extra.cell, extra.actual) == ("extra_cell", 2, "print('new')")
    (missing,) = differences(notebook(*cells[:2], new, *cells[2:]), notebook(*cells))
    assert (missing.kind, missing.cell) == ("missing_cell", 2)


def test_an_edited_cell_is_compared_with_what_it_was():
    golden = notebook(code("a = 1\nprint(a)", text("1")), code("gone()", text("x")), code("last", text("9")))
    executed = notebook(code("a = 2\nprint(a)", text("2")), code("last", text("9")))
    assert [(diff.kind, diff.cell) for diff in differences(golden, executed)] == [
        ("output_mismatch", 0),
        ("missing_cell", 1),
    ]
    comparison = compare(executed, golden, golden_name="g.ipynb")
    assert (comparison.total_cells, comparison.matched_cells, comparison.mismatched_cells) == (3, 1, 2)
    swapped = notebook(code("new_thing(42)"), *executed["cells"])
    assert {diff.kind for diff in differences(executed, swapped)} == {"extra_cell"}


def test_the_source_counts_only_when_asked():
    golden, executed = notebook(code("a", text("1"))), notebook(code("b", text("1")))
    assert not differences(golden, executed)
    assert [diff.kind for diff in differences(golden, executed, compare_source=True)] == ["source_mismatch"]
    prose = [notebook({"cell_type": "markdown", "source": words, "metadata": {}}) for words in ("Hello", "Bye")]
    assert not differences(*prose) and differences(*prose, compare_source=True)


def test_execution_counts_count_only_when_asked():
    golden, executed = (notebook(code("x", result("1"), execution_count=number)) for number in (1, 7))
    assert not differences(golden, executed)
    (diff,) = differences(golden, executed, ignore_execution_count=False)
    assert (diff.mime, diff.expected, diff.actual) == ("execution_count", "1", "7")


def test_injected_cells_stand_outside_and_indices_are_those_of_the_source():
    parameters = code("alpha = 1", text("noise"), tags=("injected-parameters",))
    marked = [code("a", text("1")), code("b", text("2"))]
    for index, cell in enumerate(marked):
        cell["metadata"]["mlops_notebooks"] = {"source_index": index + 4}
    golden = notebook(code("a", text("1")), code("b", text("3")))
    (diff,) = differences(golden, notebook(parameters, *marked))
    assert diff.cell == 5
    (diff,) = differences(golden, notebook(parameters, code("a", text("1")), code("b", text("2"))))
    assert diff.cell == 1


@pytest.mark.parametrize(
    "cell",
    [
        {"tags": ("golden-skip",)},
        {"tags": ("nbval-ignore-output",)},
        {"source": "# NBVAL_IGNORE_OUTPUT\nx"},
        {"tags": ("golden-rtol=0.5",)},
        {"tags": ("golden-atol=1",)},
        {"tags": ("golden-ignore=stdout",)},
    ],
)
def test_a_cell_says_itself_what_counts(cell):
    source, tags = cell.get("source", "x"), cell.get("tags", ())
    golden, executed = (
        notebook(code(source, text(number), tags=tags), code("y", text(number))) for number in ("1.0", "1.4")
    )
    assert [diff.cell for diff in differences(golden, executed)] == [1]
    assert [
        diff.cell for diff in differences(notebook(code(source, text("1.0")), code("y", text("1.0"))), executed)
    ] == [1]


@pytest.mark.parametrize("tag", ["golden-rtol=much", "golden-atol=-1", "golden-rtol=nan", "golden-ignore=colours"])
def test_a_tag_that_says_nothing_is_an_input_error_naming_the_cell(tag):
    cell = notebook(code("x", text("1"), tags=(tag,)))
    with pytest.raises(EngineError, match="cell 0"):
        compare(cell, cell)


def test_patterns_are_applied_to_both_sides():
    pattern = {"pattern": r"job-(\w+)", "replacement": r"job"}
    assert not differences(text("job-a1 done"), text("job-b2 done"), patterns=[pattern])
    assert not differences(
        result({"text/html": "<i>id=77</i>"}), result({"text/html": "<i>id=78</i>"}), patterns=r"id=\d+"
    )
    assert differences(text("job-a1 done"), text("job-b2 failed"), patterns=[pattern])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"patterns": ["(unclosed"]}, r"\(unclosed"),
        ({"patterns": [{"pattern": "a", "replacement": r"\9"}]}, "replacement"),
        ({"patterns": [{"pattern": "a", "with": "b"}]}, "with"),
        ({"patterns": [7]}, "7"),
        ({"patterns": 7}, "list"),
        ({"patterns": [""]}, "patterns"),
        ({"rtol": "wide"}, "rtol"),
        ({"atol": -1}, "atol"),
        ({"image_tolerance": True}, "image_tolerance"),
        ({"ignore_outputs": ["pictures"]}, "pictures"),
        ({"ignore_timestamps": "yes"}, "ignore_timestamps"),
        ({"tolerance": 1}, "tolerance"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_by_name(options, told):
    with pytest.raises(EngineError, match=told) as caught:
        GoldenOptions.from_options(options)
    assert caught.value.code == "invalid_input"


def test_a_pattern_that_never_ends_is_an_input_error(monkeypatch):
    module = __import__(substitute_module(), fromlist=["TIMEOUT"])
    with pytest.raises(EngineError, match=r"\(a\+\)\+\$.*backtracks"):
        module.substitute([("ok", "fine"), ("(a+)+$", "x")], ["a" * 60 + "b"], timeout=1.0)


def substitute_module() -> str:
    return f"{GoldenOptions.__module__.rpartition('.')[0]}.patterns"


def test_a_golden_notebook_of_another_format_is_refused():
    with pytest.raises(EngineError, match="old.ipynb"):
        compare(notebook(), {"worksheets": []}, golden_name="old.ipynb")


def test_the_difference_is_readable():
    golden = text("\n".join([f"step {number}: {number / 7:.15f}" for number in range(30)]))
    executed = text("\n".join([f"step {number}: {number / 7 + (number == 9) + 1e-12:.15f}" for number in range(30)]))
    (diff,) = differences(golden, executed)
    changed = [line for line in diff.diff.splitlines()[2:] if line[0] in "+-"]
    assert len(changed) == 2 and changed[0].startswith("-step 9"), "lines equal within the tolerance are no difference"
    assert "step 9: 1.28" in diff.message and "step 9: 2.28" in diff.message
    (long,) = differences(text("\n".join("ab" * 500)), text("\n".join("cd" * 500)))
    assert len(long.diff.splitlines()) < 80 and len(long.expected) < 2100


def test_large_outputs_are_compared_whole_and_shown_short():
    blob = "/".join(["iVBORw0KGgoAAAANSUhEUgAAAiwAAAGdCAYAAAAxCSikAAAAOnRFWHRT-+."] * 8000)
    assert not differences(text(blob + " 0.1"), text(blob + " 0.10000000001"))
    (diff,) = differences(text(blob), text(blob[:-1]))
    assert len(diff.diff) < 1000
    lines = "\n".join(["the same line"] * 20_000)
    (diff,) = differences(text(f"{lines}\na"), text(f"{lines}\nb"))
    assert "-a" in diff.diff and "+b" in diff.diff and len(diff.diff.splitlines()) < 10
