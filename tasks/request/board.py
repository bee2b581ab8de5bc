"""The board that an animatic draws of a shot, and whether there are fonts for its letters."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from storyreel.specs.derived.lines import lines_of_shot
from storyreel.specs.derived.pictures import PictureShot, sheets_of, stills_of
from storyreel.specs.derived.words import words_seen
from storyreel.specs.language.slates import owner_of
from storyreel.specs.language.titles import Card, Credits, Place, Words
from storyreel.specs.problems.phrases import abridged, counted
from storyreel.specs.problems.problem import Problem, StoryboardError
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.specs.translations.file import read_translations
from storyreel.specs.validation.check import FREE
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.media.text.plain import is_plain, needs_shaping
from storyreel.tasks.providers.request import COLOURS, HUES, Attachment, Board, Use, WrittenCard
from storyreel.tasks.request.prompt import fill_names, spoken_lines
from storyreel.tasks.request.unsupported import Unsupported
from storyreel.tasks.settings import Settings

if TYPE_CHECKING:
    # `validate` asks for letters alone, and need not load the decoders of attachments.
    from storyreel.tasks.request.materials import FileDigest

_DRAWING = "2"
"""Increased when letters beyond DejaVu Sans are drawn in another way."""
_CARD_DRAWING = 1
"""Increased when cards and credits are drawn in another way."""
_MOST_LETTERS = 12
_MOST_SHOTS = 4


def own_font(film: Storyboard, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The user's own font for a film: the storyboard's, else the environment's. Raises SettingsError."""
    if film.format.font:
        return Path(film.resolve(film.format.font))
    return Settings.read(environment).font


def display_font(film: Storyboard) -> Path | None:
    """The font file that a film's lettering names; None if it names none."""
    return Path(film.resolve(film.lettering.font)) if film.lettering.font else None


def board_of(
    film: Storyboard,
    shot: Shot,
    frames: int,
    font: Path | None,
    digest: FileDigest,
    seen: Seen | None = None,
    span: tuple[int, int] | None = None,
) -> Board:
    """The board of a shot, a still or a sheet. Raises Unsupported if the user's own font is broken.

    `font` is that font; `seen` are those who are drawn as figures, everybody if left out. `span` are the frames of the
    film in which the shot is seen; without them all titles of the film are expected over it.
    """
    if isinstance(shot, PictureShot) and shot.kind == "sheet":
        board = _of_sheet(film, shot, font)
    elif shot.is_card:
        board, seen = _of_card(film, shot, frames, font), Seen()
    else:
        board = _of_shot(film, shot, frames, font, span)
    seen = seen_in(shot) if seen is None else seen
    if drawn := [key for key in seen.drawn if key in film.cast]:
        colours = cast_colours(tuple(film.cast))
        cast = ((film.names[key], colours[key], _has_long_hair(film.cast[key].description, key)) for key in drawn)
        board = board.model_copy(update={"cast": tuple(cast), "pictured": seen.pictured})
    try:
        letters = _letters(board.texts, font, display_font(film) if shot.is_card else None, digest)
    except (MediaError, OSError) as error:
        message, hint = (error.message, error.hint) if isinstance(error, MediaError) else (str(error), "")
        section = "lettering" if shot.is_card and film.lettering.font else "format"
        raise Unsupported("action", message, hint, (section, "font")) from error
    return board.model_copy(update=letters) if letters else board


def _of_shot(
    film: Storyboard, shot: Shot, frames: int, font: Path | None, span: tuple[int, int] | None = None
) -> Board:
    words = (*(film.titles if span is None else words_seen(film, *span)), *shot.titles)
    places = [_place_of(film, each) for each in words]

    def largest(*beginnings: str) -> Literal["", "small", "large"]:
        sizes = [
            _is_large(film, each) for each, place in zip(words, places, strict=True) if place.startswith(beginnings)
        ]
        return "large" if any(sizes) else "small" if sizes else ""

    scene = film.scene_of(owner_of(shot.shot))
    return Board(
        film=film.title,
        scene=" ".join(filter(None, (scene.scene, scene.heading))) if scene else "",
        slate=shot.shot,
        size=shot.size or "",
        camera=shot.camera.move,
        angle=shot.camera.angle,
        lens=shot.camera.lens,
        action=fill_names(shot.action, film.names),
        dialogue=spoken_lines(film, shot),
        place=film.names[shot.location] if shot.location else "",
        frames=frames,
        rate=film.format.fps,
        font=str(font or ""),
        titled=any(place.startswith("bottom") for place in places),
        headed=largest("top"),
        crossed=largest("middle", "left", "right"),
        subtitled=film.burnt_in_language is not None,
        continues=shot.continues is not None,
        **_guide_voice(film, shot),
    )


def _is_large(film: Storyboard, words: Words) -> bool:
    return words.kind == "title" or (words.style or film.lettering.style) == "vertical"


def _place_of(film: Storyboard, words: Words) -> Place:
    """The place of words over the picture, as written or by their style."""
    if words.place:
        return words.place
    # Imported late: most films have no words, and need no Pillow to be planned.
    from storyreel.tasks.titles.lettering import LOOKS

    return LOOKS[words.style or film.lettering.style].places[words.kind]


