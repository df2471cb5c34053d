# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of the comparison that hold for all numbers and texts."""

from __future__ import annotations

import math

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.golden.options import GoldenOptions
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.notebook.golden.text import Texts, sort_sets
from hypothesis import example, given, settings
from hypothesis import strategies as st

settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TOLERANCES = st.floats(min_value=0, max_value=10)


@given(NUMBERS, NUMBERS, TOLERANCES, TOLERANCES)
def test_numbers_in_text_are_equal_exactly_within_the_tolerances(a, b, rtol, atol):
    how = Texts(GoldenOptions(rtol=rtol, atol=atol))
    expected = a == b or abs(a - b) <= max(atol, rtol * max(abs(a), abs(b)))
    assert how.equal(f"x = {a!r}, end", f"x = {b!r}, end") == expected
    assert how.equal(f"x = {b!r}, end", f"x = {a!r}, end") == expected


@given(NUMBERS)
def test_by_default_noise_is_no_difference_and_a_change_is_one(a):
    how = Texts()
    noisy, changed = a * (1 + 1e-9), a * 1.001
    if math.isfinite(noisy):
        assert how.equal(repr(a), repr(noisy))
    if abs(changed - a) > 1e-7 and math.isfinite(changed):
        assert not how.equal(repr(a), repr(changed))


@given(st.integers(), st.integers())
def test_whole_numbers_are_the_same_or_not(a, b):
    assert Texts().equal(str(a), str(b)) == (a == b)


@given(st.text())
def test_a_text_equals_itself_after_any_normalisation(words):
    how = Texts()
    assert how.equal(how.normalise(words), how.normalise(words), lines=True)
    assert how._tokens(words, True) is not None


@example({0, "\\"})
@given(st.sets(st.integers() | st.text(max_size=5)))
def test_sets_print_the_same_in_any_order(members):
    one, other = list(members), list(reversed(list(members)))
    shown = ["{" + ", ".join(map(repr, order)) + "}" for order in (one, other)]
    assert sort_sets(shown[0]) == sort_sets(shown[1])
