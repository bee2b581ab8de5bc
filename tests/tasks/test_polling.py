"""Polls of a task: a finished clip is noticed soon, and the service is not polled too often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.tasks.polling import LONGEST_PAUSE, SHORTEST_PAUSE, PastDurations, next_poll
from storyreel.tasks.providers import load


def polls(until: float, floor: float, before: PastDurations | None, pace: float | None = None) -> list[float]:
    """The times of all polls up to the one that finds a clip after `until` seconds."""
    times = [0.0]
    while times[-1] < until:
        times.append(times[-1] + next_poll(times[-1], floor, before, pace))
    return times[1:]


@given(took=st.floats(0.1, 30), floor=st.floats(0.1, SHORTEST_PAUSE))
def test_a_short_job_is_noticed_within_three_seconds(took: float, floor: float) -> None:
    assert polls(took, floor, None)[-1] - took <= SHORTEST_PAUSE + 1e-6


@given(took=st.floats(30, 600), floor=st.floats(0.1, SHORTEST_PAUSE))
def test_a_long_job_is_noticed_within_a_tenth_of_its_time(took: float, floor: float) -> None:
    assert polls(took, floor, None)[-1] - took <= took * 0.1 + 1e-6


@given(took=st.floats(10, 600), fastest=st.floats(1, 600), floor=st.floats(0.1, SHORTEST_PAUSE))
def test_known_durations_save_polls_and_never_cost_time(took: float, fastest: float, floor: float) -> None:
    took = max(took, fastest * 0.5 + SHORTEST_PAUSE)
    before = PastDurations(fastest=fastest, median=fastest * 1.2)
    plain, knowing = polls(took, floor, None), polls(took, floor, before)
    assert len(knowing) <= len(plain)
    assert knowing[-1] - took <= max(SHORTEST_PAUSE, took * 0.1) + 1e-6


@given(elapsed=st.floats(0, 1e5), floor=st.floats(0.1, 60), fastest=st.floats(0.1, 1e4))
def test_no_pause_is_below_the_minimum_of_the_service(elapsed: float, floor: float, fastest: float) -> None:
    assert next_poll(elapsed, floor, PastDurations(fastest=fastest, median=fastest)) >= floor
    assert next_poll(elapsed, floor, None) <= max(floor, LONGEST_PAUSE)


def test_a_job_of_nine_minutes_is_polled_less_than_fifty_times() -> None:
    assert len(polls(540, 3, None)) < 50
    assert len(polls(540, 3, PastDurations(fastest=500, median=520))) < 15


@given(took=st.floats(0.1, 600), floor=st.floats(0.1, SHORTEST_PAUSE), pace=st.floats(1, 120))
def test_a_services_own_pace_never_costs_time(took: float, floor: float, pace: float) -> None:
    assert polls(took, floor, None, pace)[-1] - took <= max(SHORTEST_PAUSE, took * 0.1) + 1e-6


@given(elapsed=st.floats(0, 1e5), floor=st.floats(0.1, SHORTEST_PAUSE), pace=st.floats(SHORTEST_PAUSE, LONGEST_PAUSE))
def test_an_unknown_model_is_polled_at_least_as_often_as_the_service_advises(
    elapsed: float, floor: float, pace: float
) -> None:
    assert next_poll(elapsed, floor, None, pace) <= pace
    known = PastDurations(fastest=1, median=2)
    assert next_poll(elapsed, floor, known, pace) == next_poll(elapsed, floor, known)


@pytest.mark.parametrize("name", ["aimlapi", "apiyi", "dashscope", "freepik"])
def test_no_service_advises_a_pause_below_its_minimum(name: str) -> None:
    service = load(name)
    assert service.advised_poll_seconds is None or service.advised_poll_seconds >= service.min_poll_seconds