def _guide_voice(film: Storyboard, shot: Shot) -> dict[str, str]:
    """The board's `voice` and `language`, if its dialogue is heard and not recorded. Raises SettingsError."""
    if not shot.dialogue or shot.recordings or shot.native_audio == "drop" or isinstance(shot, PictureShot):
        return {}
    from storyreel.tasks.providers.animatic.voice.engine import engine

    found = engine()
    language = (film.speech.language if film.speech else "") or film.own_language
    return {"voice": found.name, "language": language} if found else {}


class Seen(NamedTuple):
    """The people who must be drawn in a shot."""

    drawn: tuple[str, ...] = ()
    """Their keys in the cast."""
    pictured: bool = False
    """Whether a picture shows another person of the shot."""


def seen_in(shot: Shot, attachments: Iterable[tuple[Use, Attachment]] = ()) -> Seen:
    """The people of a shot who must be drawn, because no picture of them is here and none shows the shot itself.

    Into a picture of the place they are drawn, but not into a still, which a clip begins with.
    """
    here = [(use, each.subject) for use, each in attachments if each.is_picture_here]
    if isinstance(shot, PictureShot) and shot.kind == "sheet":
        # The sheet of a place shows no people.
        return Seen((shot.of,)) if not here else Seen()
    if any(use not in ("image", "video") or not subject for use, subject in here):
        return Seen()
    shown = {subject for _, subject in here}
    if isinstance(shot, PictureShot) and here:
        return Seen()
    drawn = tuple(who for who in shot.cast if who not in shown)
    return Seen(drawn, pictured=bool(drawn) and bool(shown - {shot.location}))


@lru_cache(maxsize=16)
def cast_colours(cast: tuple[str, ...]) -> Mapping[str, int]:
    """The numbers of the colours of a film's cast, by their keys.

    Each follows from the key. One that is like another's gives way to the next that is not, if there is one.
    """
    taken: dict[str, int] = {}
    for key in cast:
        wanted = hashlib.sha256(key.encode()).digest()[0]
        numbers = [(wanted + further) % COLOURS for further in range(COLOURS)]
        free = [number for number in numbers if number not in taken.values()]
        clear = (number for number in free if all(_are_unlike(number, other) for other in taken.values()))
        taken[key] = next(chain(clear, free, numbers))
    return taken


_HAIR = (
    r"\b(?:(?P<long>braids?|plaits?|ponytail|bun|bob|curls|long[\w\s]{0,20} hair)"
    r"|(?P<short>bald|shaved|crew cut|short[\w\s]{0,20} hair|beard|moustache)"
    r"|(?P<she>wom[ae]n|girls?|lady|mother|grandmother|sister|daughter|\w{3,}woman|she|her)"
    r"|(?P<he>m[ae]n|boys?|father|grandfather|brother|son|\w{3,}man|he|his))\b"
)
"""Words of a description that tell the hair of a person, those of the hair itself before those of the person."""


def _has_long_hair(description: str, key: str) -> bool:
    """Whether a figure has long hair, by its description in English; if that does not tell, by its key."""
    told = {found.lastgroup for found in re.finditer(_HAIR, description.casefold())}
    for kind in ("long", "short", "she", "he"):
        if kind in told:
            return kind in ("long", "she")
    return bool(hashlib.sha256(key.encode()).digest()[1] % 2)


def _are_unlike(one: int, other: int) -> bool:
    """Whether two colours are not beside each other in the circle of hues, nor two shades of one."""
    apart = (one - other) % HUES
    return 1 < apart < HUES - 1


def _of_card(film: Storyboard, shot: Shot, frames: int, font: Path | None) -> Board:
    """The board of a card. Of the film it has only the lettering: the same words are one card wherever they stand."""
    own = film.lettering
    words: Card | Credits | None = shot.card or shot.credits
    style, colour = (words.style, words.colour) if words else (None, None)
    lettering = own.model_copy(update={"style": style or own.style, "colour": colour or own.colour, "font": None})
    bare = {"style": None, "colour": None}
    written = WrittenCard(
        card=shot.card.model_copy(update=bare) if shot.card else None,
        credits=shot.credits.model_copy(update=bare) if shot.credits else None,
        lettering=lettering,
        drawing=_CARD_DRAWING,
    )
    return Board(
        film="",
        scene="",
        slate=shot.shot,
        size="",
        camera="static",
        action="",
        dialogue=(),
        place="",
        frames=frames,
        rate=film.format.fps,
        font=str(font or ""),
        written=written,
        display_font=str(display_font(film) or ""),
    )


def _of_sheet(film: Storyboard, sheet: PictureShot, font: Path | None) -> Board:
    """The board of a sheet. It has nothing of the film, like a sheet that is bought."""
    noun = film.cast.get(sheet.of) or film.locations[sheet.of]
    return Board(
        film="",
        scene="",
        slate=sheet.shot,
        size="",
        camera="static",
        action=fill_names(". ".join(filter(None, (noun.description, sheet.action))), film.names),
        dialogue=(),
        place=film.names[sheet.of],
        frames=1,
        rate=film.format.fps,
        font=str(font or ""),
    )


