"""The stills and sheets of a film, each written as a shot of its own: it is planned, made and reviewed as shots are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from storyreel.specs.language.slates import PictureKind, picture_slate
from storyreel.specs.language.stills import Still
from storyreel.specs.problems.problem import KeyPath
from storyreel.specs.storyboard import CastMember, Location, Mode, Review, Shot, Storyboard


class PictureShot(Shot):
    """A still of a shot, or the sheet of a person or a place: as a shot that is one picture."""

    kind: PictureKind
    of: str
    """The slate of the shot, or the key of the person or place."""
    of_action: str
    """The action of the shot; empty for a sheet."""

    @property
    def has_own_words(self) -> bool:
        """Whether its action is not that of the shot, but words for the picture."""
        return self.action != self.of_action


def pictures_of_film(film: Storyboard) -> Iterator[PictureShot]:
    """All stills and sheets that a film is made with, each after those that it is made of."""
    yield from sheets_of(film, film.all_shots)
    yield from chain.from_iterable(map(stills_of, film.all_shots))


def path_of_picture(film: Storyboard, picture: PictureShot) -> KeyPath:
    """The path in the file of what asks for a picture; it is not there if that is in the defaults."""
    if picture.kind == "sheet":
        return ("cast" if picture.of in film.cast else "locations", picture.of, "sheet")
    path = next(path for path, shot in film.placed_shots if shot.shot == picture.of)
    return (*path, picture.kind.replace(" ", "_"))


def made_of(film: Storyboard) -> dict[str, set[str]]:
    """The slates that each shot and picture of a film is made of: the shot that it continues or edits, its stills, and
    the sheets of the people whom it shows."""
    found: dict[str, set[str]] = {}
    for shot in film.all_shots:
        sheets = {picture_slate(key, "sheet") for key in film.sheets_of(shot)}
        stills = [picture.shot for picture in stills_of(shot)]
        found |= dict.fromkeys(stills, sheets)
        # Who is seen is in the still; a picture to begin with is sent alone.
        shows = shot.mode is Mode.REFERENCE or not (shot.mode or shot.still or shot.edits_another)
        found[shot.shot] = {*stills, *filter(None, (shot.upstream,)), *(sheets if shows else ())}
    return found


def stills_of(shot: Shot) -> Iterator[PictureShot]:
    """The stills of a shot, the first one first."""
    kinds: tuple[tuple[PictureKind, Still | None], ...] = (("still", shot.still), ("last still", shot.last_still))
    for kind, still in kinds:
        if still:
            yield _picture(shot, still, kind, shot.shot, shot.action)


def sheets_of(film: Storyboard, shots: Iterable[Shot]) -> Iterator[PictureShot]:
    """The sheets of all persons and places that are seen in some shots, each once."""
    for key in dict.fromkeys(key for shot in shots for key in film.sheets_of(shot)):
        noun: CastMember | Location = film.cast.get(key) or film.locations[key]
        if noun.sheet:
            seen = {"cast": (key,)} if key in film.cast else {"location": key}
            # It is the same in every film, so nothing of a single shot or scene is in it.
            shot = Shot.model_construct(
                shot=key,
                action="",
                provider=film.defaults.provider,
                providers=film.defaults.providers,
                stills=film.defaults.stills,
                timeout=film.defaults.timeout,
                fallback_on_refusal=film.defaults.fallback_on_refusal,
                **seen,
            )
            yield _picture(shot, noun.sheet, "sheet", key, "")


def _picture(shot: Shot, still: Still, kind: PictureKind, of: str, action: str) -> PictureShot:
    approval = shot.review.still if kind != "sheet" else "none"
    own = {
        "shot": picture_slate(of, kind),
        "action": still.prompt or action,
        "takes": still.takes or shot.stills.takes,
        "circled": still.circled,
        "seed": still.seed,
        "review": Review.model_construct(clip=approval),
        "still": None, "last_still": None, "first_frame": None, "last_frame": None, "continues": None, "edit": None,
        "dialogue": (), "sound": None, "mode": None, "model": shot.stills.model,
        "kind": kind, "of": of, "of_action": action,
    }  # fmt: skip
    if services := shot.stills.services:
        own |= {"provider": services[0], "providers": services if len(services) > 1 else ()}
    else:
        own |= {"provider": shot.services[0], "providers": ()}
    return PictureShot.model_construct(**{**shot.__dict__, **own})
