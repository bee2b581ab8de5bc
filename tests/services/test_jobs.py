"""Tasks follow their scripts, wait for their turn, and are forgotten."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from storyreel.testing.wire import HttpRequest
from tests.services.jobs import Job, Jobs, Phase, Script
from tests.services.sales import Sale, ordered

ORDER = ordered(model="m", prompt="p", seconds=5, resolution="720p", ratio="16:9")
SALE = Sale("id", ORDER, {}, HttpRequest("POST", "/", (), {}, b"", 0, "/"))


class Time:
    """A time that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def jobs(
    time: Time,
    *,
    at_once: int | None = None,
    remembered: float | None = None,
    changed: Callable[[Job], None] = lambda job: None,
) -> Jobs:
    return Jobs(time, at_once, remembered, changed)


@given(waiting=st.integers(0, 4), running=st.integers(0, 4), end=st.sampled_from([Phase.DONE, Phase.FAILED]))
def test_polls_find_a_task_waiting_then_running_then_ended(waiting: int, running: int, end: Phase) -> None:
    book = jobs(Time())
    job = book.add("a", SALE, Script(waiting=waiting, running=running, end=end))
    seen = [book.poll(job)[0] for _ in range(waiting + running + 2)]
    assert seen == [Phase.WAITING] * waiting + [Phase.RUNNING] * running + [end] * 2


@given(at_once=st.integers(1, 4), count=st.integers(0, 8))
def test_the_number_of_running_tasks_is_limited(at_once: int, count: int) -> None:
    book = jobs(Time(), at_once=at_once)
    all_jobs = [book.add(str(number), SALE, Script(waiting=0, running=1)) for number in range(count)]
    rounds = 0
    while not all(job.outcome for job in all_jobs):
        assert sum(job.phase is Phase.RUNNING for job in all_jobs) <= at_once
        for job in all_jobs:
            book.poll(job)
        book.advance()
        rounds += 1
        assert rounds <= count
    assert [job.outcome for job in all_jobs] == [Phase.DONE] * count


def test_a_script_by_time_ends_without_a_poll() -> None:
    time, seen = Time(), []
    book = jobs(time, changed=lambda job: seen.append(job.phase))
    job = book.add("a", SALE, Script(waiting=0, running=0, seconds=10))
    time.now += 9.9
    book.advance()
    assert job.outcome is None
    time.now += 0.2
    book.advance()
    assert seen == [Phase.RUNNING, Phase.DONE]


def test_a_script_without_end_runs_for_ever() -> None:
    book = jobs(Time())
    job = book.add("a", SALE, Script(end=None))
    assert {book.poll(job)[0] for _ in range(50)} == {Phase.WAITING, Phase.RUNNING}


def test_scripted_words_replace_those_of_the_service() -> None:
    book = jobs(Time())
    job = book.add("a", SALE, Script(waiting=1, running=1, words=("waiting", "active"), last_word="archived"))
    assert [book.poll(job)[1] for _ in range(3)] == ["waiting", "active", "archived"]


def test_only_a_task_that_has_not_begun_can_be_cancelled() -> None:
    book = jobs(Time(), at_once=1)
    first = book.add("a", SALE, Script(waiting=0, running=5))
    second = book.add("b", SALE, Script())
    assert not book.cancel(first)
    assert book.cancel(second)
    assert second.outcome is Phase.CANCELED


def test_an_id_is_forgotten_after_its_time() -> None:
    time = Time()
    book = jobs(time, remembered=100)
    book.add("a", SALE, Script())
    time.now += 100
    assert book.find("a") is not None
    time.now += 1
    assert book.find("a") is None
