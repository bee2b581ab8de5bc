"""Encodes the sound of a film while its takes are still made: each piece as soon as the clips heard in it are there."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from storyreel.flows.production.takes import TakeRuns
from storyreel.specs.cut import Cut
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.join.conform import HouseClip
from storyreel.tasks.join.mix import reach, with_music
from storyreel.tasks.join.music import MusicTrack
from storyreel.tasks.join.pieces import SoundPiece
from storyreel.tasks.join.sound_pieces import Stretch, encode_piece, stretches
from storyreel.tasks.join.sound_track import ClipSound, ClipsSound, RawSound
from storyreel.tasks.studio import Studio


def music_under(film: Storyboard, cut: Cut) -> list[MusicTrack]:
    """The music of a film, with its places in the cut."""
    return [MusicTrack.of(music, Path(film.resolve(music.file)), cut.rate, cut.frames) for music in film.music]


def shots_with_dialogue(film: Storyboard) -> set[str]:
    """The shots under which music that ducks is lowered: those in which a line is written or a recording is heard."""
    return {shot.shot for shot in film.all_shots if shot.dialogue or shot.recordings}


class SoundAhead:
    """The sound of one film. What is encoded is found again in the house cache when the film is joined."""

    def __init__(
        self, cut: Cut, takes: TakeRuns, studio: Studio, music: Sequence[MusicTrack], spoken: Collection[str]
    ) -> None:
        self._takes, self._studio = takes, studio
        self._numbers = {event.shot: number for number, event in enumerate(cut.events)}
        self._sounds: list[ClipSound | None] = [None] * len(cut.events)
        self._clips = ClipsSound(cut, self._sounds)
        self._mix = partial(with_music, self._clips, music, cut, spoken, studio.house_folder)
        length = self._clips.length
        spans = {place: reach(place.start, place.end, length) if music else place[:2] for place in stretches(length)}
        self._awaited = {place: self._clips.clips(*span) for place, span in spans.items()}
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

    async def _encode(self, place: Stretch) -> SoundPiece:
        sound: RawSound = await self._takes.once(("mixed sound",), self._mix)
        return await encode_piece(sound, place, self._studio.house_folder, shared=self._studio.shared_pieces)
