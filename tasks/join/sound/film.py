"""The sound of a whole film: as it is joined, mixed with what else is heard, or brought to a level."""

from __future__ import annotations

from collections.abc import Sequence

from storyreel.specs.cut import Cut
from storyreel.tasks.join.pieces import HouseCache, SoundPiece
from storyreel.tasks.join.sound.clips import ClipSound, ClipsSound
from storyreel.tasks.join.sound.encode import encode_sound
from storyreel.tasks.join.sound.layers import FilmSound
from storyreel.tasks.join.sound.level import ReachedLevel, encode_at_level
from storyreel.tasks.join.sound.mix import mixed_sound
from storyreel.tasks.media.pcm import SoundCodec
from storyreel.tasks.progress import Progress


async def encode_film_sound(
    cut: Cut, clips: Sequence[ClipSound | None], sound: FilmSound, cache: HouseCache, *, codec: SoundCodec = "aac",
    progress: Progress | None = None,
) -> tuple[list[SoundPiece], ReachedLevel | None]:  # fmt: skip
    """The pieces of a film's sound, as of `encode_sound`, and its level if one is asked for. Raises MediaError.

    `clips` are the sounds of the cut's events.
    """
    joined = ClipsSound(cut, clips, sound.mixes)
    if sound.is_plain:
        return await encode_sound(joined, cache, codec=codec, progress=progress), None
    mix = await mixed_sound(joined, sound, cut.rate, cache, codec)
    if sound.master is None:
        return await encode_sound(mix, cache, codec=codec, progress=progress), None
    return await encode_at_level(mix, sound.master, cache, progress=progress)
