"""The takes that a deliverable of another shape has for itself: those that services make again in it, and drawings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from storyreel.flows.planning.finishing.deliverables import PlannedDeliverable
from storyreel.flows.planning.model import Plan, PlannedTake, takes_by_shot
from storyreel.flows.planning.selection import Selected
from storyreel.flows.planning.takes.builder import TakeBuilder
from storyreel.flows.planning.takes.pictures import used_take
from storyreel.flows.planning.takes.upstream import as_upstream, upstream_of
from storyreel.specs.derived.deliverable import film_as
from storyreel.specs.derived.pictures import PictureShot
from storyreel.specs.language.finishing.deliverables import Deliverable
from storyreel.specs.language.slates import owner_of, slate_in
from storyreel.specs.problems.phrases import abridged
from storyreel.specs.problems.problem import Problem
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.tasks.providers.request import Crop
from storyreel.tasks.request.edition import Edition
from storyreel.tasks.request.materials import Pictures, Upstream
from storyreel.tasks.request.unsupported import NotSold, Unsupported


class ShapeBuilder(TakeBuilder):
    """Builds the takes of the shots that a deliverable has made again in its shape.

    `of` builds those of its film, which are `takes`, still without their states. Of a size in pixels each shot is made
    in the smallest class that is as large and that its services sell: what was bought of the others stays as it is.
    """

    def __init__(self, of: TakeBuilder, takes: Sequence[PlannedTake], deliverable: Deliverable) -> None:
        # At the film's rate: a take is as long as that of the film, and costs no more.
        picture, *larger = (
            asked.model_copy(update={"fps": of.film.format.fps})
            for asked in deliverable.requested_formats(of.film.format)
        )
        self._in_larger: dict[str, dict[str, None]] = {}
        """The slates of the shots that are made in each of the larger classes."""
        self._deliverable, self._takes = deliverable, takes
        self._size, self._takes_of_film = picture.size, takes_by_shot(takes)
        super().__init__(
            of.film.model_copy(update={"format": picture}), of.history, of.prices, spoken=of.spoken, cut=of.cut
        )
        self._larger = [
            (each.resolution, self._planner.in_format(each, partial(self._crop_in, each.size))) for each in larger
        ]
        self.warnings: list[str] = []
        self._written_shots = written = {shot.shot: shot for shot in of.film.all_shots}
        # Of the film's own shape, and not larger, are the takes that there are.
        is_other = picture.aspect_ratio != of.film.format.aspect_ratio or min(picture.size) > min(of.film.format.size)
        self._again = {slate for slate in written if is_other and self._is_made_again(written[slate])}
        if not is_other:
            what = f"`shoot` of {deliverable.name} makes nothing again"
            self.warnings.append(f"{what}: the film's takes have its shape, and are as large")
        self._before = {
            shot.shot: (shot, self._takes_of_film[shot.shot]) for shot in of.shots if shot.shot not in self._again
        }
        sheets = (take for take in takes if take.kind == "sheet" and take.circled)
        self._pictures_before = {take.shot: take.identity for take in sheets}
        self._shots = [
            shot if isinstance(shot, PictureShot) else _once_more(shot, written[shot.shot].takes)
            for shot in of.shots
            if owner_of(shot.shot) in self._again and not (isinstance(shot, PictureShot) and shot.kind == "sheet")
        ]

    def in_shape(self, provider: str | None) -> list[PlannedTake]:
        """The takes under their own slates, without those that are the film's. Raises StoryboardError."""
        known = {take.identity for take in self._takes}
        made = self.takes(provider) if self._shots else []
        for bought, shots in self._in_larger.items():
            are, their = ("is", "its") if len(shots) == 1 else ("are", "their")
            what = f"{abridged(shots)} {are} bought in {bought}, as not all of {their} services have"
            smaller = f"{self.film.format.resolution}, and made smaller, to {self._deliverable.format.size}"
            self.warnings.append(f"for the deliverable {self._deliverable.name} {what} {smaller}")
        return [_named(take, self._deliverable) for take in made if take.identity not in known]

    def _is_made_again(self, shot: Shot) -> bool:
        # What is drawn is drawn in any shape.
        is_drawn = self._takes_of_film[shot.shot][0].request.board
        return self._deliverable.shoots(shot.shot) and not is_drawn

    def _upstream_of(self, shot: Shot, made: Mapping[str, tuple[Shot, list[PlannedTake]]]) -> Upstream | None:
        found = upstream_of(shot, made)
        if found is None or shot.upstream in self._again:
            return found
        if shot.continues_clip or shot.edits_another:
            field, does = ("continues", "goes on from the clip") if shot.continues_clip else ("edit", "edits a take")
            what = f"{shot.shot} {does} of {shot.upstream}, which is not made in this shape"
            raise Unsupported(field, what, f"name {shot.upstream} in `shoot`, too")
        return found._replace(has_other_shape=True)

    def _planned(
        self,
        shot: Shot,
        services: Sequence[str],
        upstream: Upstream | None,
        pictures: Pictures,
        edition: Edition,
        in_film: Sequence[PlannedTake],
    ) -> list[PlannedTake]:
        try:
            return super()._planned(shot, services, upstream, pictures, edition, in_film)
        except NotSold as unsold:
            for resolution, planner in self._larger:
                with suppress(NotSold):
                    takes = planner.takes(shot, services, upstream, pictures, edition, in_film)
                    self._in_larger.setdefault(resolution, {})[owner_of(shot.shot)] = None
                    return takes
            raise unsold

    def _crop_of(self, shot: Shot) -> Crop:
        return self._crop_in(self._size, shot)

    def _crop_in(self, size: tuple[int, int], shot: Shot) -> Crop:
        width, height = size
        # What begins with the end of another shot begins with what is seen of that.
        shown = self._written_shots[shot.continues.shot] if shot.continues else shot
        centre = shown.frame_at or self._deliverable.reframe
        return Crop(width=width, height=height, x=centre.x, y=centre.y)

    def _problem(self, shot: Shot, unsupported: Unsupported) -> Problem:
        """The problem at the deliverable that asks for the shape: the film itself can be made."""
        number = self.film.deliverables.index(self._deliverable)
        slate, among = owner_of(shot.shot), self._deliverable.shoot or ()
        place = (among.index(slate),) if slate in among else ()
        hint, size = unsupported.hint, self._deliverable.format.size
        if size and isinstance(unsupported, NotSold):
            hint = unsupported.hint_instead(f"write another `size`; {size} is a picture of {unsupported.wanted}")
        leave = f"leave {slate} out of `shoot`"
        return Problem(
            self.film.where("deliverables", number, "shoot", *place),
            in_deliverable(self._deliverable) + unsupported.message,
            f"{hint}, or {leave}" if hint else leave,
        )


