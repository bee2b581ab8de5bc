"""The sound, the words and the subtitles of a film, whose places are frames, moved to another rate.

Each place goes to the frame nearest to its time, as the borders of `Cut.at_rate` do: what begins with a shot stays so.
"""

from __future__ import annotations

from collections.abc import Sequence

from storyreel.flows.production.text.words import DrawnWords
from storyreel.specs.cut import Cut
from storyreel.tasks.join.sound.layers import FilmSound, ShotMix, SoundLayer
from storyreel.tasks.join.text_tracks import TextTrack, TimedLines


class Retimer:
    """Moves what has places in the cut of a film to the same cut at another rate."""

    def __init__(self, film: Cut, other: Cut) -> None:
        self._film, self._other = film, other

    def frame(self, frame: int) -> int:
        """The frame at the other rate."""
        return self._other.rate.frame_at(self._film.rate, frame)

    def sound(self, sound: FilmSound) -> FilmSound:
        """The sound besides the clips, at the rate of the deliverable."""
        if self._other.rate == self._film.rate:
            return sound
        return sound.model_copy(
            update={
                "layers": tuple(map(self._layer, sound.layers)),
                "dialogue": tuple((self.frame(first), self.frame(end)) for first, end in sound.dialogue),
                "lines": tuple((self.frame(first), self.frame(end)) for first, end in sound.lines),
                "mixes": tuple(mix and self._mix(mix) for mix in sound.mixes),
            }
        )

    def words(self, words: Sequence[DrawnWords]) -> list[DrawnWords]:
        """Words over the picture, at the rate of the deliverable."""
        return [
            each._replace(
                start=self.frame(each.start),
                end=self.frame(each.end),
                fades=(self.frame(each.fades[0]), self.frame(each.fades[1])),
            )
            for each in words
        ]

    def tracks(self, tracks: Sequence[TextTrack]) -> list[TextTrack]:
        """Subtitles at the rate of the deliverable; a text that has no frame there is left out."""
        return [track._replace(texts=tuple(filter(_is_seen, map(self._lines, track.texts)))) for track in tracks]

    def _lines(self, lines: TimedLines) -> TimedLines:
        return lines._replace(first=self.frame(lines.first), end=min(self.frame(lines.end), self._other.frames))

    def _layer(self, layer: SoundLayer) -> SoundLayer:
        fades = {key: self._fade(getattr(layer, key)) for key in ("fade_in", "fade_out")}
        start, end = (min(self.frame(frame), self._other.frames) for frame in (layer.start, layer.end))
        return layer.model_copy(update={**fades, "start": start, "end": end, "skipped": self.frame(layer.skipped)})

    def _mix(self, mix: ShotMix) -> ShotMix:
        return mix._replace(fade_in=self.frame(mix.fade_in), fade_out=self.frame(mix.fade_out))

    def _fade(self, frames: int) -> int:
        """The length of a fade at the other rate, at least a frame: a sound that is cut off clicks."""
        return max(1, self.frame(frames)) if frames else 0


def _is_seen(lines: TimedLines) -> bool:
    return lines.first < lines.end
