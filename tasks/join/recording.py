"""Recordings that are laid under a shot in the place of its clip's own sound."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Self

import ffmpeg
from ffmpeg.nodes import FilterableStream

from storyreel.specs.cut import EditPoints
from storyreel.specs.frozen import Frozen
from storyreel.specs.timing import SAMPLE_RATE, FrameRate
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.ffmpeg import run
from storyreel.tasks.media.pcm import house_sound
from storyreel.tasks.media.probe import open_clip, sound_stream
from storyreel.tasks.providers.request import Attachment, Request
from storyreel.tasks.storage.digests import file_digest


class LaidSound(Frozen):
    """Recordings that replace the sound of a clip, one after another."""

    files: tuple[Path, ...]
    digests: tuple[str, ...]
    """SHA-256, in hex, of each file as it was when the film was planned."""
    with_picture: bool
    """Whether the clip was made to them: they begin with its first frame, used or not. Else they begin with the shot,
    after the handle at its head."""
    begins: int = 0
    """The frame of the shot with which they begin, if the clip was not made to them."""

    @classmethod
    def of(cls, recordings: Sequence[Attachment], request: Request, begins: int = 0) -> Self | None:
        """The recordings that replace the sound of the clip of a request, from a frame of the shot on; None if there
        are none."""
        if not recordings:
            return None
        return cls(
            files=tuple(Path(recording.source) for recording in recordings),
            digests=tuple(recording.content_digest for recording in recordings),
            with_picture=request.sound is not None,
            begins=begins,
        )

    @property
    def facts(self) -> tuple[object, ...]:
        """All that its samples depend on, besides the edit points."""
        later = (self.begins,) if self.begins and not self.with_picture else ()
        return self.digests, self.with_picture, *later

    def start(self, edit: EditPoints) -> int:
        """The frame of the conformed clip with which they begin; before its first one if it is below 0."""
        return edit.hold_head - edit.first if self.with_picture else edit.join_in // 2 + self.begins

    def samples(self, edit: EditPoints, rate: FrameRate) -> FilterableStream:
        """The recordings from the first sample of the conformed clip on. Raises MediaError if one cannot be read."""
        joined = ffmpeg.concat(*map(_samples_of, self.files), v=0, a=1)
        start = self.start(edit)
        if start < 0:
            return joined.filter("atrim", start_sample=rate.sample_at(-start)).filter("asetpts", "PTS-STARTPTS")
        return joined.filter("adelay", f"{rate.sample_at(start)}S", all=1) if start else joined

    def check(self) -> None:
        """Return if the files are still what was planned. Raises MediaError."""
        for file, digest in zip(self.files, self.digests, strict=True):
            if file_digest(file) != digest:
                hint = "run the same command again, which plans with the file as it is now"
                raise MediaError(f"{file} was changed after the film was planned", hint=hint)


async def write_after_silence(file: Path, seconds: Fraction, into: Path) -> None:
    """Write a recording after so much silence, as WAV. Raises MediaError."""
    sound = _samples_of(file).filter("adelay", f"{round(seconds * SAMPLE_RATE)}S", all=1)
    await run(ffmpeg.output(sound, str(into), **{"c:a": "pcm_s16le", "fflags": "+bitexact", "flags:a": "+bitexact"}))


def _samples_of(file: Path) -> FilterableStream:
    with open_clip(file) as opened:
        stream = sound_stream(opened)
        if stream is None:
            raise MediaError(f"{file} has no sound in it", hint="record or export it again, or name another file")
        index, channels = stream.index, stream.codec_context.channels
    sound = ffmpeg.input(str(file.absolute()))[str(index)]
    # A file whose first sample is late would begin late, and the one after it with it.
    return house_sound(sound.filter("asetpts", "PTS-STARTPTS"), channels).filter("asetpts", f"N/{SAMPLE_RATE}/TB")