def _letters(texts: Iterable[str], font: Path | None, display: Path | None, digest: FileDigest) -> dict[str, object]:
    """The board's `lettering` and `missing`; nothing if all letters are in DejaVu Sans, from left to right.

    Which of several fonts draws a letter is not in them: a film has the same keys on every machine that has its
    letters, and is drawn anew where one was missing.
    """
    special, chosen = [text for text in texts if not is_plain(text)], [file for file in (display, font) if file]
    if not (chosen or special):
        return {}
    # Imported late: with plain texts alone neither fonts nor Pillow are needed.
    from storyreel.tasks.media.text.bidi import has_right_to_left
    from storyreel.tasks.media.text.layout import missing_letters, only_dejavu
    from storyreel.tasks.media.text.typefaces import Fonts

    if not chosen and all(only_dejavu(text) and not has_right_to_left(text) for text in special):
        return {}
    missing = sorted({letter for text in special for letter in missing_letters(text, Fonts(own=font, display=display))})
    return {"lettering": " ".join([_DRAWING, *map(digest, chosen)]), "missing": tuple(missing)}


def film_warnings(film: Storyboard) -> Iterator[str]:
    """The `letter_warnings` of a film that is not planned. Raises StoryboardError for a broken font."""
    font = own_font(film)
    drawn: dict[str, tuple[str, ...]] = {}
    pictures = chain(sheets_of(film, film.all_shots), *map(stills_of, film.all_shots))
    for shot in chain(film.all_shots, pictures):
        if font is None and not shot.is_card and FREE not in shot.services:
            # Nothing of it is drawn, and no font of the user's can be broken.
            drawn[shot.shot] = film.title, shot.shot
            continue
        try:
            unseen = shot.first_frame or shot.references
            seen = Seen() if unseen else Seen(tuple(who for who in shot.cast if not film.cast[who].references))
            # The font's digest is not needed.
            board = board_of(film, shot, 1, font, lambda _: "", seen)
        except Unsupported as broken:
            raise StoryboardError([Problem(film.where(*broken.at), broken.message, broken.hint)]) from broken
        is_drawn = FREE in shot.services and board.lettering and not board.written
        drawn[shot.shot] = board.texts if is_drawn else (film.title, shot.shot)
    yield from letter_warnings(drawn, font)
    yield from words_warnings(film, font)


def words_warnings(film: Storyboard, font: Path | None) -> Iterator[str]:
    """The `letter_warnings` of the titles, cards, credits and burnt-in subtitles of a film."""
    texts = {"the titles": [text for words in film.titles for text in (words.text, words.line)]}
    language = film.burnt_in_language
    translations = None if language is None else read_translations(film)
    for shot in film.all_shots:
        texts[shot.shot] = [text for words in shot.titles for text in (words.text, words.line)]
        if shot.is_card:
            texts[shot.shot] += _of_card(film, shot, 1, None).texts
        if translations and language is not None:
            shown = (translations.text(line.text, language) or line.text for line in lines_of_shot(film, shot))
            texts[shot.shot] += shown
    yield from letter_warnings(texts, font, display_font(film))
    if film.label:
        yield from letter_warnings({"the label": (film.label.visible,)}, font)


def letter_warnings(
    texts: Mapping[str, Iterable[str]], font: Path | None, display: Path | None = None
) -> Iterator[str]:
    """A sentence about letters that no font has, and one about letters that cannot be joined.

    `texts` are those that are drawn, by the slates of their shots; `font` is the user's own, `display` that of titles,
    which comes before it. Raises MediaError if one is broken.
    """
    special_texts = {slate: [text for text in drawn if not is_plain(text)] for slate, drawn in texts.items()}
    if not any(special_texts.values()):
        return
    # Imported late: with plain texts alone neither fonts nor Pillow are needed.
    from storyreel.tasks.media.text.layout import has_raqm, missing_letters
    from storyreel.tasks.media.text.typefaces import Fonts, remedy

    fonts = Fonts(own=font, display=display)
    missing: dict[str, None] = {}
    without: list[str] = []
    unjoined: list[str] = []
    for slate, special in special_texts.items():
        if lacking := [letter for text in special for letter in missing_letters(text, fonts)]:
            missing |= dict.fromkeys(lacking)
            without.append(slate)
        if not has_raqm() and any(map(needs_shaping, special)):
            unjoined.append(slate)
    if missing:
        letters = " ".join([*list(missing)[:_MOST_LETTERS], *(["…"] if len(missing) > _MOST_LETTERS else [])])
        what = f"no font here has {counted(len(missing), 'letter')} of {abridged(without, _MOST_SHOTS)}: {letters}"
        yield f"{what}; they are drawn as empty boxes: {remedy()}"
    if unjoined:
        what = f"letters of {abridged(unjoined, _MOST_SHOTS)} are not joined, as FriBiDi is missing"
        yield f"{what}: apt-get install libfribidi0"
