"""The flow: a storyboard becomes a sequence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from prefect import flow, task
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled
from pydantic import Field

from flows import automations, report
from flows.approving import Approval, shots_waiting
from flows.budgeting import BudgetExceeded, hold, limits_of
from flows.delivering import Delivery, delivery
from flows.history import history_of
from flows.judging import judged
from flows.leaving import left_behind
from flows.limits import limited, to_be_held
from flows.packing import bring, version_of
from flows.planned import Plan
from flows.report import Origin, Rendering
from flows.reviewing import Planner
from flows.server import flush
from flows.shooting import Failure, Shooting, begin
from flows.spreading import shoot_scenes
from flows.stopping import stoppable, stopping
from flows.waiting import ReviewNeeded
from specs.cut import Cut
from specs.money import parse_money
from specs.reading import read
from specs.storyboard import Storyboard
from tasks import providers
from tasks.assemble import Chapter, FilmFile, Track, assemble
from tasks.media.house import House
from tasks.media.sheet import contact_sheet
from tasks.media.threads import in_thread
from tasks.store.budget import Limit
from tasks.store.home import Home
from tasks.store.ledger import Ledger
from tasks.studio import open_studio
from tasks.watching import tell

_assemble = task(name="assemble", task_run_name="assemble")(assemble)


class ShotsFailed(Exception):
    """Some shots could not be made; everything else was finished and is kept."""

    def __init__(self, failures: Sequence[Failure], shots: int) -> None:
        self.failures, self.shots = tuple(failures), shots
        failed = len({failure.shot for failure in failures})
        lines = [f"{failed} of {shots} shots could not be made; what was finished is kept"]
        super().__init__("\n".join((*lines, *(f"  {failure}" for failure in failures))))

    def __reduce__(self) -> tuple[type[ShotsFailed], tuple[object, ...]]:
        return type(self), (self.failures, self.shots)

    @property
    def is_budget(self) -> bool:
        """Whether a budget that others used up meanwhile is all that stood in the way."""
        causes = [failure for failure in self.failures if failure.service or failure.is_budget]
        return bool(causes) and all(failure.is_budget for failure in causes)


class NotAgreed(Exception):
    """The run would buy what nobody has agreed to, as the film or the ledger has moved since: nothing was bought."""


_Service = Annotated[str, Field(json_schema_extra={"enum": list(providers.names())})]
_Amount = Annotated[str, Field(pattern=r"^[^\d]*\d+(\.\d+)?[^\d]*$", examples=["20 USD", "150 CNY"])]
"""One amount, somehow written; `parse_money` says exactly how."""


def _run_name() -> str:
    """Film and time, so that the runs of a film are told apart in a list."""
    return f"{Path(flow_run.parameters['storyboard']).stem} {datetime.now():%d %b %H:%M}"


@flow(name="render storyboard", flow_run_name=_run_name)
@stoppable
async def render_storyboard(
    storyboard: Annotated[str, Field(min_length=1, examples=["/films/the-keeper.yaml"])],
    provider: _Service | None = None,
    vars: dict[str, str] | None = None,
    select: list[str] | None = None,
    budget: _Amount | None = None,
    out: str | None = None,
    spread: Literal["none", "scenes"] = "none",
    agreed: list[str] | None = None,
) -> Rendering:
    """Render a storyboard into a sequence.

    Args:
        storyboard: The YAML file: a path on the machine that renders, an address such as `s3://films/film.yaml`,
            or that of a pack.
        provider: A service that makes all shots, whatever they say. Left out, each shot goes to its own.
        vars: Other words for the storyboard's vars, for example `{"city": "Lyon"}`. Its other words stay as they are.
        select: The shots to make: `1B`, `1A+`, `scene:2`, `state:new`, `changed`. The animatic stands in for others.
            All when left out.
        budget: What this run may cost at most, `20 USD`; the storyboard's own budget when left out.
        out: The folder or address that the sequence goes to; `renders/<title>` when left out.
        spread: `scenes`: each scene is a run of its own, on any worker of the pool. Only deployed runs can do that.
        agreed: For `storyreel render`, which shows a plan before; leave it out. The takes that may be bought, by the
            first 12 letters of their keys.

    Raises StoryboardError, VaultError, NothingSelected, BudgetExceeded, NotAgreed and LimitMissing before anything is
    made, and ShotsFailed and ReviewNeeded after all else is finished. A deployed run is suspended with a form in the
    place of BudgetExceeded and ReviewNeeded, and raises NotApproved when the answer is no.
    """
    if deployment.id and flow_run.run_count > 1 and not await automations.look_back(UUID(flow_run.id)):
        # A state that a flow returns is its own: the run ends as whoever cancelled it wanted.
        return cast("Rendering", Cancelled(message="it was cancelled before its process ended"))
    home = Home.of()
    film = read(await asyncio.to_thread(bring, storyboard, home, vars or {}), vars or {})
    origin = Origin(storyboard=storyboard, version=await asyncio.to_thread(version_of, film))
    planner = Planner(film, home, provider, tuple(select or ()))
    approval = await Approval.begin(planner)
    limits = approval.limits(limits_of(film.budget, parse_money(budget) if budget else None))
    try:
        with history_of(home) as history:
            plan = planner.plan(history)
            hold(plan, limits, history.committed, str(flow_run.id))
        insist_on(agreed, plan)
        scenes = None
        if spread == "scenes" and deployment.id:
            may_buy = agreements(plan) if agreed is None else agreed
            held = [limit.model_dump(mode="json") for limit in limits]
            scenes = {"storyboard": storyboard, "provider": provider, "vars": vars, "limits": held, "agreed": may_buy}
        with delivery(out or report.default_folder(plan.title), home) as way_out:
            await asyncio.to_thread(way_out.make_sure)
            return await _shoot(film, origin, plan, home, limits, way_out, scenes)
    except ReviewNeeded as needed:
        await approval.ask_to_review(needed)
        raise
    except (BudgetExceeded, ShotsFailed) as excess:
        if isinstance(excess, BudgetExceeded) or excess.is_budget:
            await approval.ask_for_money(str(excess))
        raise


async def _shoot(
    film: Storyboard,
    origin: Origin,
    plan: Plan,
    home: Home,
    limits: Sequence[Limit],
    way_out: Delivery,
    scenes: dict[str, Any] | None,
) -> Rendering:
    """Carry out a plan; `scenes` is what runs of single scenes are told, where there are to be any."""
    services = {way.request.provider for take in plan.takes for way in take.candidates}
    holding = await limited(to_be_held(plan), is_deployed=bool(deployment.id))
    async with open_studio(home, services, limited=holding) as studio:
        stopping().works_in(studio)
        shooting = await begin(plan, studio, str(flow_run.id), limits)
        if scenes and await shoot_scenes(plan, shooting.is_there, scenes):
            with history_of(home) as history:
                plan = plan.model_copy(update={"takes": tuple(judged(plan.takes, plan.title, history))})
            shooting = await begin(plan, studio, str(flow_run.id), limits)
        try:
            if failures := await shooting.all():
                raise ShotsFailed(failures, len(plan.cut.events))
            if unapproved := await shots_waiting(plan, shooting, studio.ledger):
                raise ReviewNeeded(unapproved, len(plan.cut.events))
            master = await _join(film, plan, shooting, way_out.folder / "sequence.mp4")
            made = await _report(film, origin, plan, shooting, studio.ledger, master, way_out)
            await asyncio.to_thread(way_out.deliver)
            return made
        except asyncio.CancelledError:
            await shooting.end()
            stopping().left = left_behind(plan, studio)
            raise
        finally:
            await shooting.end()
            await flush(UUID(flow_run.id), shooting.task_runs)


def insist_on(agreed: list[str] | None, plan: Plan) -> None:
    """Return when everything that will be bought was agreed to. Raises NotAgreed."""
    if agreed is None:
        return
    known = set(agreed)
    more = [take for take in plan.bought if {agreement(way.key) for way in take.candidates} - known]
    if more:
        takes = ", ".join(f"{take.shot} take {take.take} ({take.reason})" for take in more)
        raise NotAgreed(f"the film or the ledger has moved since it was planned; this would be bought too: {takes}")


def agreements(plan: Plan) -> list[str]:
    """What is agreed to by whoever agrees to a plan."""
    return sorted({agreement(way.key) for take in plan.bought for way in take.candidates})


def agreement(key: str) -> str:
    """What stands for a key among those that are agreed to."""
    return key[:12]


async def _report(
    film: Storyboard,
    origin: Origin,
    plan: Plan,
    shooting: Shooting,
    ledger: Ledger,
    master: FilmFile,
    way_out: Delivery,
) -> Rendering:
    """What the run leaves beside the sequence."""
    folder = master.path.parent
    made_takes = [(take, await shooting.made(take)) for take in plan.takes]
    in_cut = {take.identity for take in await shooting.in_cut()}
    purchases = ledger.find_all([made.way.key for _, made in made_takes])
    takes = [report.rendered(take, made, purchases.get(made.way.key), in_cut) for take, made in made_takes]
    made = report.rendering(plan, origin, takes, way_out.place(master.path.name), str(flow_run.id))
    report.write_manifest(folder, plan, made)
    report.write_subtitles(folder, film, plan.cut)
    await in_thread(
        lambda progress: contact_sheet(
            master.path, plan.cut, folder / "contact-sheet.jpg", title=plan.title, progress=progress
        )
    )
    return made


async def _join(film: Storyboard, plan: Plan, shooting: Shooting, out: Path) -> FilmFile:
    """The finished clips, one after the other, with their transitions, their sound and the music."""
    tell("", 0, "joining")
    clips = await shooting.house_clips()
    dissolves = await shooting.dissolves(clips)
    shooting.task_runs += 1
    master = await _assemble(
        plan.cut,
        clips,
        dissolves,
        House.of(plan.format),
        out,
        title=plan.title,
        music=[Track.of(music, Path(film.resolve(music.file)), plan.cut.rate, plan.cut.frames) for music in film.music],
        spoken={shot.shot for shot in film.all_shots if shot.dialogue},
        chapters=_chapters(film, plan.cut),
        progress=lambda done: tell("", 0, "joining", done),
    )
    tell("", 0, "done")
    return master


def _chapters(film: Storyboard, cut: Cut) -> list[Chapter]:
    """A chapter a scene; in a film without scenes, a chapter a shot."""
    events = {event.shot: event for event in cut.events}
    if not film.scenes:
        return [Chapter(event.start, event.end, event.shot) for event in cut.events]
    spans = [(scene, events[scene.shots[0].shot], events[scene.shots[-1].shot]) for scene in film.scenes]
    return [Chapter(a.start, z.end, f"{scene.scene} {scene.heading}".strip()) for scene, a, z in spans]
