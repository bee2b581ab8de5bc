"""Tasks at a service: their scripts, how many run at once, and when they are forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tests.services.sales import Sale


class Phase(Enum):
    """The phase of a task, whatever a service calls it."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True)
class Failure:
    """Why a task failed; some services do not say."""

    code: str = "InvalidParameter"
    message: str = "The size is not match"
    shape: str | None = None
    """How the reason is laid out, where a service has several ways; None for the emulator's setting."""


@dataclass(frozen=True)
class Script:
    """The course of a task once it runs: a number of polls and a least number of seconds, then the end."""

    waiting: int = 1
    """Polls that find it waiting."""
    running: int = 1
    """Further polls that find it running."""
    seconds: float = 0
    end: Phase | None = Phase.DONE
    """DONE, FAILED, CANCELED or FORGOTTEN; None: it runs for ever."""
    failure: Failure = field(default_factory=Failure)
    words: tuple[str, ...] = ()
    """The words that the first polls get instead of the service's word for the phase."""
    last_word: str | None = None
    """The word that polls get at the end instead of the service's own: a status outside its vocabulary."""
    delivers: Path | None = None
    """The file that is delivered instead of a clip made to order."""


@dataclass
class Job:
    """A task at the service."""

    id: str
    number: int
    """From 1, in order of creation."""
    sale: Sale
    script: Script
    created: float
    started: float | None = None
    ended: float | None = None
    outcome: Phase | None = None
    polls: int = 0
    """Since it began to run."""
    announced: Phase = Phase.WAITING
    link: str = ""
    """Path and query of the clip at the result host; empty until it was asked for."""

    @property
    def phase(self) -> Phase:
        """The phase now."""
        if self.outcome:
            return self.outcome
        if self.started is None or self.polls < self.script.waiting:
            return Phase.WAITING
        return Phase.RUNNING

    @property
    def word(self) -> str | None:
        """The script's word for the phase, or None."""
        if self.outcome:
            return self.script.last_word
        return self.script.words[self.polls] if self.polls < len(self.script.words) else None

    def due(self, now: float) -> bool:
        """Whether it has come to its end."""
        script = self.script
        return (
            self.started is not None
            and script.end is not None
            and self.polls >= script.waiting + script.running
            and now >= self.started + script.seconds
        )


class Jobs:
    """All tasks of an account. `at_once` of them run, the others wait for their turn."""

    def __init__(
        self, now: Callable[[], float], at_once: int | None, remembered: float | None, changed: Callable[[Job], None]
    ) -> None:
        self._now, self._at_once, self._remembered, self._changed = now, at_once, remembered, changed
        self._jobs: dict[str, Job] = {}

    def all(self) -> list[Job]:
        """In order of creation."""
        return list(self._jobs.values())

    def add(self, id: str, sale: Sale, script: Script) -> Job:
        """A new task, waiting."""
        job = Job(id, len(self._jobs) + 1, sale, script, self._now())
        self._jobs[id] = job
        self.advance()
        return job

    def find(self, id: str) -> Job | None:
        """A task that the service still knows."""
        job = self._jobs.get(id)
        if job is None or (self._remembered is not None and self._now() > job.created + self._remembered):
            return None
        return job

    def poll(self, job: Job) -> tuple[Phase, str | None]:
        """The phase of a task and its script's word for it. Each poll advances the script."""
        self.advance()
        seen = job.phase, job.word
        if job.started is not None and job.outcome is None:
            job.polls += 1
        return seen

    def cancel(self, job: Job) -> bool:
        """End a task that has not begun; False when it has."""
        self.advance()
        if job.phase is not Phase.WAITING:
            return False
        self._end(job, Phase.CANCELED)
        self.advance()
        return True

    def advance(self) -> None:
        """End tasks that are due and start those that there is room for."""
        moved = True
        while moved:
            moved = False
            now = self._now()
            for job in self.all():
                if job.outcome is None and job.due(now):
                    assert job.script.end is not None
                    self._end(job, job.script.end)
                    moved = True
                elif job.started is None and job.outcome is None and self._has_room():
                    job.started = now
                    moved = True
                self._announce(job)

    def _has_room(self) -> bool:
        running = sum(job.started is not None and job.outcome is None for job in self._jobs.values())
        return self._at_once is None or running < self._at_once

    def _end(self, job: Job, outcome: Phase) -> None:
        job.outcome, job.ended = outcome, self._now()
        self._announce(job)

    def _announce(self, job: Job) -> None:
        if job.phase is not job.announced:
            job.announced = job.phase
            self._changed(job)
