"""A run as Prefect's pages show it: states that pass, a board that grows, events. It watches and never takes part."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from prefect import get_run_logger

from storyreel.flows.monitoring import board, events
from storyreel.flows.monitoring.artifacts import Pages
from storyreel.flows.monitoring.task_states import States
from storyreel.flows.names import slug
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.production.report import CONTACT_SHEET, Rendering
from storyreel.flows.production.takes import Shooting
from storyreel.specs.money import Money
from storyreel.tasks.ledger.errors import LedgerError
from storyreel.tasks.ledger.ledger import Ledger
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.frames import thumbnail
from storyreel.tasks.progress import StageReport, listening

_TICK = 0.5
"""Seconds between two looks whether a state is to be told."""
_PAUSE = 3.0
"""Seconds between two updates of the artifacts, at least."""
_SHARE = 20
"""Times as long as an update took, the next one is waited for: they take a twentieth of the time at most."""
_PICTURES = 12
"""Drawn for one update, so that none takes long."""
_LAST_WORD = 15.0
"""Seconds that the last update may take; a run that was stopped has only the next:"""
_STOPPED_WORD = 1.0


class Observation:
    """What is seen of one run."""

    def __init__(self, plan: Plan, shooting: Shooting, ledger: Ledger, part: str) -> None:
        self._plan, self._shooting, self._ledger = plan, shooting, ledger
        self._takes = {(take.shot, take.take): take for take in plan.takes}
        self._rows = {
            name: board.Row(
                take=take, service=take.request.provider, stage="cached" if take.state == "cached" else None
            )
            for name, take in self._takes.items()
        }
        name = "-".join(filter(None, ("storyreel", slug(plan.title), part and slug(part))))
        self._pages = Pages(name, f"{plan.title} {part}".strip())
        self._width, self._room = board.picture_width(len(plan.takes)), board.ROOM
        self._unseen: list[tuple[str, int]] = []
        """Takes that are there and have no picture yet."""
        self._has_changed = True

    def see(self, sighting: StageReport) -> None:
        """Take in a sighting."""
        name = (sighting.slate, sighting.take)
        row = self._rows.get(name)
        if row is None or (row.stage, row.detail) == (sighting.stage, sighting.detail):
            return
        change = {"stage": sighting.stage, "detail": sighting.detail}
        match sighting.stage:
            case "done":
                row = self._finished(row, row.take)
                change = {"stage": "cached" if row.take.state == "cached" else "done", "detail": sighting.detail}
            case "failed" | "unknown":
                events.shot_stopped(self._plan.title, row.take, sighting.stage, sighting.detail)
        self._rows[name] = row.model_copy(update=change)
        self._has_changed = True

    async def keep(self, states: States, over: asyncio.Event) -> None:
        """Keep Prefect's pages up to date until it is over."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_keep_telling(states, over))
            group.create_task(self._keep_pages(over))

    async def last_word(self, patience: float) -> None:
        """Bring the pages to where the run has come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience / 2):
                await self._draw_pictures(len(self._unseen))
        with suppress(TimeoutError):
            async with asyncio.timeout(patience / 2):
                await self._update()

    async def finished(self, made: Rendering, folder: Path) -> None:
        """The film is there: its contact sheet, which lies in `folder`, its manifest, what it cost, where it is."""
        places = {event.shot: self._plan.cut.rate.timecode(event.start) for event in self._plan.cut.events}
        events.sequence_finished(self._plan.title, made)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORD):
                page = await asyncio.to_thread(board.sequence, made, folder / CONTACT_SHEET)
                await self._pages.markdown("sequence", page, "the sequence and its contact sheet")
                await self._pages.table("manifest", board.manifest(made, places), "how each take was made")
                await self._pages.table("spend", board.spend(made), "what this run cost, by service")
                if board.is_address(str(made.sequence)):
                    await self._pages.link("film", str(made.sequence), "the sequence")

    def _finished(self, row: board.Row, take: PlannedTake) -> board.Row:
        """A take that is there; told to the world if it was made in this run."""
        made = self._shooting.so_far(take)
        if made is None:
            return row
        self._unseen.append((take.shot, take.take))
        if take.state == "cached":
            return row.model_copy(update={"service": made.way.request.provider})
        told = None if made.way.is_free else self._told(made.way.key)
        is_estimate = told is None and not made.way.is_free
        cost = told or made.way.price
        events.shot_finished(self._plan.title, take, made, cost, is_estimate=is_estimate)
        return row.model_copy(update={"service": made.way.request.provider, "cost": cost, "is_estimate": is_estimate})

    def _told(self, key: str) -> Money | None:
        """What a service said that an order cost; the run does not stumble over a ledger that is asked here."""
        try:
            purchase = self._ledger.find(key)
        except LedgerError:
            return None
        return purchase.cost if purchase else None

    async def _keep_pages(self, over: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        while not over.is_set():
            begun = clock()
            await self._draw_pictures(_PICTURES)
            if self._has_changed:
                await self._update()
            await _sleep(max(_PAUSE, _SHARE * (clock() - begun)), over)

    async def _update(self) -> None:
        self._has_changed = False
        rows = list(self._rows.values())
        there = sum(row.is_there for row in rows)
        await self._pages.progress(100 * there / max(1, len(rows)), board.standing(rows))
        await self._pages.markdown("board", board.board(self._plan, rows), "the storyboard")

    async def _draw_pictures(self, most: int) -> None:
        """Small pictures of some takes that have none yet, as long as there is room for them."""
        for name in self._unseen[:most] if self._width else ():
            self._unseen.remove(name)
            made = self._shooting.so_far(self._takes[name])
            if made is None:
                continue
            with suppress(MediaError):
                picture = board.data_uri(await asyncio.to_thread(thumbnail, made.clip.path, self._width))
                if len(picture) <= self._room:
                    self._room -= len(picture)
                    self._rows[name] = self._rows[name].model_copy(update={"picture": picture})
                    self._has_changed = True


@asynccontextmanager
async def observed(plan: Plan, shooting: Shooting, ledger: Ledger, part: str = "") -> AsyncIterator[Observation]:
    """Keep Prefect's pages of a run up to date inside, and say the last word at the end, however it ends.

    `part` is what the plan is of its film, where that is not all: `scene 2`.
    """
    observation, states = Observation(plan, shooting, ledger, part), States()
    over, patience = asyncio.Event(), _LAST_WORD
    with listening(states), listening(observation.see):
        keeping = asyncio.create_task(observation.keep(states, over))
        try:
            yield observation
        except asyncio.CancelledError:
            patience = _STOPPED_WORD
            raise
        finally:
            # An artifact that is just being made is waited for: a second one would be another version.
            over.set()
            await asyncio.wait({keeping}, timeout=patience)
            keeping.cancel()
            (trouble,) = await asyncio.gather(keeping, return_exceptions=True)
            if isinstance(trouble, Exception):
                get_run_logger().warning("this run could not be shown as it went: %r", trouble)
            await observation.last_word(patience)


async def _keep_telling(states: States, over: asyncio.Event) -> None:
    clock = asyncio.get_running_loop().time
    while not over.is_set():
        await _sleep(_TICK, over)
        states.tell(clock())


async def _sleep(seconds: float, over: asyncio.Event) -> None:
    """Sleep, or wake because it is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await over.wait()


