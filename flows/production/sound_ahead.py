"""Encodes the sound of a film while its takes are still made: each piece as soon as the clips heard in it are there.

Of a film that is brought to a level it measures instead: the gain is not known before all of it is there.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial
from typing import Any, TypeAlias

from storyreel.flows.production.takes import TakeRuns
from storyreel.specs.cut import Cut
from storyreel.tasks.join.conform import HouseClip
from storyreel.tasks.join.sound.clips import ClipSound, ClipsSound
from storyreel.tasks.join.sound.encode import Stretch, encode_piece, stretches
from storyreel.tasks.join.sound.layers import FilmSound
from storyreel.tasks.join.sound.level import Block, blocks, measure_block
from storyreel.tasks.join.sound.mix import MixedSound, mixed_sound, reach
from storyreel.tasks.studio import Studio

Place: TypeAlias = Stretch | Block


class SoundAhead:
    """The sound of one film. What is made is found again in the house cache when the film is joined."""

    def __init__(self, cut: Cut, takes: TakeRuns, studio: Studio, sound: FilmSound) -> None:
        self._takes, self._studio, self._rate, self._sound = takes, studio, cut.rate, sound
        self._numbers = {event.shot: number for number, event in enumerate(cut.events)}
        self._sounds: list[ClipSound | None] = [None] * len(cut.events)
        self._clips = ClipsSound(cut, self._sounds, sound.mixes)
        length = self._clips.length
        places: list[Place] = list(blocks(length) if sound.master else stretches(length))
        spans = {place: place[:2] if sound.is_plain else reach(*place[:2], length) for place in places}
        self._awaited = {place: self._clips.clips(*span) for place, span in spans.items()}
        self._heard_in: dict[int, list[Place]] = defaultdict(list)
        for place, clips in self._awaited.items():
            for clip in clips:
                self._heard_in[clip].append(place)

    def add(self, shot: str, clip: HouseClip) -> list[asyncio.Future[Any]]:
        """Begin the pieces for which only this shot's clip was missing. They are cancelled with the takes."""
        number = self._numbers[shot]
        self._sounds[number] = clip.raw_sound
        complete = []
        for place in self._heard_in.pop(number, ()):
            self._awaited[place].discard(number)
            if not self._awaited[place]:
                complete.append(place)
        return [self._takes.once(("sound", place), partial(self._make, place)) for place in complete]

    async def _make(self, place: Place) -> Any:
        cache = self._studio.house_cache
        if self._sound.is_plain and isinstance(place, Stretch):
            return await encode_piece(self._clips, place, cache)
        mix: MixedSound = await self._takes.once(("mixed sound",), self._mix)
        if isinstance(place, Block):
            return await measure_block(mix, place, cache)
        return await encode_piece(mix, place, cache)

    async def _mix(self) -> MixedSound:
        return await mixed_sound(self._clips, self._sound, self._rate, self._studio.house_cache)
