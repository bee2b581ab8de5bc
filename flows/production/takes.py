"""The takes of a run as Prefect tasks. The order follows from which take continues which, and is made of which
pictures.

Each take is a future, kept by the take's identity: the first caller starts it, all others wait for the same one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Hashable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from prefect import get_run_logger

from storyreel.flows.names import shot_tags
from storyreel.flows.planning.candidate import Candidate
from storyreel.flows.planning.model import Plan, PlannedTake, takes_by_shot
from storyreel.flows.planning.takes.pictures import is_spare
from storyreel.flows.production.agreement import is_agreed
from storyreel.flows.production.clip_parts import ClipParts
from storyreel.flows.production.finished import conforming_of
from storyreel.flows.production.outcomes import Failure, MadeTake, UpstreamFailed, failure_of
from storyreel.flows.production.report import spent_in_words
from storyreel.specs.money import Money
from storyreel.specs.problems.phrases import counted
from storyreel.tasks.conform import conform
from storyreel.tasks.dissolve import dissolve
from storyreel.tasks.generate import InspectedClip, generate
from storyreel.tasks.inspection.inspect import Needed, Wanted, best_take
from storyreel.tasks.join.conform import HouseClip
from storyreel.tasks.join.dissolve import DissolveClip
from storyreel.tasks.ledger.budget import Limit
from storyreel.tasks.ledger.ledger import Ledger, Order, State
from storyreel.tasks.media.house_format import HouseFormat, house_signature
from storyreel.tasks.procurement.collect import Take
from storyreel.tasks.progress import report_stage
from storyreel.tasks.providers.errors import FileChanged, Refusal, Terminal
from storyreel.tasks.settings import Settings
from storyreel.tasks.storage.clips import Clip
from storyreel.tasks.studio import Studio

Result = TypeVar("Result")


class TakeRuns:
    """The takes of one run. A take that fails stops only those that continue it or are made of it."""

    def __init__(
        self,
        plan: Plan,
        studio: Studio,
        house: HouseFormat,
        signature: str,
        run: str,
        limits: Sequence[Limit],
        agreed: Collection[str] | None,
    ) -> None:
        self._plan = plan
        self._studio = studio
        self.house = house
        self._house_signature = signature
        self._run = run
        self._limits = tuple(limits)
        self._agreed = None if agreed is None else frozenset(agreed)
        # The order of several takes is that of the first: its budget is held against that one's shot.
        self._by_identity = {take.identity: take for take in reversed(plan.takes)}
        self._by_shot = takes_by_shot((*plan.clips, *plan.in_shapes))
        """Takes in the shapes of deliverables have slates of their own."""
        self._futures: dict[Hashable, asyncio.Future[Any]] = {}
        self._files = ClipParts(studio, self._by_identity, self.made, self.once)
        self.task_runs = 0
        """Task runs started so far."""

    async def run_all(
        self, only: Sequence[PlannedTake] | None = None, then: Callable[[PlannedTake], None] | None = None
    ) -> list[Failure]:
        """Make all takes, or these, and conform those in the cut; returns the failures.

        Takes that wait for an approval or for speech are not made. `then` is called with each take of the cut that is
        conformed.

        Raises what is neither an error of a service, of media nor of a budget.
        """
        takes = self._plan.takes if only is None else only
        made = (take for take in takes if not (take.waits_for or take.lacks_sound))
        outcomes = await asyncio.gather(*(self._run_take(take, then) for take in made), return_exceptions=True)
        if error := next((outcome for outcome in outcomes if isinstance(outcome, BaseException)), None):
            raise error
        return [outcome for outcome in outcomes if isinstance(outcome, Failure)]

    def adopt(self, before: TakeRuns) -> None:
        """Take over the takes that another plan of the same film has made in this run."""
        self.task_runs += before.task_runs
        self._futures |= {
            name: made
            for name, made in before._futures.items()
            if isinstance(name, tuple) and name[0] == "take" and made.done() and not made.cancelled()
        }

    def finished_take(self, take: PlannedTake) -> MadeTake | None:
        """The result of a take; None if it is not made yet or failed."""
        future = self._futures.get(("take", take.identity))
        made = future and future.done() and not future.cancelled() and not future.exception() and future.result()
        return made if isinstance(made, MadeTake) else None

    async def tally(self) -> str:
        """The progress of the run: `2 of 3 takes are finished, about 0.34 USD spent`."""
        begun = [take for take in self._plan.takes if ("take", take.identity) in self._futures]
        finished = sum(self.finished_take(take) is not None for take in begun)
        count = f"{finished} of {counted(len(begun), 'take')} {'is' if 1 in (finished, len(begun)) else 'are'} finished"
        # This says what came of the run, and an error must not take the place of that.
        spending = await self._studio.ask_briefly(Ledger.spent_by, "service", run=self._run)
        return count if spending is None else f"{count}, {spent_in_words(spending)} spent"

    async def takes_in_cut(self, deliverable: str = "") -> list[PlannedTake]:
        """The takes in the cut, one for each shot, in the order of the film; or those that a deliverable shows."""
        shots = takes_by_shot(self._plan.clips)
        return [await self.take_in_cut(self._plan.slate_in(deliverable, shot)) for shot in shots]

    async def house_clips(self) -> list[HouseClip]:
        """The conformed takes of the cut in the order of the film, all of one signature."""
        takes = await self.takes_in_cut()
        clips = [await self.house_clip(take) for take in takes]
        if len({clip.signature for clip in clips}) == 1:
            return clips
        # Clips of several encoders cannot be in one track: those not in house format are conformed again.
        return list(await asyncio.gather(*(self._conform(take, self._house_signature) for take in takes)))

    def conformed(self, shot: str) -> tuple[PlannedTake, HouseClip] | None:
        """The take of a shot that is in the cut, and its conformed clip; None if that is not there yet."""
        chosen, clip = (self._futures.get((what, shot)) for what in ("in cut", "house"))
        if not all(each and each.done() and not each.cancelled() and not each.exception() for each in (chosen, clip)):
            return None
        return chosen.result(), clip.result()  # type: ignore[union-attr]

    async def cancel_unfinished(self) -> None:
        """Cancel what is under way and wait until it has ended."""
        unfinished = [future for future in self._futures.values() if not future.done()]
        for future in unfinished:
            future.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        if (shared := self._studio.house_cache.shared) and shared.last_error:
            get_run_logger().warning("what was conformed here may not be shared: %s", shared.last_error)

    def made(self, take: PlannedTake) -> asyncio.Future[MadeTake]:
        """The result of a take, made now if it is not."""
        return self.once(("take", take.identity), lambda: self._make(take))

    def take_in_cut(self, shot: str) -> asyncio.Future[PlannedTake]:
        """The take of a shot that is in the cut, chosen now if it is not; of a slate in the shape of a deliverable the
        one that is in that."""
        return self.once(("in cut", shot), lambda: self._choose(self._by_shot[shot]))

    def house_clip(self, take: PlannedTake) -> asyncio.Future[HouseClip]:
        """The conformed clip of a take in the cut, conformed now if it is not."""
        return self.once(("house", take.shot), lambda: self._house_clip(take))

    @property
    def accepted_signature(self) -> str | None:
        """The signature of clips that need no conforming. None if any will do: all transitions of the film are cuts,
        and no shot is graded or labelled."""
        has_encoded = any(
            take.edit.join_in
            or take.edit.join_out
            or take.edit.fade_in
            or take.edit.fade_out
            or take.grading
            or take.label_of(take.chosen)
            for take in self._plan.circled
        )
        return self._house_signature if has_encoded else None

    def once(self, name: Hashable, make: Callable[[], Coroutine[Any, Any, Result]]) -> asyncio.Future[Result]:
        """The future of a name, started by its first caller; it is cancelled with the takes."""
        if name not in self._futures:
            self._futures[name] = asyncio.ensure_future(make())
        return self._futures[name]

    def forget(self, name: Hashable) -> None:
        """Release the result of `once` for a name that is not asked for again."""
        self._futures.pop(name, None)

    async def _run_take(self, take: PlannedTake, then: Callable[[PlannedTake], None] | None) -> Failure | None:
        try:
            made = await self.made(take)
            if self._may_be_in_cut(take) and take is await self.take_in_cut(take.shot):
                await self.house_clip(take)
                if then:
                    then(take)
        except asyncio.CancelledError:
            report_stage(take.shot, take.take, "stopped", detail=await self._left(take))
            raise
        except Exception as error:
            failure = failure_of(take, error)
            report_stage(take.shot, take.take, "unknown" if failure.is_unknown else "failed", detail=failure.message)
            get_run_logger().warning("%s", failure)
            return None if is_spare(take, self._plan.takes) else failure
        findings = "; ".join(finding.detail for finding in made.inspection.findings) if made.inspection else ""
        report_stage(take.shot, take.take, "done", detail=findings)
        return None

    def _may_be_in_cut(self, take: PlannedTake) -> bool:
        """Whether this run may join the take to the film: it is a clip of it, and all takes of its shot are made."""
        is_of_film = take.kind == "clip" and not take.deliverable
        return is_of_film and not any(other.waits_for for other in self._by_shot[take.shot])

    async def _left(self, take: PlannedTake) -> str:
        """A sentence on what a run that is stopped leaves of a take."""
        if self.finished_take(take):
            return f"its {take.request.mode.product} is in the store"
        keys = [candidate.key for candidate in take.candidates]
        purchases = await self._studio.find_briefly(keys)
        if purchases is None:
            return ""
        for purchase in (purchases[key] for key in keys if key in purchases):
            match purchase.state:
                case State.FAILED if purchase.changed >= self._studio.opened_at:
                    return purchase.reason
                case State.SUBMITTED if self._studio.provider(purchase.order.provider).paid:
                    return f"left at {purchase.order.provider} as {purchase.task}"
                case State.UNKNOWN:
                    return f"it is not known whether {purchase.order.provider} accepted the order"
        return "not ordered"

    async def _choose(self, takes: Sequence[PlannedTake]) -> PlannedTake:
        """The circled take; where the author has circled none, the one with the best inspection and no verdict."""
        circled = next(take for take in takes if take.circled)
        if not circled.is_open or len(takes) == 1:
            return circled
        takes = [take for take in takes if take.verdict is None] or takes
        outcomes = await asyncio.gather(*map(self.made, takes), return_exceptions=True)
        inspected = [
            (take, made.inspection)
            for take, made in zip(takes, outcomes, strict=True)
            if isinstance(made, MadeTake) and made.inspection
        ]
        return inspected[best_take([inspection for _, inspection in inspected])][0] if inspected else circled

    async def _make(self, take: PlannedTake) -> MadeTake:
        """Make a take at its service, or at the next candidate if that refuses it and the next one is agreed to."""
        needed = [self._by_identity.get(identity) for identity in take.needs if take.state != "cached"]
        upstream = await asyncio.gather(*(self._upstream_clip(take, before) for before in needed if before))
        for candidate, following in pairwise(take.candidates):
            try:
                return await self._make_with(take, candidate, upstream)
            except Terminal as error:
                # The plan buys no fallback of a take that was ordered before or is free, so none is agreed to.
                if not (is_agreed(following, self._agreed) and await self._may_fall_back(take, candidate, error)):
                    raise
                warning = "%s take %d: %s; the next service is asked"
                get_run_logger().warning(warning, take.shot, take.take, error.message)
        return await self._make_with(take, take.candidates[-1], upstream)

    async def _upstream_clip(self, take: PlannedTake, before: PlannedTake) -> Clip:
        try:
            return (await self.made(before)).clip
        except Exception as error:
            what = f"continues {before.shot}"
            if before.kind == "speech":
                what = f"is as long as {before.shot}"
            elif before.kind != "clip":
                what = f"is made of {before.shot}"
            elif take.request.edited:
                what = f"edits {before.shot} take {before.take}"
            raise UpstreamFailed(f"not made, because it {what}") from error

    async def _may_fall_back(self, take: PlannedTake, candidate: Candidate, error: Terminal) -> bool:
        """Whether it is certain that the order yields no clip, and its content was not what the service refused."""
        if isinstance(error, FileChanged):
            return False
        purchase = await self._studio.ask(Ledger.find, candidate.key)
        if isinstance(error, Refusal):
            is_over = purchase is None or purchase.state is State.FAILED
            return is_over and (take.fallback_on_refusal or not error.is_content)
        return purchase is None

    async def _make_with(self, take: PlannedTake, candidate: Candidate, upstream: Sequence[Clip]) -> MadeTake:
        clip = await self._generate(take, candidate, upstream)
        cost = await self._reported_cost(take, candidate)
        return MadeTake(candidate=candidate, clip=clip, inspection=clip.inspection, cost=cost)

    async def _reported_cost(self, take: PlannedTake, candidate: Candidate) -> Money | None:
        if take.state == "cached" or candidate.is_free:
            return None
        purchase = await self._studio.ask_briefly(Ledger.find, candidate.key)
        return purchase.cost if purchase else None

    async def _generate(self, take: PlannedTake, candidate: Candidate, upstream: Sequence[Clip]) -> InspectedClip:
        wanted = await self._wanted(take, candidate)
        is_cached = candidate.state == "cached"
        request = candidate.request if is_cached else await self._files.fill(take, candidate)
        order = Order(
            key=candidate.key,
            provider=request.provider,
            model=request.model,
            request=request.canonical(),
            film=self._plan.title,
            scene=take.scene,
            slate=take.shot,
            take=take.take,
            brief=candidate.brief.dump(),
            price=candidate.price,
            run=self._run,
        )
        if is_cached:
            report_stage(take.shot, take.take, "cached")
        self.task_runs += 1
        fallback = "" if candidate is take.chosen else f" by {request.provider}"
        return await generate(
            Take(
                order=order,
                request=request,
                timeout=take.timeout,
                limits=self._limits,
                may_order=is_agreed(candidate, self._agreed),
                elsewhere=tuple(other.key for other in take.candidates if other is not candidate),
            ),
            self._studio,
            upstream,
            wanted=wanted,
            name=f"{take.shot} take {take.take}{fallback}",
            anew=not is_cached,
            tags=shot_tags(take.shot, take.scene, request.provider),
        )

    async def _wanted(self, take: PlannedTake, candidate: Candidate) -> Wanted | None:
        """The wishes of the film for the clip; None for a free one, which is not inspected."""
        if not self._studio.provider(candidate.request.provider).paid:
            return None
        if take.kind != "clip":
            return Wanted()
        first = await self._files.first_frame(take, candidate)
        needed = Needed(frames=candidate.edit.frames, rate=self.house.rate)
        sound = take.keep_sound and not take.laid_with(candidate)
        return Wanted(first_frame=first, sound=sound, needed=needed)

    async def _house_clip(self, take: PlannedTake) -> HouseClip:
        clip = await self._conform(take, self.accepted_signature)
        # Frames with words over them are encoded here, and must be able to follow the others.
        is_foreign = self._plan.lettering and clip.signature != self._house_signature
        return await self._conform(take, self._house_signature) if is_foreign else clip

    async def _conform(self, take: PlannedTake, accept: str | None) -> HouseClip:
        made = await self.made(take)
        self.task_runs += 1
        if made.is_damaged:
            accept = ""  # Broken frames are mended by encoding; copied, they would be in the film.
        return await conform(
            made.clip,
            conforming_of(self._plan, take, made.candidate, self.house, accept),
            self._studio,
            is_foreign=made.inspection is not None,
            name=f"conform {take.shot}",
            tags=shot_tags(take.shot, take.scene),
            progress=lambda done: report_stage(take.shot, take.take, "conforming", done),
        )

    async def dissolve(self, takes: Sequence[PlannedTake], clips: Sequence[HouseClip]) -> DissolveClip:
        """The dissolve between two takes of the cut that follow each other. Raises MediaError."""
        (before, after), (outgoing, incoming) = takes, clips
        self.task_runs += 1
        name = f"dissolve {before.shot} to {after.shot}"
        return await dissolve(outgoing, incoming, after.edit.join_in, self.house, self._studio, name=name)


async def begin_takes(
    plan: Plan, studio: Studio, run: str, limits: Sequence[Limit], agreed: Collection[str] | None
) -> TakeRuns:
    """The takes of a plan, in the house format of its film.

    `run` and `limits` go into each order. Only takes among `agreed` are ordered; all that are needed if it is None.
    """
    house = HouseFormat.of(plan.format, Settings.read().encoder)
    return TakeRuns(plan, studio, house, await house_signature(house), run, limits, agreed)
