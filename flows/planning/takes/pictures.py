"""The stills and sheets among a film's takes: their order, which of them a shot is made of, which must be approved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from storyreel.flows.planning.model import PlannedTake
from storyreel.specs.derived.pictures import PictureShot, sheets_of, stills_of
from storyreel.specs.language.slates import owner_of, picture_slate
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.tasks.providers.request import Request
from storyreel.tasks.request.attachments import STILL
from storyreel.tasks.request.materials import NO_PICTURES, Pictures

STAND_IN = "animatic"
"""The service that draws what is neither selected nor made yet."""


def with_pictures(shots: Sequence[Shot], film: Storyboard) -> Iterator[Shot]:
    """The shots, each after its stills, and the sheets of whom they show before all; `film` says what pictures there
    are, whichever the shots are of: the film's, or those of its draft, which has the same pictures."""
    written = {shot.shot: shot for shot in film.all_shots}
    yield from sheets_of(film, film.all_shots)
    for shot in shots:
        yield from stills_of(written[shot.shot])
        yield shot


def pictures_of(film: Storyboard, shot: Shot, identity_of: Callable[[str], str]) -> Pictures:
    """The pictures that a shot, or a still, is made of, by `identity_of` their slates; empty for one that is not."""
    if isinstance(shot, PictureShot) and shot.kind == "sheet":
        return NO_PICTURES
    shown = film.sheets_of(shot)
    if not (shown or shot.still or shot.last_still):
        return NO_PICTURES
    sheets = ((key, identity_of(picture_slate(key, "sheet"))) for key in shown)
    return Pictures(
        still=identity_of(picture_slate(shot.shot, "still")) if shot.still else "",
        last_still=identity_of(picture_slate(shot.shot, "last still")) if shot.last_still else "",
        sheets=tuple((key, identity) for key, identity in sheets if identity),
    )


def pictures_in(requests: Iterable[Request]) -> tuple[str, ...]:
    """The identities of the pictures that requests are made with, each once."""
    digests = (attachment.digest for request in requests for _, attachment in request.attachments)
    return tuple(dict.fromkeys(digest.removeprefix(STILL) for digest in digests if digest.startswith(STILL)))


def used_take(takes: Sequence[PlannedTake]) -> PlannedTake:
    """The take of a picture that shots are made of: the circled one, else the last."""
    return next((take for take in takes if take.circled), takes[-1])


def is_spare(picture: PlannedTake, takes: Sequence[PlannedTake]) -> bool:
    """Whether a film can do without a picture that was paid before and is lost: all that is made of it is in the
    store, or is such a picture itself."""
    if not picture.is_picture or picture.state == "new":
        return False
    made_of_it = (take for take in takes if picture.identity in take.pictures)
    return all(take.state == "cached" or is_spare(take, takes) for take in made_of_it)


def with_waits(takes: Iterable[PlannedTake]) -> Iterator[PlannedTake]:
    """The takes, those marked that wait for the approval of a still or for speech, each after what it needs.

    What costs nothing does not wait: a still is looked at in an animatic, too, and one run draws what lasts as long as
    the speech that it makes.
    """
    takes = list(takes)
    asked = [take for take in takes if take.kind != "clip" and take.needs_review]
    approved = {take.shot for take in asked if take.review == "approved"}
    waited_for = [take for take in asked if take.shot not in approved]
    waited_for += [take for take in takes if take.kind == "speech" and take.state != "cached"]
    slates = dict[str, dict[str, str]]()
    """By identity the slates of a still or a line, by their shots: that of shots which say the same is one take."""
    for take in waited_for:
        slates.setdefault(take.identity, {})[owner_of(take.shot)] = take.shot
    if not slates:
        yield from takes
        return
    waiting: dict[str, tuple[str, ...]] = {}
    for take in takes:
        waits_for = waiting.get(take.continues or "", ())
        if not take.chosen.is_free:
            waits_for += tuple(_slate(slates[each], take) for each in (*take.pictures, *take.speech) if each in slates)
        if waits_for and take.state == "new":
            waiting[take.identity] = waits_for
            yield take.model_copy(update={"waits_for": tuple(dict.fromkeys(waits_for))})
        else:
            yield take


def _slate(slates: Mapping[str, str], take: PlannedTake) -> str:
    """Of the slates of a still or a line, by their shots, the take's own; another's if it has none."""
    return slates.get(take.shot, next(iter(slates.values())))
