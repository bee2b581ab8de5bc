"""Encodes the sound of a film while its takes are still made: each piece as soon as the clips heard in it are there."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial
from typing import Any

from storyreel.flows.production.takes import TakeRuns
from storyreel.specs.cut import Cut
from storyreel.tasks.join.conform import HouseClip
from storyreel.tasks.join.sound_pieces import Stretch, encode_piece, stretches
from storyreel.tasks.join.sound_track import ClipSound, ClipsSound
from storyreel.tasks.studio import Studio


class SoundAhead:
    """The sound of one film. What is encoded is found again in the house cache when the film is joined."""

    def __init__(self, cut: Cut, takes: TakeRuns, studio: Studio) -> None:
        self._takes = takes
        self._numbers = {event.shot: number for number, event in enumerate(cut.events)}
        self._sounds: list[ClipSound | None] = [None] * len(cut.events)
        self._sound = ClipsSound(cut, self._sounds)
        self._encode = partial(encode_piece, self._sound, cache=studio.house_folder, shared=studio.shared_pieces)
        self._awaited = {place: self._sound.clips(place.start, place.end) for place in stretches(self._sound.length)}
        self._heard_in: dict[int, list[Stretch]] = defaultdict(list)
        for place, clips in self._awaited.items():
            for clip in clips:
                self._heard_in[clip].append(place)

    def add(self, shot: str, clip: HouseClip) -> list[asyncio.Future[Any]]:
        """Begin to encode the pieces for which only this shot's clip was missing. They are cancelled with the takes."""
        number = self._numbers[shot]
        self._sounds[number] = clip.raw_sound
        complete = []
        for place in self._heard_in.pop(number, ()):
            self._awaited[place].discard(number)
            if not self._awaited[place]:
                complete.append(place)
        return [self._takes.once(("sound", place), partial(self._encode, place)) for place in complete]
