"""What has a place in a film keeps its time in the same film at another rate."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from storyreel.flows.production.deliverables.retimed import Retimer
from storyreel.flows.production.text.words import DrawnWords
from storyreel.specs.cut import Cut, Event
from storyreel.specs.timing import FrameRate
from storyreel.tasks.join.sound.layers import FilmSound, ShotMix, SoundLayer
from storyreel.tasks.join.text_tracks import TextTrack, TimedLines

FILM = Cut(FrameRate.parse(24), (Event("1A", 0, 48), Event("1B", 48, 49)))
"""97 frames: 101 at 25 fps, 49 at 12 (48.5, and a half goes up)."""


def retimer(rate: float) -> Retimer:
    return Retimer(FILM, FILM.at_rate(FrameRate.parse(rate)))


def test_sound_begins_and_ends_with_the_shots_that_it_began_and_ended_with() -> None:
    layer = SoundLayer(file=Path("a.wav"), gain=0, start=48, end=97, fade_in=1, fade_out=12, skipped=24)
    sound = FilmSound(layers=(layer,), dialogue=((0, 48),), lines=((10, 97),), mixes=(None, ShotMix(-3, 24, 0)))
    moved = retimer(12).sound(sound)
    (again,) = moved.layers
    assert (again.start, again.end, again.skipped) == (24, 49, 12)
    # The shortest fade stays one, so that nothing clicks.
    assert (again.fade_in, again.fade_out) == (1, 6)
    assert moved.dialogue == ((0, 24),) and moved.lines == ((5, 49),) and moved.mixes == (None, ShotMix(-3, 12, 0))
    assert Retimer(FILM, FILM).sound(sound) is sound


def test_words_and_subtitles_stay_on_their_shots_and_inside_the_film() -> None:
    def draw() -> tuple[Image.Image, tuple[int, int]]:
        return Image.new("RGBA", (2, 2)), (0, 0)

    (words,) = retimer(25).words([DrawnWords(48, 97, (12, 12), draw)])
    assert (words.start, words.end, words.fades, words.draw) == (50, 101, (13, 13), draw)
    track = TextTrack("eng", "", (TimedLines(0, 1, "gone"), TimedLines(1, 48, "kept"), TimedLines(48, 97, "last")))
    (again,) = retimer(12).tracks([track])
    # One frame of 24 is half of one of 12: the first goes up to one, and none is left empty.
    assert [(each.first, each.end, each.text) for each in again.texts] == [
        (0, 1, "gone"), (1, 24, "kept"), (24, 49, "last"),
    ]  # fmt: skip
    short = TextTrack("eng", "", (TimedLines(2, 3, "x"), TimedLines(4, 5, "y")))
    assert [lines.first for lines in retimer(12).tracks([short])[0].texts] == [1, 2]
