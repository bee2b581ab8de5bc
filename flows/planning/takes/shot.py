"""Plans the takes of one shot: a candidate for each take and each of its services."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from pathlib import Path

from storyreel.flows.planning.candidate import Candidate
from storyreel.flows.planning.drafts import with_seeds
from storyreel.flows.planning.model import PlannedTake, TakeKind
from storyreel.flows.planning.takes.pictures import STAND_IN, pictures_in
from storyreel.flows.planning.takes.upstream import anchor_of, as_edited
from storyreel.specs.cut import Anchor, EditPoints, Event, edit_points
from storyreel.specs.derived.lines import pad_of
from storyreel.specs.derived.pictures import PictureShot
from storyreel.specs.derived.speech import LineShot
from storyreel.specs.language.slates import owner_of
from storyreel.specs.money import Money
from storyreel.specs.problems.phrases import listed, shown, suggestion
from storyreel.specs.storyboard import Format, Shot, Storyboard
from storyreel.specs.timing import Duration
from storyreel.tasks.join.label_mark import LabelMark
from storyreel.tasks.media.grading.grade import Grading
from storyreel.tasks.prices.price_list import PriceList, Quote
from storyreel.tasks.providers import load, names
from storyreel.tasks.providers.models import find_capability
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.request import Attachment, Crop, Request, Use
from storyreel.tasks.request.attachments import SPEECH, STILL
from storyreel.tasks.request.board import own_font
from storyreel.tasks.request.brief import attachment_name, brief_of
from storyreel.tasks.request.build import build_edits, build_requests, given_frames
from storyreel.tasks.request.edition import Edition
from storyreel.tasks.request.materials import Materials, Pictures, Upstream
from storyreel.tasks.request.pictures import build_pictures
from storyreel.tasks.request.recordings import recordings, why_not_sent
from storyreel.tasks.request.speech import build_speech
from storyreel.tasks.request.unsupported import Unsupported, services_with_stills
from storyreel.tasks.storage.digests import file_digest

_FREE = Quote(money=Money(amount=Decimal(0), currency="USD"))


class ShotPlanner:
    """Plans the takes of the shots of a film, one shot after the other; each local file is read once.

    `events` are those of the film's cut, by slate; `crop_of` a shot says how its pictures are cut to another shape.
    """

    def __init__(
        self,
        film: Storyboard,
        events: Mapping[str, Event],
        prices: PriceList,
        *,
        has_bucket: bool,
        is_draft: bool,
        crop_of: Callable[[Shot], Crop | None] = lambda _shot: None,
    ) -> None:
        self._film, self._events, self._prices = film, events, prices
        self._is_draft, self._crop_of, self._adapter = is_draft, crop_of, cache(_adapter)
        self._materials = Materials.of(film, cache(file_digest), has_bucket=has_bucket, font=own_font(film))
        self._name_of = cache(partial(attachment_name, film))
        self._seconds, self._timeout = cache(film.format.fps.seconds), cache(self._seconds_of)
        self._pictures = set[str]()
        """The slates of the pictures that are planned."""
        self._label = self._label_of(film)
        self._drawn = set[str]()
        """The identities of the pictures that are drawn on this machine."""

    def in_format(self, format: Format, crop_of: Callable[[Shot], Crop | None]) -> ShotPlanner:
        """This planner for requests in another format. What each of them plans, the other knows of."""
        other = copy(self)
        other._film, other._crop_of = self._film.model_copy(update={"format": format}), crop_of
        other._materials = self._materials._replace(storyboard=other._film, known={})
        return other

    def takes(
        self,
        shot: Shot,
        services: Sequence[str],
        upstream: Upstream | None,
        pictures: Pictures,
        edition: Edition,
        in_film: Sequence[PlannedTake],
    ) -> list[PlannedTake]:
        """All takes of a shot, a still or a sheet; `in_film` are those that they are drafts of. Raises Unsupported."""
        if isinstance(shot, PictureShot):
            self._pictures.add(shot.shot)
            asked = self._picture_requests(shot, services, pictures)
            self._check_drawn(shot, asked)
            takes = self._planned(shot, asked)
            self._drawn |= {take.identity for take in takes if any(each.request.board for each in take.candidates)}
            return takes
        event, anchor = self._events[shot.shot], anchor_of(shot, self._film.continued)
        takes = []
        if not shot.edits_another:
            requests = self._requests(shot, services, event, anchor, upstream, pictures, edition)
            self._check_drawn(shot, requests)
            takes += self._planned(
                shot, [with_seeds(each, in_film) for each in requests], event, anchor, upstream, speech=pictures.speech
            )
        edited = as_edited(takes[shot.edited_take - 1]) if shot.edited_take and takes else upstream
        if shot.edit and edited:
            edits = self._edits(shot, services, event, anchor, edited)
            takes += self._planned(shot, edits, event, anchor, edited, before=len(takes), speech=pictures.speech)
        return takes

    def speech(self, line: Shot) -> list[PlannedTake]:
        """All takes of a line that a service speaks, which is a LineShot. Raises Unsupported."""
        assert isinstance(line, LineShot)
        asked = (
            build_speech(
                self._service(line, name), line.model, line.action,
                voice=line.voice, language=line.language, delivery=line.line.delivery, takes=line.takes,
            )
            for name in line.services
        )  # fmt: skip
        return self._planned(line, [list(requests) for requests in asked])

    def _check_drawn(self, shot: Shot, by_service: Iterable[Sequence[Request]]) -> None:
        """Raise Unsupported if one of the requests, by service, would pay for what is made of a drawing."""
        for first, *_ in by_service if self._drawn else ():
            for use, attachment in first.attachments if self._adapter(first.provider).paid else ():
                if attachment.digest.removeprefix(STILL) in self._drawn:
                    raise self._made_of_drawing(shot, first.provider, use, attachment.subject)

    def _made_of_drawing(self, shot: Shot, service: str, use: Use, of: str) -> Unsupported:
        what = f"{'' if isinstance(shot, PictureShot) else 'the clip of '}{shot.shot} would be bought from {service}"
        able = listed(services_with_stills(), "or")
        write = f"write `stills: {{provider: …}}` with {able}" if able else ""
        if field := {"first_frame": "still", "last_frame": "last_still"}.get(use):
            what = f"{what} with a drawing of the {STAND_IN} as its picture"
            return Unsupported(field, what, write or f"remove `{field}`")
        at = ("cast" if of in self._film.cast else "locations", of, "sheet")
        what = f"{what} with a drawing of the {STAND_IN} as the sheet of `{of}`"
        return Unsupported("cast", what, f"{write} in `defaults`" if write else "remove `sheet`", at)

    def _planned(
        self,
        shot: Shot,
        requests: Iterable[Sequence[Request]],
        event: Event | None = None,
        anchor: Anchor = "free",
        upstream: Upstream | None = None,
        before: int = 0,
        speech: Sequence[Attachment] = (),
    ) -> list[PlannedTake]:
        """The takes of a shot of which these are the requests, by service; `before` is the number of those before, and
        `speech` what a service speaks of its dialogue."""
        by_service = [list(self._candidates(shot, of_service, event, anchor, speech)) for of_service in requests]
        kind: TakeKind = "speech" if isinstance(shot, LineShot) else "clip"
        kind = shot.kind if isinstance(shot, PictureShot) else kind
        scene = self._film.scene_of(owner_of(shot.shot)) if kind != "sheet" else None
        is_open = shot.takes > 1 and shot.circled is None and shot.shot not in self._film.awaited
        is_asked = shot.review.clip == "required"
        return [
            PlannedTake(
                shot=shot.shot,
                kind=kind,
                action=shot.action,
                scene=scene.scene if scene else "",
                take=number,
                circled=number == shot.circled_take,
                is_open=is_open and kind == "clip" and not shot.edits_itself,
                chosen=first,
                fallbacks=tuple(others),
                fallback_on_refusal=shot.fallback_on_refusal,
                needs_review=_needs_review(first, kind, is_asked=is_asked, is_draft=self._is_draft),
                identity=first.request.identity,
                continues=upstream.key if upstream else None,
                speech=self._made_to(shot, (first, *others), speech),
                pictures=pictures_in(each.request for each in (first, *others)) if self._pictures else (),
                cut_seconds=self._seconds(event.frames) if event else Fraction(0),
                grading=self._grading(shot) if kind == "clip" else None,
                label=self._label if kind == "clip" else None,
                keep_sound=kind == "clip" and shot.native_audio == "keep",
                recordings=tuple(speech or recordings(self._materials, shot)),
                sound_begins=pad_of(shot, self._film.format.fps),
                timeout=self._timeout(shot.timeout),
            )
            for number, (first, *others) in enumerate(zip(*by_service, strict=True), before + 1)
        ]

    def _label_of(self, film: Storyboard) -> LabelMark | None:
        if film.label is None:
            return None
        font = self._materials.font
        return LabelMark(text=film.label.visible, corner=film.label.corner, on=film.label.on, font=font,
                         font_digest=self._materials.digest(font) if font else "")  # fmt: skip

    def _grading(self, shot: Shot) -> Grading | None:
        if shot.grade is None or shot.grade.is_neutral:
            return None
        lut = Path(self._film.resolve(shot.grade.lut)) if shot.grade.lut else None
        return Grading.of(shot.grade, lut, self._materials.digest(lut) if lut else "")

    def _seconds_of(self, length: Duration) -> float:
        rate = self._film.format.fps
        return float(rate.seconds(length.frames(rate)))

    def _requests(
        self,
        shot: Shot,
        services: Iterable[str],
        event: Event,
        anchor: Anchor,
        upstream: Upstream | None,
        pictures: Pictures,
        edition: Edition,
    ) -> list[list[Request]]:
        """The requests for all takes of a shot, by service."""
        return [
            list(
                build_requests(
                    self._materials, shot, self._service(shot, name), event, anchor, upstream, edition, pictures,
                    self._crop_of(shot),
                )
            )
            for name in services
        ]  # fmt: skip

    def _picture_requests(self, shot: PictureShot, services: Iterable[str], sheets: Pictures) -> list[list[Request]]:
        """The requests for all takes of a still or a sheet, by service."""
        return [list(build_pictures(self._materials, shot, self._service(shot, name), sheets)) for name in services]

    def _edits(
        self, shot: Shot, services: Iterable[str], event: Event, anchor: Anchor, edited: Upstream
    ) -> list[list[Request]]:
        """The requests for the edits of a shot, by service."""
        return [
            list(build_edits(self._materials, shot, self._service(shot, name), event, anchor, edited))
            for name in services
        ]

    def _service(self, shot: Shot, name: str) -> type[Provider]:
        try:
            return self._adapter(name)
        except LookupError as unknown:
            raise Unsupported("providers" if shot.providers else "provider", *unknown.args) from unknown

    def _candidates(
        self, shot: Shot, requests: Sequence[Request], event: Event | None, anchor: Anchor, speech: Sequence[Attachment]
    ) -> Iterator[Candidate]:
        """The takes of a shot at one service."""
        first, *others = requests
        rate = self._film.format.fps
        quote = self._prices.price(first) if self._adapter(first.provider).paid else _FREE
        edit = EditPoints(first=0, frames=1)
        if event:
            given = given_frames(first.first_clip, rate)
            edit = edit_points(event, rate.nearest_frames(first.seconds), anchor, given)
        candidate = Candidate(
            request=first,
            key=first.key,
            price=quote.money,
            price_note=quote.note,
            brief_of=partial(
                brief_of, self._film, shot, first, self._name_of, is_draft=self._is_draft and event is not None
            ),
            why_laid=self._why_laid(shot, first, speech),
            edit=edit,
        )
        yield candidate
        # The takes of a shot differ in number and seed only, which neither price nor brief depends on.
        for request in others:
            yield candidate.model_copy(update={"request": request, "key": request.key})

    def _made_to(self, shot: Shot, ways: Iterable[Candidate], speech: Sequence[Attachment]) -> tuple[str, ...]:
        """The identities of the speech that a take may be made to, once its length is known."""
        requests = (way.request for way in ways) if len(speech) == 1 and not shot.continues_clip else ()
        is_sent = any(find_capability(self._adapter(one.provider), one.model, one.mode).sound for one in requests)
        return tuple(one.digest.removeprefix(SPEECH) for one in speech if is_sent and one.digest.startswith(SPEECH))

    def _why_laid(self, shot: Shot, request: Request, speech: Sequence[Attachment]) -> str:
        if not (shot.recordings or speech):
            return ""
        capability = find_capability(self._adapter(request.provider), request.model, request.mode)
        return why_not_sent(self._materials, shot, capability, speech)


def _needs_review(candidate: Candidate, kind: TakeKind, *, is_asked: bool, is_draft: bool) -> bool:
    """Whether a take must be approved: of a draft all that are paid, of stills those of which the storyboard says it.

    A drawing of this machine stands for a picture that is still to be made.
    """
    if kind == "clip":
        return not candidate.is_free if is_draft else is_asked
    return is_asked and not candidate.is_free


def _adapter(name: str) -> type[Provider]:
    """A service by its name. Raises LookupError with the message and a hint."""
    try:
        return load(name)
    except LookupError as unknown:
        hint = suggestion(name, names(), f"there are {listed(names(), 'and')}")
        raise LookupError(f"there is no service `{shown(name)}`", hint) from unknown