def in_deliverable(deliverable: Deliverable) -> str:
    """The words before what services cannot make for a deliverable."""
    return f"in the deliverable {deliverable.name}: "


def drawn_in_shape(
    of: TakeBuilder, plan: Plan, planned: PlannedDeliverable, made: Sequence[PlannedTake]
) -> Iterator[PlannedTake]:
    """The drawings of a film's cut, once more in the size and at the rate of a deliverable: they cost nothing.

    `made` are the takes that services make for it.
    """
    again = {owner_of(take.shot) for take in made}
    drawn = {take.shot: take for take in plan.circled if take.request.board and take.shot not in again}
    if not drawn:
        return
    deliverable = planned.written
    shown = _at_its_rate(of.film, deliverable)
    builder = TakeBuilder(shown, of.history, of.prices, spoken=of.spoken, cut=planned.cut)
    in_cut = {take.shot: as_upstream(take) for take in plan.circled}
    in_cut |= {owner_of(take.shot): as_upstream(take) for take in made if take.kind == "clip" and take.circled}
    pictures = {slate: used_take(some).identity for slate, some in takes_by_shot(plan.pictures).items()}
    known = {take.key for take in plan.takes}
    for shot in of.shots:
        if shot.shot not in drawn:
            continue
        if not deliverable.titles and shot.titles:
            shot = shot.model_copy(update={"titles": ()})
        made_of = builder.made_of(shot, lambda slate: pictures.get(slate, ""))
        if any(not one.source for one in made_of.speech):
            made_of = made_of._replace(speech=())
        take = builder.drawn(shot, in_cut.get(shot.upstream or ""), made_of)
        if take.key not in known:
            # Its place in the sound is counted at the film's rate, as that of every take. What lies over it may be all
            # that differs from the film's drawing, and is not in the identity of a request.
            kept = {name: getattr(drawn[shot.shot], name) for name in ("is_stand_in", "sound_begins")}
            take = take.model_copy(update=kept | {"identity": f"{take.key}-drawn"})
            in_cut[shot.shot] = as_upstream(take)
            yield _named(take, deliverable)


def _at_its_rate(film: Storyboard, deliverable: Deliverable) -> Storyboard:
    shown = film_as(film, deliverable)
    picture = shown.format.model_copy(update={"fps": deliverable.rate(film.format)})
    return shown.model_copy(update={"format": picture})


def _named(take: PlannedTake, deliverable: Deliverable) -> PlannedTake:
    slate = slate_in(deliverable.name, take.shot)
    return take.model_copy(update={"shot": slate, "deliverable": deliverable.name})


def _once_more(shot: Shot, takes: int) -> Shot:
    """The shot as it is made in another shape: as many `takes` as are written, but of one that is chosen for the film
    one alone, with its seed if that is written."""
    if shot.edits_another:
        return shot.model_copy(update={"takes": 1, "circled": None}) if shot.circled else shot
    edit = shot.edit
    chosen = (shot.edited_take if edit else shot.circled) or 0
    changed: dict[str, object] = {"circled": None}
    if edit and (shot.circled is None or shot.circled > shot.takes):
        edits = 1 if shot.circled else edit.takes
        changed["edit"] = edit.model_copy(update={"take": None, "takes": edits})
    elif edit:
        changed["edit"] = None
    if chosen and shot.seed is not None:
        changed["seed"] = (shot.seed + chosen - 1) % 2**31
    return shot.model_copy(update={**changed, "takes": 1 if chosen else takes})


def wanted_in_shapes(takes: Sequence[PlannedTake], selected: Selected) -> Iterator[PlannedTake]:
    """The takes of deliverables that are selected or paid for already. For other shots the film's are cut to shape."""
    for some in takes_by_shot(takes).values():
        wanted = [take for take in some if (take.shot, take.take) in selected or take.state in ("cached", "resuming")]
        used = used_take(wanted) if wanted else None
        yield from (take.model_copy(update={"circled": take is used}) for take in wanted)
