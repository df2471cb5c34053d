# SPDX-License-Identifier: GPL-3.0-or-later
"""Every line of a log once, for any order of stamps, any cuts and a rotation, against a model of the kubelet's reading."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.repeats import Repeats
from hypothesis import given
from hypothesis import strategies as st

BEGIN = datetime(2026, 1, 1, 23, 59, 58, tzinfo=timezone.utc)
TEXTS = st.sampled_from(["one", "two", "", "2026-01-01T00:00:00Z in the text"])
# Tenths of a second, so that many lines share a stamp, and a step by which a stamp differs from the one before.
STEPS = st.one_of(st.integers(-9, 10), st.just(0))
CUTS = st.lists(st.integers(0, 40), max_size=6)


def stamped(tenths: int, text: str, zone: timezone = timezone.utc) -> tuple[datetime, bytes]:
    """A line as Go writes it: no zeros at the end of the fraction."""
    moment = (BEGIN + timedelta(seconds=tenths / 10)).astimezone(zone)
    fraction = f"{moment:.%f}".rstrip("0").rstrip(".")
    offset = "Z" if zone is timezone.utc else f"{moment:%z}"[:3] + ":" + f"{moment:%z}"[3:]
    return moment, f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{offset} {text}".encode()


def served(file: list, since: str | None) -> list[bytes]:
    """What the kubelet gives: of the whole file, each line that is not older."""
    if since is None:
        return [line for _moment, line in file]
    asked = datetime.fromisoformat(since.replace("Z", "+00:00"))
    return [line for moment, line in file if moment >= asked]


def read(repeats: Repeats, lines: list[bytes]) -> list[str]:
    return [text.decode() for line in lines if (text := repeats.fresh(line)) is not None]


@st.composite
def logs(draw):
    """Lines whose stamps go back by less than a second, as those of two streams do."""
    zone = draw(st.sampled_from([timezone.utc, timezone(timedelta(hours=-3, minutes=-30))]))
    newest, lines = 0, []
    for step, text in draw(st.lists(st.tuples(STEPS, TEXTS), max_size=40)):
        lines.append(stamped(newest + step, text, zone))
        newest = max(newest, newest + step)
    return lines


@given(logs(), CUTS)
def test_each_line_comes_once_whatever_the_stamps_and_cuts(file, cuts):
    repeats, got = Repeats(), []
    for cut in cuts:
        got += read(repeats, served(file, repeats.again())[:cut])
    got += read(repeats, served(file, repeats.again()))
    assert got == [line.partition(b" ")[2].decode() for _moment, line in file]


@given(st.lists(st.integers(1, 7), min_size=1, max_size=40), st.data())
def test_after_a_rotation_what_is_there_comes_once(steps, data):
    file = [stamped(sum(steps[: number + 1]), f"line {number}") for number in range(len(steps))]
    repeats, expected, begin = Repeats(), [], 0
    got = read(repeats, served(file, repeats.again())[: data.draw(st.integers(0, len(file)))])
    expected, seen = list(got), len(got)
    for _reading in range(3):
        begin = data.draw(st.integers(begin, len(file)))
        # The file grows: what is read ends anywhere.
        end = data.draw(st.integers(max(begin, seen), len(file)))
        got += read(repeats, served(file[begin:end], repeats.again()))
        expected += [f"line {number}" for number in range(max(begin, seen), end)]
        seen = max(seen, end)
    assert got == expected


def test_after_a_clock_was_set_back_by_much_the_new_lines_come():
    file = [stamped(10_000, "before"), stamped(10, "after"), stamped(11, "later"), stamped(10_000, "again")]
    for cut in (2, 3):
        repeats = Repeats()
        got = read(repeats, served(file[:cut], repeats.again()))
        assert [*got, *read(repeats, served(file, repeats.again()))] == ["before", "after", "later", "again"]


def test_a_log_without_stamps_is_told_by_its_lines():
    file, repeats = [(BEGIN, b"one"), (BEGIN, b"two"), (BEGIN, b"two"), (BEGIN, b"two")], Repeats()
    got = read(repeats, served(file[:3], repeats.again()))
    assert got + read(repeats, served(file, repeats.again())) == ["one", "two", "two", "two"]


def test_the_end_of_a_line_whose_begin_is_left_out_is_no_line_of_its_own():
    repeats = Repeats()
    read(
        repeats,
        served([stamped(0, "a line longer than the runtime writes at once"), stamped(30, "x")], repeats.again()),
    )
    again = [b"the runtime writes at once", *served([stamped(30, "x"), stamped(31, "y")], repeats.again())]
    assert read(repeats, again) == ["y"]


def test_another_container_that_takes_the_place_is_new_from_its_first_line():
    repeats = Repeats()
    read(repeats, served([stamped(0, "one"), stamped(1, "two"), stamped(2, "three")], repeats.again()))
    assert read(repeats, served([stamped(3, "one"), stamped(4, "two")], repeats.again())) == ["one", "two"]
