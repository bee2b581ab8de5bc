"""The parts of a film besides its conformed takes: dissolves, words over the picture, sound, and the pages of its
contact sheet.

Each is made as soon as its clips are there, while other takes are still at the services.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.production.sound_ahead import SoundAhead
from storyreel.flows.production.takes import TakeRuns
from storyreel.flows.production.text.overlays import FilmOverlays
from storyreel.tasks.join.assemble import range_of_body, range_of_dissolve
from storyreel.tasks.join.conform import HouseClip
from storyreel.tasks.join.dissolve import DissolveClip
from storyreel.tasks.join.mux import PictureRange
from storyreel.tasks.join.overlay import OverlaidClip
from storyreel.tasks.join.pieces import HouseCache
from storyreel.tasks.join.shot_picture import find_shot_picture
from storyreel.tasks.media.contact_sheet import Grid, draw_page, examined_picture
from storyreel.tasks.media.ffmpeg import in_thread
from storyreel.tasks.media.text.typefaces import Fonts
from storyreel.tasks.threads import Lane


class FilmParts:
    """The parts of one film. The first caller starts a part, all others wait for the same one."""

    def __init__(
        self,
        plan: Plan,
        takes: TakeRuns,
        sound: SoundAhead,
        overlays: FilmOverlays,
        cache: HouseCache,
        drawing: Lane,
        fonts: Fonts,
    ) -> None:
        self._plan, self._takes, self._sound, self._cache, self._fonts = plan, takes, sound, cache, fonts
        self._overlays, self._drawing = overlays, drawing
        self._events = {event.shot: event for event in plan.cut.events}
        width, height = plan.format.size
        self._ratio = width / height
        self._grid = Grid.of(len(plan.cut.events), self._ratio)
        self._missing = [{event.shot for event in self._grid.events(plan.cut, n)} for n in self._grid.pages(plan.cut)]
        """By page of the contact sheet, the shots that are not conformed yet."""
        shots = [event.shot for event in plan.cut.events]
        self._pairs: dict[str, list[tuple[str, str]]] = {shot: [] for shot in shots}
        for pair in pairwise(shots):
            for shot in pair:
                self._pairs[shot].append(pair)

    def prepare(self, take: PlannedTake) -> None:
        """Begin what can be made now that a take of the cut is conformed. Errors are raised where it is needed."""
        begun: list[asyncio.Future[Any]] = []
        if found := self._takes.conformed(take.shot):
            begun.append(self._picture(take.shot, found[1]))
            begun.extend(self._complete_pages(take.shot))
            begun.extend(self._sound.add(take.shot, found[1]))
            begun.extend(self._overlays.begin(*self._body(take.shot, found[1])))
        for pair in self._pairs[take.shot]:
            before, after = map(self._takes.conformed, pair)
            if before and after and after[0].edit.join_in:
                begun.append(self._lettered_dissolve((before[0], after[0]), (before[1], after[1])))
        for part in begun:
            part.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def dissolves(self, takes: Sequence[PlannedTake], clips: Sequence[HouseClip]) -> dict[str, DissolveClip]:
        """The dissolves between the takes of the cut and their clips, by the shot that each leads into."""
        joins = [n for n, take in enumerate(takes) if take.edit.join_in]
        made = await asyncio.gather(*(self._dissolve(takes[n - 1 : n + 1], clips[n - 1 : n + 1]) for n in joins))
        return {takes[n].shot: clip for n, clip in zip(joins, made, strict=True)}

    async def overlaid(
        self, clips: Sequence[HouseClip], dissolves: Mapping[str, DissolveClip]
    ) -> Mapping[int, OverlaidClip]:
        """The pieces with words over them, by the frame of the film at which each begins. Raises MediaError."""
        bodies = [self._body(event.shot, clip) for event, clip in zip(self._plan.cut.events, clips, strict=True)]
        return await self._overlays.of([*bodies, *(self._joint(*each) for each in dissolves.items())])

    async def pages(self) -> list[bytes]:
        """The pages of the contact sheet. Raises MediaError."""
        return [await self._page(number) for number in self._grid.pages(self._plan.cut)]

    def _complete_pages(self, shot: str) -> list[asyncio.Future[bytes]]:
        """Begin the page for which only this shot was missing."""
        of_shot = [number for number, shots in enumerate(self._missing) if shot in shots]
        for number in of_shot:
            self._missing[number].discard(shot)
        return [self._page(number) for number in of_shot if not self._missing[number]]

    def _page(self, number: int) -> asyncio.Future[bytes]:
        cut = self._plan.cut

        async def draw() -> bytes:
            takes = [await self._takes.take_in_cut(event.shot) for event in self._grid.events(cut, number)]
            pictures = [await self._picture(take.shot, await self._takes.house_clip(take)) for take in takes]
            drawn = partial(draw_page, number, pictures, cut, self._ratio, title=self._plan.name, fonts=self._fonts)
            page = await self._drawing.start(drawn)
            for take in takes:
                self._takes.forget(("picture", take.shot))  # tens of KB each, which are in the page now
            return page

        return self._takes.once(("page", number), draw)

    def _picture(self, shot: str, clip: HouseClip) -> asyncio.Future[bytes]:
        event, rate = self._events[shot], self._plan.cut.rate
        frame, size = event.head + event.frames // 2, (self._grid.width, self._grid.height)

        async def draw() -> bytes:
            middle = event.start + event.frames // 2
            for at, piece in (await self._overlays.of([self._body(shot, clip)])).items():
                if at <= middle < at + piece.frames:
                    return await find_shot_picture(piece, middle - at, event.frames, rate, size, self._cache)
            kept = await in_thread(lambda _: examined_picture(clip.picture, size)) if clip.untouched else b""
            return kept or await find_shot_picture(clip, frame, event.frames, rate, size, self._cache)

        return self._takes.once(("picture", shot), draw)

    def _dissolve(self, takes: Sequence[PlannedTake], clips: Sequence[HouseClip]) -> asyncio.Future[DissolveClip]:
        name = ("dissolve", takes[1].shot, *(clip.picture_digest for clip in clips))
        return self._takes.once(name, lambda: self._takes.dissolve(takes, clips))

    def _lettered_dissolve(self, takes: Sequence[PlannedTake], clips: Sequence[HouseClip]) -> asyncio.Future[Any]:
        async def lettered() -> None:
            made = await self._dissolve(takes, clips)
            await asyncio.gather(*self._overlays.begin(*self._joint(takes[1].shot, made)))

        name = ("lettered dissolve", takes[1].shot, *(clip.picture_digest for clip in clips))
        return self._takes.once(name, lettered)

    def _body(self, shot: str, clip: HouseClip) -> tuple[HouseClip, PictureRange, str]:
        return clip, range_of_body(self._events[shot], clip), f"words over {shot}"

    def _joint(self, shot: str, dissolve: DissolveClip) -> tuple[DissolveClip, PictureRange, str]:
        return dissolve, range_of_dissolve(self._events[shot], dissolve), f"words over the dissolve to {shot}"
