"""The shooting: every take of a run as a Prefect task, in an order that follows from what continues what.

Takes are futures kept by identity, so whoever asks for a take first starts it and all others wait for the same one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from prefect import get_run_logger

from storyreel.flows.names import shot_tags
from storyreel.flows.planning.model import Candidate, Plan, PlannedTake
from storyreel.flows.production.outcomes import Failure, MadeTake, NotMade, failure_of
from storyreel.tasks.clips import Clip
from storyreel.tasks.collect import Take
from storyreel.tasks.conform import conform
from storyreel.tasks.dissolve import dissolve
from storyreel.tasks.files import replacing
from storyreel.tasks.generate import generate, inspect
from storyreel.tasks.inspection.inspect import Inspection, best_take
from storyreel.tasks.join.conform import HouseClip, conform_key
from storyreel.tasks.join.dissolve import DissolveClip
from storyreel.tasks.ledger.budget import Limit
from storyreel.tasks.ledger.ledger import Order, State
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.house_format import HouseFormat, house_signature
from storyreel.tasks.progress import report_stage
from storyreel.tasks.providers.errors import Refusal, Terminal
from storyreel.tasks.providers.request import Request
from storyreel.tasks.studio import Studio

Result = TypeVar("Result")


class Shooting:
    """The takes of one run. A take that fails stops only what depends on it."""

    def __init__(
        self, plan: Plan, studio: Studio, house: HouseFormat, house_key: str, run: str, limits: Sequence[Limit]
    ) -> None:
        self._plan = plan
        self._studio = studio
        self._house = house
        self._house_signature = house_key
        self._run = run
        self._limits = tuple(limits)
        self._by_identity = {take.identity: take for take in plan.takes}
        self._of_shot: dict[str, list[PlannedTake]] = {}
        for take in plan.takes:
            self._of_shot.setdefault(take.shot, []).append(take)
        self._futures: dict[Hashable, asyncio.Future[Any]] = {}
        self.task_runs = 0
        """Prefect tasks begun so far."""

    async def all(self, only: Sequence[PlannedTake] | None = None) -> list[Failure]:
        """Make every take, or these, and conform those in the cut, as far as that is possible; gives what failed."""
        takes = self._plan.takes if only is None else only
        outcomes = await asyncio.gather(*map(self._settled, takes), return_exceptions=True)
        failures = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            if outcome:
                failures.append(outcome)
        return failures

    def is_there(self, take: PlannedTake) -> bool:
        """Whether a take has its clip, and is conformed where it is in the cut; a glance, and nothing is begun."""
        purchase = self._studio.ledger.find(take.key) if take.state == "cached" else None
        if purchase is None or purchase.clip is None:
            return False
        key = conform_key(purchase.clip, take.edit, self._house, take.keep_sound, find_ffmpeg().version, self._accepted)
        return not take.circled or self._studio.piece_folder(key).exists()

    def so_far(self, take: PlannedTake) -> MadeTake | None:
        """A take, if it is there by now."""
        future = self._futures.get(("take", take.identity))
        made = future and future.done() and not future.cancelled() and not future.exception() and future.result()
        return made if isinstance(made, MadeTake) else None

    async def in_cut(self) -> list[PlannedTake]:
        """The takes in the cut, one a shot, in the order of the film."""
        return [await self.circled(shot) for shot in self._of_shot]

    async def house_clips(self) -> list[HouseClip]:
        """The conformed takes of the cut in the order of the film, all of one signature."""
        takes = await self.in_cut()
        clips = [await self.house_clip(take) for take in takes]
        if len({clip.signature for clip in clips}) == 1:
            return clips
        # Clips of several encoders cannot lie in one track: what is not in house format is brought into it.
        return list(await asyncio.gather(*(self._conformed(take, self._house_signature) for take in takes)))

    async def dissolves(self, clips: list[HouseClip]) -> dict[str, DissolveClip]:
        """The dissolves, by the shot that each leads into."""
        takes = await self.in_cut()
        joins = [n for n, take in enumerate(takes) if take.edit.join_in]
        made = await asyncio.gather(*(self._dissolved(takes[n - 1 : n + 1], clips[n - 1 : n + 1]) for n in joins))
        return {takes[n].shot: segment for n, segment in zip(joins, made, strict=True)}

    async def end(self) -> None:
        """End what is still under way; nothing is left running when this returns."""
        under_way = [future for future in self._futures.values() if not future.done()]
        for future in under_way:
            future.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        if (shared := self._studio.shared_pieces) and shared.last_error:
            get_run_logger().warning("what was conformed here may not be shared: %s", shared.last_error)

    def made(self, take: PlannedTake) -> asyncio.Future[MadeTake]:
        """A take that is there."""
        return self._once(("take", take.identity), lambda: self._make(take))

    def circled(self, shot: str) -> asyncio.Future[PlannedTake]:
        """The take of a shot that is in the cut."""
        return self._once(("circled", shot), lambda: self._circle(self._of_shot[shot]))

    def house_clip(self, take: PlannedTake) -> asyncio.Future[HouseClip]:
        """The conformed clip of a take that is in the cut."""
        return self._once(("house", take.shot), lambda: self._conformed(take, self._accepted))

    @property
    def _accepted(self) -> str | None:
        """The signature of the clips that need no conforming; None where any will do."""
        return None if self._meets_only_cuts else self._house_signature

    @property
    def _meets_only_cuts(self) -> bool:
        """Whether no frame of the film has to be encoded for its transitions."""
        return not any(
            take.edit.join_in or take.edit.join_out or take.edit.fade_in or take.edit.fade_out
            for take in self._plan.circled
        )

    def _once(self, name: Hashable, make: Callable[[], Coroutine[Any, Any, Result]]) -> asyncio.Future[Result]:
        if name not in self._futures:
            self._futures[name] = asyncio.ensure_future(make())
        return self._futures[name]

    async def _settled(self, take: PlannedTake) -> Failure | None:
        """Make a take as far as that is possible; gives what failed. Raises what is a fault of ours."""
        try:
            await self._finished(take)
        except Exception as error:
            failure = failure_of(take, error)
            report_stage(take.shot, take.take, "unknown" if failure.is_unknown else "failed", detail=failure.what)
            get_run_logger().warning("%s", failure)
            return failure
        return None

    async def _finished(self, take: PlannedTake) -> None:
        """Make a take, and conform it when it is the one in the cut."""
        made = await self.made(take)
        if take is await self.circled(take.shot):
            await self.house_clip(take)
        findings = "; ".join(finding.detail for finding in made.inspection.findings) if made.inspection else ""
        report_stage(take.shot, take.take, "done", detail=findings)

    async def _circle(self, takes: Sequence[PlannedTake]) -> PlannedTake:
        """The author's choice, else the best of those that are there and that nobody has refused."""
        said = next(take for take in takes if take.circled)
        if not said.is_open or len(takes) == 1:
            return said
        takes = [take for take in takes if take.verdict is None] or takes
        outcomes = await asyncio.gather(*map(self.made, takes), return_exceptions=True)
        seen = [
            (take, shot.inspection)
            for take, shot in zip(takes, outcomes, strict=True)
            if isinstance(shot, MadeTake) and shot.inspection
        ]
        return seen[best_take([inspection for _, inspection in seen])][0] if seen else said

    async def _make(self, take: PlannedTake) -> MadeTake:
        """A take by its service, or by the next one that steps in when that has said no for good."""
        before = self._by_identity.get(take.continues or "") if take.state != "cached" else None
        upstream = await self._upstream(before) if before else None
        for way in take.candidates[:-1]:
            try:
                return await self._made_by(take, way, upstream)
            except Terminal as verdict:
                if not self._may_step_in(take, way, verdict):
                    raise
                said = "%s take %d: %s; the next service is asked"
                get_run_logger().warning(said, take.shot, take.take, verdict.message)
        return await self._made_by(take, take.candidates[-1], upstream)

    async def _upstream(self, before: PlannedTake) -> Clip:
        try:
            return (await self.made(before)).clip
        except Exception as failed:
            raise NotMade(f"not made, because it continues {before.shot}") from failed

    def _may_step_in(self, take: PlannedTake, way: Candidate, verdict: Terminal) -> bool:
        """Only when it is sure that no clip will come of the order, and its content was not what was refused."""
        purchase = self._studio.ledger.find(way.key)
        if isinstance(verdict, Refusal):
            is_over = purchase is None or purchase.state is State.FAILED
            return is_over and (take.fallback_on_refusal or not verdict.is_content)
        return purchase is None

    async def _made_by(self, take: PlannedTake, way: Candidate, upstream: Clip | None) -> MadeTake:
        clip = await self._generated(take, way, upstream)
        return MadeTake(way=way, clip=clip, inspection=await self._inspected(take, way, clip))

    async def _generated(self, take: PlannedTake, way: Candidate, upstream: Clip | None) -> Clip:
        request = way.request if way.state == "cached" else await self._at_hand(take, way)
        order = Order(
            key=way.key,
            provider=request.provider,
            model=request.model,
            request=request.canonical(),
            film=self._plan.title,
            scene=take.scene,
            slate=take.shot,
            take=take.take,
            brief=way.brief.dump(),
            price=way.price,
            run=self._run,
        )
        if way.state == "cached":
            report_stage(take.shot, take.take, "cached")
        self.task_runs += 1
        by = "" if way is take.chosen else f" by {request.provider}"
        return await generate(
            Take(order=order, request=request, timeout=take.timeout, limits=self._limits),
            self._studio,
            upstream,
            name=f"{take.shot} take {take.take}{by}",
            anew=way.state != "cached",
            tags=shot_tags(take.shot, take.scene, request.provider),
        )

    async def _inspected(self, take: PlannedTake, way: Candidate, clip: Clip) -> Inspection | None:
        """What is to be seen in a clip that was paid for."""
        if not self._studio.provider(way.request.provider).paid:
            return None
        first = await self._first_frame(take, way)
        self.task_runs += 1
        return await inspect(
            clip,
            way.request,
            first_frame=first,
            wants_sound=take.keep_sound,
            name=f"inspect {take.shot} take {take.take}",
            tags=shot_tags(take.shot, take.scene, way.request.provider),
        )

    async def _first_frame(self, take: PlannedTake, way: Candidate) -> Path | None:
        """The picture a take was to begin with, where it is here."""
        picture = way.request.first_frame
        if picture is None or picture.digest.startswith("url:"):
            return None
        if not take.continues:
            return Path(picture.source)
        before = self._by_identity.get(take.continues)
        return await self._frame_of(before) if before else None

    async def _at_hand(self, take: PlannedTake, way: Candidate) -> Request:
        """The request with the picture it begins with as a file, where that is another take's last frame."""
        if not take.continues or way.request.first_frame is None:
            return way.request
        before = self._by_identity.get(take.continues)
        frame = await self._frame_of(before) if before else None
        first = way.request.first_frame.model_copy(update={"source": str(frame) if frame else ""})
        return way.request.model_copy(update={"first_frame": first})

    def _frame_of(self, take: PlannedTake) -> asyncio.Future[Path | None]:
        return self._once(("frame", take.identity), lambda: self._last_frame(take))

    async def _last_frame(self, take: PlannedTake) -> Path | None:
        """What a shot that continues this take begins with; None when there is no picture."""
        shot = await self.made(take)
        request = await self._at_hand(take, shot.way)
        into = self._studio.house_folder / "frames" / f"{shot.way.key[:32]}-{shot.clip.digest[:16]}.png"
        if into.exists():
            return into
        into.parent.mkdir(parents=True, exist_ok=True)
        shared = self._studio.shared_pieces
        with replacing(into) as picture:
            if shared is not None and await asyncio.to_thread(shared.download_still, into.name, picture):
                return into
            if not await self._studio.provider(request.provider).write_last_frame(request, shot.clip.path, picture):
                return None
            if shared is not None:
                await asyncio.to_thread(shared.upload_still, picture, into.name)
        return into

    async def _conformed(self, take: PlannedTake, accept: str | None) -> HouseClip:
        shot = await self.made(take)
        self.task_runs += 1
        return await conform(
            shot.clip,
            shot.way.edit,
            self._house,
            self._studio,
            keep_sound=take.keep_sound,
            accept=accept,
            name=f"conform {take.shot}",
            tags=shot_tags(take.shot, take.scene),
            progress=lambda done: report_stage(take.shot, take.take, "conforming", done),
        )

    async def _dissolved(self, takes: Sequence[PlannedTake], clips: Sequence[HouseClip]) -> DissolveClip:
        """The dissolve from one take into the next."""
        (before, after), (outgoing, incoming) = takes, clips
        self.task_runs += 1
        name = f"dissolve {before.shot} to {after.shot}"
        return await dissolve(outgoing, incoming, after.edit.join_in, self._house, self._studio, name=name)


async def begin(plan: Plan, studio: Studio, run: str, limits: Sequence[Limit]) -> Shooting:
    """A shooting for a plan, in the house format of its film; `run` and `limits` go into each order."""
    house = HouseFormat.of(plan.format)
    return Shooting(plan, studio, house, await house_signature(house), run, limits)