def log_what_is_ahead(plan: Plan) -> None:
    """In the run's log: what comes from the store, what is bought for how much, what is not bought."""
    logger = get_run_logger()
    by_state: dict[str, list[PlannedTake]] = {}
    for take in plan.takes:
        kind: str = "bought" if take.is_bought else "drawn" if take.state == "new" else take.state
        by_state.setdefault(kind, []).append(take)
    for kind, said in _AHEAD.items():
        if those := by_state.get(kind):
            logger.info("%s: %s", said, _listed(those))
    if plan.bought:
        total = " and ".join(money.exactly for money in plan.totals) or "nobody knows how much"
        more = f", and {plan.unpriced} takes at a price that nobody publishes" if plan.unpriced else ""
        logger.info("this run buys %d takes for %s by the list%s", len(plan.bought), total, more)


_AHEAD = {
    "cached": "not bought, their clips are in the store",
    "resuming": "not bought, ordered by an earlier run",
    "unknown": "not bought, as nobody knows whether they were ordered before",
    "drawn": "drawn here, for nothing",
    "bought": "to be bought",
}
_NAMED = 20
"""Takes that a line names at most."""


def _listed(takes: list[PlannedTake]) -> str:
    names = [f"{take.shot} take {take.take}" for take in takes[:_NAMED]]
    return ", ".join(names) + (f" and {len(takes) - _NAMED} more" if len(takes) > _NAMED else "")
