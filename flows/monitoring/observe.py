"""Keeps Prefect's pages of a run up to date: states of task runs, artifacts, events. Only observes the run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from prefect import get_run_logger

from storyreel.flows.lifecycle.cancellation import STOPPED_SECONDS
from storyreel.flows.lifecycle.deployed import is_deployed
from storyreel.flows.monitoring import board, events
from storyreel.flows.monitoring.artifacts import FilmArtifacts
from storyreel.flows.monitoring.task_states import TaskStates
from storyreel.flows.names import slug
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.player.links import Links
from storyreel.flows.production.report import CONTACT_SHEET, Rendering
from storyreel.flows.production.takes import TakeRuns
from storyreel.flows.servers.availability import current_server
from storyreel.specs.problems.phrases import counted
from storyreel.tasks.progress import Stage, StageReport, listening
from storyreel.tasks.strips import strip_jpeg
from storyreel.tasks.studio import Studio

_STATES_SECONDS = 0.5
"""Between two updates of task states."""
_ARTIFACTS_SECONDS = 3.0
"""Between two updates of the artifacts, at least."""
_PAUSE_FACTOR = 20
"""The pause after an update, in times of its length: updates take a twentieth of the time."""
_PICTURES = 12
_FINAL_SECONDS = 15.0
"""Time for the last update."""
_LISTED = 20
"""Takes named in a line of the log."""


class RunObserver:
    """The pages of one run: takes in reports of stages and keeps rows of the board."""

    def __init__(self, plan: Plan, takes: TakeRuns, studio: Studio, links: Links, part: str) -> None:
        self._plan, self._takes, self._house = plan, takes, studio.house_cache.folder
        self._links = links
        self._rows: dict[tuple[str, int], board.Row] = {}
        for take in plan.takes:
            stage: Stage | None = "cached" if take.state == "cached" else None
            self._rows[take.shot, take.take] = board.Row(take=take, service=take.chosen.maker, stage=stage)
        kind = "draft" if plan.is_draft else ""
        name = "-".join(filter(None, ("storyreel", slug(plan.title), kind, part and slug(part))))
        self._artifacts = FilmArtifacts(name, f"{plan.name} {part}".strip())
        self._picture_room = board.room_for_a_picture(len(plan.takes))
        self._without_picture: list[tuple[str, int]] = []
        """Finished takes whose picture is not drawn yet."""
        self._has_changed = True

    def on_stage(self, report: StageReport) -> None:
        """Update the row of a take, and emit the event of a take that is finished or failed."""
        name = (report.slate, report.take)
        row = self._rows.get(name)
        if row is None or (row.stage, row.detail) == (report.stage, report.detail):
            return
        change = {"stage": report.stage, "detail": report.detail}
        match report.stage:
            case "done":
                row = self._finish_row(row, row.take)
                change = {"stage": "cached" if row.take.state == "cached" else "done", "detail": report.detail}
            case "failed" | "unknown":
                events.emit_shot_stopped(self._plan.title, row.take, report.stage, report.detail)
        self._rows[name] = row.model_copy(update=change)
        self._has_changed = True

    async def update_until(self, end: asyncio.Event, states: TaskStates) -> None:
        """Keep states and artifacts up to date until `end` is set."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_update_states(states, end))
            group.create_task(self._update_artifacts(end))

    async def final_update(self, seconds: float) -> None:
        """Update the artifacts a last time, within so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds / 2):
                await self._draw_pictures(len(self._without_picture))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds / 2):
                await self._update()

    async def publish_film(self, rendering: Rendering, folder: Path) -> None:
        """Publish a finished film: the event, and artifacts with its contact sheet from `folder`, takes and costs."""
        places = {event.shot: self._plan.cut.rate.timecode(event.start) for event in self._plan.cut.events}
        events.emit_sequence_finished(self._plan.title, rendering)
        # A deployed run waits long for its server: the pages are made when it is back.
        await current_server().wait()
        with suppress(TimeoutError):
            async with current_server().while_answering(), asyncio.timeout(_FINAL_SECONDS):
                page = await asyncio.to_thread(board.sequence, rendering, folder / CONTACT_SHEET)
                await self._artifacts.markdown("sequence", page, "the sequence and its contact sheet")
                made = board.manifest(rendering, places, self._links)
                await self._artifacts.table("manifest", made, "how each take was made")
                await self._artifacts.table("spend", board.spend(rendering), "what this run cost, by service")
                if play := rendering.play or (str(rendering.sequence) if board.is_url(str(rendering.sequence)) else ""):
                    await self._artifacts.link("film", play, "the sequence")

    async def publish_deliverables(self, rendering: Rendering) -> None:
        """Publish the deliverables of a finished film as a table."""
        rows = [
            {
                "deliverable": each.name,
                "file": str(each.file),
                "picture": f"{each.width}×{each.height}, {each.fps} fps",
                "codec": each.codec,
                "frames": each.frames,
                "loudness": each.level.in_words if each.level else "",
            }
            for each in rendering.deliverables
        ]
        await current_server().wait()
        with suppress(TimeoutError):
            async with current_server().while_answering(), asyncio.timeout(_FINAL_SECONDS):
                await self._artifacts.table("deliverables", rows, "the deliverables of the film")

    def _finish_row(self, row: board.Row, take: PlannedTake) -> board.Row:
        made = self._takes.finished_take(take)
        if made is None:
            return row
        candidate = made.candidate
        row = row.model_copy(update={"play": self._links.take(made.clip.digest, take.shot, take.take)})
        self._without_picture.append((take.shot, take.take))
        if take.state == "cached":
            return row.model_copy(update={"service": candidate.maker})
        is_estimate = made.cost is None and not candidate.is_free
        cost = made.cost or candidate.price
        events.emit_shot_finished(self._plan.title, take, made, cost, is_estimate=is_estimate, play=row.play)
        return row.model_copy(update={"service": candidate.maker, "cost": cost, "is_estimate": is_estimate})

    async def _update_artifacts(self, end: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        while not end.is_set():
            begun = clock()
            await self._draw_pictures(_PICTURES)
            if self._has_changed:
                await self._update()
            await _sleep(max(_ARTIFACTS_SECONDS, _PAUSE_FACTOR * (clock() - begun)), end)

    async def _update(self) -> None:
        self._has_changed = False
        rows = list(self._rows.values())
        finished = sum(row.is_finished for row in rows)
        to_make = sum(not row.take.waits_for for row in rows)
        await self._artifacts.progress(100 * finished / max(1, to_make), board.count_takes(rows))
        await self._artifacts.markdown("board", board.board(self._plan, rows), "the storyboard")

    async def _draw_pictures(self, most: int) -> None:
        for name in self._without_picture[:most] if self._picture_room else ():
            self._without_picture.remove(name)
            made = self._takes.finished_take(self._rows[name].take)
            if made is None:
                continue
            room = board.bytes_within(self._picture_room)
            if picture := await asyncio.to_thread(strip_jpeg, made.clip.path, self._house, board.SIDE, room):
                self._rows[name] = self._rows[name].model_copy(update={"picture": board.data_uri(picture)})
                self._has_changed = True


@asynccontextmanager
async def observe_run(
    plan: Plan, takes: TakeRuns, studio: Studio, links: Links, part: str = ""
) -> AsyncIterator[RunObserver]:
    """Keep Prefect's pages of a run up to date inside the block, with a last update however it ends.

    `part` names the part of the film that the plan is, `scene 2`; empty for the whole film.
    """
    observer, states = RunObserver(plan, takes, studio, links, part), TaskStates(len(plan.takes))
    end, seconds = asyncio.Event(), _FINAL_SECONDS
    with listening(states), listening(observer.on_stage):
        updating = asyncio.create_task(observer.update_until(end, states))
        try:
            yield observer
        except asyncio.CancelledError:
            if is_deployed():
                seconds = STOPPED_SECONDS
            raise
        finally:
            # An artifact that is being created is waited for: a second one would be another version.
            end.set()
            server = current_server()
            async with server.while_answering():
                await asyncio.wait({updating}, timeout=seconds)
            updating.cancel()
            (error,) = await asyncio.gather(updating, return_exceptions=True)
            if isinstance(error, Exception):
                get_run_logger().warning("Prefect's pages of this run were not kept up to date: %r", error)
            async with server.while_answering():
                if seconds == _FINAL_SECONDS:
                    await server.wait()
                await observer.final_update(seconds)


async def _update_states(states: TaskStates, end: asyncio.Event) -> None:
    clock = asyncio.get_running_loop().time
    while not end.is_set():
        await _sleep(_STATES_SECONDS, end)
        states.emit_due(clock())


async def _sleep(seconds: float, end: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await end.wait()


def log_new_warnings(before: Plan, after: Plan) -> None:
    """Log what is to be known of a film that was planned again, as its speech is there, and was not known before."""
    for warning in after.warnings:
        if warning not in before.warnings:
            get_run_logger().warning("%s", warning)


def log_plan(plan: Plan) -> None:
    """Log what the run takes from the store, what it buys at which price, and what it does not buy."""
    logger = get_run_logger()
    by_kind: dict[str, list[PlannedTake]] = {}
    for take in plan.takes:
        kind: str = "bought" if take.is_bought else "drawn" if take.state == "new" else take.state
        kind = "waiting" if take.waits_for else kind
        by_kind.setdefault(kind, []).append(take)
    for kind, description in _KINDS.items():
        if takes := by_kind.get(kind):
            logger.info("%s: %s", description, _list(takes))
    if plan.bought:
        total = " and ".join(money.exactly for money in plan.totals)
        more = f", and {counted(plan.unpriced, 'take')} at an unknown price" if plan.unpriced and plan.totals else ""
        price = f"for {total} by the price list" if total else "at an unknown price"
        logger.info("this run buys %s %s%s", counted(len(plan.bought), "take"), price, more)


_KINDS = {
    "cached": "not bought, their clips are in the store",
    "resuming": "not bought, ordered by an earlier run",
    "unknown": "not bought, as it is unknown whether they were ordered before",
    "drawn": "drawn here, free of charge",
    "waiting": "not made before what it is made of is approved, or spoken",
    "bought": "to be bought",
}


def _list(takes: list[PlannedTake]) -> str:
    names = [f"{take.shot} take {take.take}" for take in takes[:_LISTED]]
    return ", ".join(names) + (f" and {len(takes) - _LISTED} more" if len(takes) > _LISTED else "")
