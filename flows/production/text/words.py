"""The words over the picture of a film, each at its frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from storyreel.flows.planning.finishing.subtitles import SubtitleTrack
from storyreel.specs.cut import Cut
from storyreel.specs.derived.words import placed_words
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.media.text.typefaces import Fonts
from storyreel.tasks.titles.typeset import Placed
from storyreel.tasks.titles.words import draw_subtitle, draw_words


class DrawnWords(NamedTuple):
    """Words over the frames `[start, end)` of the film. They are drawn when the first clip beneath is there."""

    start: int
    end: int
    fades: tuple[int, int]
    """Frames in which they come and go."""
    draw: Callable[[], Placed]


def words_over(film: Storyboard, cut: Cut, size: tuple[int, int], fonts: Fonts) -> list[DrawnWords]:
    """All words over the picture of a film of this size, the lower first."""
    lettering, fonts = film.lettering, _with_lettering(fonts, film)
    return [
        DrawnWords(
            each.start, each.end, (each.fade, each.fade), partial(draw_words, each.words, lettering, size, fonts)
        )
        for each in placed_words(film, cut)
    ]


def subtitles_over(
    film: Storyboard, tracks: Sequence[SubtitleTrack], size: tuple[int, int], fonts: Fonts
) -> list[DrawnWords]:
    """The subtitles in the picture of a film of this size: those of one of its tracks, or none."""
    track = next((track for track in tracks if track.language == film.burnt_in_language), None)
    if track is None or film.subtitles is None:
        return []
    draw = partial(
        draw_subtitle, lettering=film.lettering, size=size, fonts=_with_lettering(fonts, film),
        style=film.subtitles.style,
    )  # fmt: skip
    return [DrawnWords(cue.first, cue.end, (0, 0), partial(draw, cue.lines)) for cue in track.cues]


def _with_lettering(fonts: Fonts, film: Storyboard) -> Fonts:
    """Fonts with the file that the film's lettering names."""
    own = Path(film.resolve(film.lettering.font)) if film.lettering.font else None
    return fonts.model_copy(update={"display": own})
