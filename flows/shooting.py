"""All takes of a film as a graph: each is made once, as soon as what it continues is there, and is then conformed.

The graph is made of futures that are kept by the take's key, so whoever asks for a take first starts it and all
others wait for the same one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from pathlib import Path
from typing import Any, TypeVar

from prefect import task

from flows.plan import Plan, PlannedTake
from specs.frozen import Frozen
from tasks.caching import run_known
from tasks.collect import Take
from tasks.conform import HouseClip, conform, recipe
from tasks.dissolve import Segment, dissolve
from tasks.dissolve import recipe as dissolve_recipe
from tasks.generate import generate
from tasks.media.binary import find
from tasks.media.errors import MediaError
from tasks.media.house import House, house_signature
from tasks.providers.base import ProviderError, Request
from tasks.store.clips import Clip
from tasks.store.ledger import Order
from tasks.studio import Studio
from tasks.watching import tell

Made = TypeVar("Made")

_conform = task(name="conform", persist_result=True)(conform)
_dissolve = task(name="dissolve", persist_result=True)(dissolve)


class Failure(Frozen):
    """A shot that could not be made."""

    shot: str
    take: int
    service: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        by = f" ({self.service})" if self.service else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.shot} take {self.take}{by}: {self.what}{hint}"


class NotMade(Exception):
    """A take was not begun, because the one it continues failed."""


class Shooting:
    """The takes of one run. A take that fails stops only what depends on it."""

    def __init__(self, plan: Plan, studio: Studio, house: House, house_key: str) -> None:
        self._plan = plan
        self._studio = studio
        self._house = house
        self._house_signature = house_key
        self._by_key = {take.key: take for take in plan.takes}
        self._futures: dict[Hashable, asyncio.Future[Any]] = {}
        self.task_runs = 0
        """Prefect tasks begun so far."""

    async def all(self) -> list[Failure]:
        """Make every take and conform the circled ones, as far as that is possible; gives what failed."""
        wanted = [self.house_clip(take) if take.circled else self.clip(take) for take in self._plan.takes]
        outcomes = await asyncio.gather(*wanted, return_exceptions=True)
        failures = []
        for take, outcome in zip(self._plan.takes, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                failure = _failure(take, outcome)
                tell(take.shot, take.take, "failed", detail=failure.what)
                failures.append(failure)
        return failures

    async def house_clips(self) -> list[HouseClip]:
        """The conformed circled takes in the order of the film, all of one signature."""
        clips = [await self.house_clip(take) for take in self._plan.circled]
        if len({clip.signature for clip in clips}) == 1:
            return clips
        # Clips of several encoders cannot lie in one track: what is not in house format is brought into it.
        again = (self._conformed(take, self._house_signature) for take in self._plan.circled)
        return list(await asyncio.gather(*again))

    async def dissolves(self, clips: list[HouseClip]) -> dict[str, Segment]:
        """The dissolves, by the shot that each leads into."""
        joins = [n for n, take in enumerate(self._plan.circled) if take.edit.join_in]
        made = await asyncio.gather(*(self._dissolved(n, clips[n - 1], clips[n]) for n in joins))
        return {self._plan.circled[n].shot: segment for n, segment in zip(joins, made, strict=True)}

    async def end(self) -> None:
        """End what is still under way; nothing is left running when this returns."""
        under_way = [future for future in self._futures.values() if not future.done()]
        for future in under_way:
            future.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def clip(self, take: PlannedTake) -> asyncio.Future[Clip]:
        """The clip of a take."""
        return self._once(("clip", take.key), lambda: self._shoot(take))

    def house_clip(self, take: PlannedTake) -> asyncio.Future[HouseClip]:
        """The conformed clip of a take."""
        accept = None if self._meets_only_cuts else self._house_signature
        return self._once(("house", take.shot), lambda: self._conformed(take, accept))

    @property
    def _meets_only_cuts(self) -> bool:
        """Whether no frame of the film has to be encoded for its transitions."""
        return not any(
            take.edit.join_in or take.edit.join_out or take.edit.fade_in or take.edit.fade_out
            for take in self._plan.circled
        )

    def _once(self, name: Hashable, make: Callable[[], Coroutine[Any, Any, Made]]) -> asyncio.Future[Made]:
        if name not in self._futures:
            self._futures[name] = asyncio.ensure_future(make())
        return self._futures[name]

    async def _shoot(self, take: PlannedTake) -> Clip:
        upstream = None
        if take.continues:
            before = self._by_key[take.continues]
            try:
                upstream = await self.clip(before)
            except Exception as failed:
                raise NotMade(f"not made, because it continues {before.shot}") from failed
        request = take.request if take.state == "cached" else await self._at_hand(take)
        order = Order(
            key=take.key,
            provider=request.provider,
            model=request.model,
            request=request.canonical(),
            film=self._plan.title,
            slate=take.shot,
            take=take.take,
        )
        if take.state == "cached":
            tell(take.shot, take.take, "cached")
        self.task_runs += 1
        return await run_known(
            generate,
            f"{take.shot} take {take.take}",
            take.key,
            lambda clip: self._studio.clips.find(clip.digest) is not None,
            Take(order=order, request=request, timeout=take.timeout),
            self._studio,
            upstream,
            anew=take.state != "cached",
        )

    async def _at_hand(self, take: PlannedTake) -> Request:
        """The request with the picture it begins with as a file, where that is another take's last frame."""
        if not take.continues or take.request.first_frame is None:
            return take.request
        before = self._by_key[take.continues]
        frame = await self._once(("frame", before.key), lambda: self._last_frame(before))
        first = take.request.first_frame.model_copy(update={"source": str(frame) if frame else ""})
        return take.request.model_copy(update={"first_frame": first})

    async def _last_frame(self, take: PlannedTake) -> Path | None:
        """What a shot that continues this take begins with; None when there is no picture."""
        clip, request = await self.clip(take), await self._at_hand(take)
        into = self._studio.house / "frames" / f"{take.key}.png"
        into.parent.mkdir(parents=True, exist_ok=True)
        there = await self._studio.provider(request.provider).last_frame(request, clip.path, into)
        return into if there else None

    async def _conformed(self, take: PlannedTake, accept: str | None) -> HouseClip:
        clip = await self.clip(take)
        key = recipe(clip.digest, take.edit, self._house, take.keep_sound, find().version, accept)
        self.task_runs += 1
        conformed: HouseClip = await run_known(
            _conform,
            f"conform {take.shot}",
            key,
            HouseClip.intact,
            clip.path,
            take.edit,
            self._house,
            keep_sound=take.keep_sound,
            into=self._studio.house / key[:2] / key,
            accept=accept,
            progress=lambda done: tell(take.shot, take.take, "conforming", done),
        )
        tell(take.shot, take.take, "done")
        return conformed

    async def _dissolved(self, number: int, outgoing: HouseClip, incoming: HouseClip) -> Segment:
        """The dissolve into the shot of this number."""
        before, after = self._plan.circled[number - 1].shot, self._plan.circled[number]
        key = dissolve_recipe(outgoing, incoming, after.edit.join_in, self._house, find().version)
        self.task_runs += 1
        return await run_known(
            _dissolve,
            f"dissolve {before} to {after.shot}",
            key,
            Segment.intact,
            outgoing,
            incoming,
            after.edit.join_in,
            self._house,
            into=self._studio.house / key[:2] / key,
        )


async def begin(plan: Plan, studio: Studio) -> Shooting:
    """A shooting for a plan, in the house format of its film."""
    house = House.of(plan.format)
    return Shooting(plan, studio, house, await house_signature(house))


def _failure(take: PlannedTake, error: BaseException) -> Failure:
    """A failure in words. What is no failure of a service, a file or ffmpeg is a fault of ours and goes up."""
    if isinstance(error, NotMade):
        return Failure(shot=take.shot, take=take.take, service="", what=str(error))
    if isinstance(error, ProviderError):
        return Failure(
            shot=take.shot, take=take.take, service=take.request.provider, what=error.message, hint=error.hint
        )
    if isinstance(error, MediaError):
        return Failure(shot=take.shot, take=take.take, service="", what=error.message, hint=error.hint)
    raise error
