"""Durations and rates are exact, and sums of them never drift."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.timing import SAMPLE_RATE, Duration, FrameRate

RATES = [12, 15, 16, 23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60]
rates = st.sampled_from([FrameRate.parse(rate) for rate in RATES])
frames = st.integers(0, 10_000_000)


@pytest.mark.parametrize(
    ("written", "rate", "expected"),
    [
        ("4s", 24, 96),
        ("1.5s", 24, 36),
        ("800ms", 25, 20),
        ("96f", 60, 96),
        ("00:00:04:00", 24, 96),
        ("00:00:10:00", 23.976, 240),
        ("10s", 23.976, 240),
        ("100s", 23.976, 2398),
        ("01:00:00:00", 29.97, 108_000),
        ("0.5s", 25, 13),
        ("0.02s", 25, 1),
        ("0.019999s", 25, 0),
    ],
)
def test_a_duration_is_so_many_frames(written: str, rate: float, expected: int) -> None:
    assert Duration(written).frames(FrameRate.parse(rate)) == expected


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("4", "needs a unit"),
        ("4 s", "not a duration"),
        ("", "not a duration"),
        ("-1s", "not a duration"),
        ("1e3s", "not a duration"),
        ("1.5f", "frames are whole"),
        ("1:30", "not a duration"),
        ("00:60:00:00", "not a duration"),
        ("24:00:00:00", "not a duration"),
        ("00:00:04;00", "drop-frame"),
        ("10000s", "at most 9999s"),
        ("1.0000001s", "at most 9999s"),
        ("٤s", "not a duration"),
        ("4s\n", "not a duration"),
    ],
)
def test_what_is_not_a_duration_is_refused_with_the_reason(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Duration(written)


@given(rates, st.integers(0, 86_399), st.data())
def test_timecode_and_frames_are_one_thing(rate: FrameRate, seconds: int, data: st.DataObject) -> None:
    frame = seconds * rate.nominal + data.draw(st.integers(0, rate.nominal - 1))
    assert Duration(rate.timecode(frame)).frames(rate) == frame


@given(rates)
def test_a_frame_that_a_second_does_not_have_is_named(rate: FrameRate) -> None:
    if rate.nominal < 60:
        with pytest.raises(ValueError, match=f"names frame {rate.nominal}"):
            Duration(f"00:00:01:{rate.nominal}").frames(rate)


@given(rates, frames)
def test_frames_to_seconds_and_back_is_the_same(rate: FrameRate, count: int) -> None:
    assert rate.nearest_frames(rate.seconds(count)) == count
    assert Duration(f"{count % 1_000_000}f").frames(rate) == count % 1_000_000


@given(rates, st.fractions(0, 10_000, max_denominator=10**6))
def test_seconds_become_the_nearest_frame_and_a_half_counts_up(rate: FrameRate, seconds: Fraction) -> None:
    assert rate.nearest_frames(seconds) == math.floor(seconds * rate.exact + Fraction(1, 2))


@given(rates, st.decimals(0, 9999, places=3))
def test_seconds_go_to_the_nearest_frame(rate: FrameRate, seconds: object) -> None:
    exact = Fraction(str(seconds)) * rate.exact
    assert abs(Duration(f"{seconds}s").frames(rate) - exact) <= Fraction(1, 2)


@given(rates, st.lists(st.integers(1, 10_000), min_size=1, max_size=200))
def test_a_sum_of_lengths_never_drifts(rate: FrameRate, lengths: list[int]) -> None:
    assert sum(rate.seconds(length) for length in lengths) == rate.seconds(sum(lengths))


@given(rates, frames, frames)
def test_sample_positions_never_drift(rate: FrameRate, frame: int, later: int) -> None:
    exact = frame * SAMPLE_RATE / rate.exact
    assert abs(rate.sample_at(frame) - exact) <= Fraction(1, 2)
    assert (rate.sample_at(frame) < rate.sample_at(later)) == (frame < later)


@given(rates, frames)
def test_timecode_counts_nominal_seconds(rate: FrameRate, frame: int) -> None:
    hours, minutes, seconds, rest = map(int, rate.timecode(frame).split(":"))
    assert ((hours * 60 + minutes) * 60 + seconds) * rate.nominal + rest == frame
    assert minutes < 60 and seconds < 60 and rest < rate.nominal


@pytest.mark.parametrize("rate", RATES)
def test_a_rate_is_read_as_it_is_written(rate: float) -> None:
    found = FrameRate.parse(rate)
    assert FrameRate.parse(str(found)) == FrameRate.parse(str(rate)) == FrameRate.parse(str(found.exact)) == found
    assert abs(found.exact - Fraction(rate)) < Fraction(1, 100)


@pytest.mark.parametrize("rate", [0, -24, 31, 23.98, "ntsc", "", True, None, 1e300, [24], "30000/1000"])
def test_other_rates_are_refused(rate: object) -> None:
    with pytest.raises(ValueError, match="not a frame rate"):
        FrameRate.parse(rate)


def test_a_rate_that_film_does_not_use_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a frame rate"):
        FrameRate(Fraction(17))
