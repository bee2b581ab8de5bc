"""The words over the picture of a film, each at its frames."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from storyreel.specs.cut import Cut
from storyreel.specs.derived.words import placed_words
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.media.text.typefaces import Fonts
from storyreel.tasks.titles.typeset import Placed
from storyreel.tasks.titles.words import draw_words


class DrawnWords(NamedTuple):
    """Words over the frames `[start, end)` of the film. They are drawn when the first clip beneath is there."""

    start: int
    end: int
    fades: tuple[int, int]
    """Frames in which they come and go."""
    draw: Callable[[], Placed]


def words_over(film: Storyboard, cut: Cut, size: tuple[int, int], fonts: Fonts) -> list[DrawnWords]:
    """All words over the picture of a film of this size, the lower first."""
    lettering = film.lettering
    own = Path(film.resolve(lettering.font)) if lettering.font else None
    fonts = fonts.model_copy(update={"display": own})
    return [
        DrawnWords(
            each.start, each.end, (each.fade, each.fade), partial(draw_words, each.words, lettering, size, fonts)
        )
        for each in placed_words(film, cut)
    ]
