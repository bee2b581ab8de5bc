"""Words over the picture that would lie over each other, by the places at which they are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice

from storyreel.flows.planning.finishing.subtitles import subtitle_tracks
from storyreel.specs.cut import Cut
from storyreel.specs.derived.lines import Lengths
from storyreel.specs.derived.reading import place_of
from storyreel.specs.derived.words import PlacedWords, placed_words
from storyreel.specs.language.finishing.imprint import Label
from storyreel.specs.problems.phrases import abridged, shown
from storyreel.specs.storyboard import Storyboard
from storyreel.specs.translations.file import read_translations
from storyreel.tasks.join.label_mark import LabelMark
from storyreel.tasks.request.board import display_font, own_font
from storyreel.tasks.subtitles.cues import Cue
from storyreel.tasks.titles.typeset import Placed

_MOST_CUES = 12
"""Subtitles, or words, that are drawn to see whether they reach others: each takes milliseconds."""
_VISIBLE = 100
"""Opacity, of 255, from which a pixel is more than a shadow."""

_Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels."""


def overlap_warnings(film: Storyboard, cut: Cut, lengths: Lengths) -> Iterator[str]:
    """A sentence for words of different kinds at one place at the same time, for those that subtitles lie over, and for
    what hides the label.

    Words with the same written place are left to `reading_warnings`. Raises MediaError.
    """
    words = sorted(placed_words(film, cut), key=lambda each: each.start)
    box = cache(lambda number: _box_of_words(film, words[number]))
    open_: list[int] = []
    for number, each in enumerate(words):
        open_ = [before for before in open_ if min(words[before].end, cut.frames) > each.start]
        for before in open_:
            is_told = place_of(words[before].words) == place_of(each.words)
            if not is_told and _meet(words[before], each, cut) and _overlap(box(before), box(number)):
                seconds = float(cut.rate.seconds(min(words[before].end, each.end, cut.frames) - each.start))
                both = f"{_name(each)} and {_name(words[before])}"
                yield f"{both} are at one place for {seconds:.2g} s: write another `place` for one of them"
        open_.append(number)
    cues = _burnt_in(film, cut, lengths)
    yield from _below_subtitles(film, cues, words)
    if film.label:
        yield from _over_label(film, film.label, cues, words)


def _burnt_in(film: Storyboard, cut: Cut, lengths: Lengths) -> Sequence[Cue]:
    """The subtitles in the picture."""
    if film.burnt_in_language is None:
        return ()
    tracks = subtitle_tracks(film, cut, lengths, read_translations(film))
    return next((track.cues for track in tracks if track.language == film.burnt_in_language), ())


def _over_label(film: Storyboard, label: Label, cues: Sequence[Cue], words: Sequence[PlacedWords]) -> Iterator[str]:
    """Warnings of words and subtitles over the label. Only the first few are tried: most films have them in the same
    places throughout."""
    mark = LabelMark(text=label.visible, corner=label.corner, font=own_font(film))
    image, at = mark.drawn(film.format.size)
    own = _box(Placed(image, at))
    over = [_name(each) for each in words[:_MOST_CUES] if _overlap(own, _box_of_words(film, each))]
    over += ["the subtitles"] if any(_overlap(own, _box_of_subtitle(film, cue)) for cue in cues[:_MOST_CUES]) else []
    if over:
        *others, last = over
        both = f"{', '.join(others)} and {last}" if others else last
        yield f"{both} would be over the label: write another `corner` for it"


def _below_subtitles(film: Storyboard, cues: Sequence[Cue], words: Sequence[PlacedWords]) -> Iterator[str]:
    box = cache(lambda cue: _box_of_subtitle(film, cue))
    for each in words:
        near = islice((cue for cue in cues if cue.first < each.end and cue.end > each.start), _MOST_CUES)
        own: _Box | None = None
        over: dict[str, None] = {}
        for cue in near:
            own = own or _box_of_words(film, each)
            if _overlap(own, box(cue)):
                over[cue.shot] = None
        if over:
            yield f"the subtitles of {abridged(over)} lie over {_name(each)}: write another `place` for it"


def _meet(one: PlacedWords, other: PlacedWords, cut: Cut) -> bool:
    """Whether both are seen at once for longer than one goes while the other comes."""
    return other.start < min(one.end, cut.frames) - min(one.fade, other.fade)


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _name(placed: PlacedWords) -> str:
    return f"“{shown(placed.words.text, 30)}”"


def _box_of_words(film: Storyboard, placed: PlacedWords) -> _Box:
    from storyreel.tasks.media.text.typefaces import Fonts
    from storyreel.tasks.titles.words import draw_words

    fonts = Fonts(own=own_font(film), display=display_font(film))
    return _box(draw_words(placed.words, film.lettering, film.format.size, fonts))


def _box_of_subtitle(film: Storyboard, cue: Cue) -> _Box:
    from storyreel.tasks.media.text.typefaces import Fonts
    from storyreel.tasks.titles.words import draw_subtitle

    fonts = Fonts(own=own_font(film), display=display_font(film))
    style = film.subtitles.style if film.subtitles else None
    return _box(draw_subtitle(cue.lines, film.lettering, film.format.size, fonts, style))


def _box(drawn: Placed) -> _Box:
    seen = drawn.image.getchannel("A").point(lambda opacity: 255 * (opacity >= _VISIBLE)).getbbox() or (0, 0, 0, 0)
    (x, y), (left, top, right, bottom) = drawn.at, seen
    return x + left, y + top, x + right, y + bottom
