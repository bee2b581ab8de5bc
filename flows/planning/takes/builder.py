"""Builds the takes of a film, as its storyboard and the verdicts ask for them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from types import MappingProxyType

from storyreel.flows.planning.drafts import in_words_of_draft
from storyreel.flows.planning.history import History
from storyreel.flows.planning.model import PlannedTake, takes_by_shot
from storyreel.flows.planning.selection import Selected
from storyreel.flows.planning.states import with_states
from storyreel.flows.planning.takes.lookups import Bought, Verdicts
from storyreel.flows.planning.takes.pictures import STAND_IN, pictures_of, used_take, with_pictures
from storyreel.flows.planning.takes.shot import ShotPlanner
from storyreel.flows.planning.takes.speech import Spoken
from storyreel.flows.planning.takes.upstream import as_upstream, upstream_first, upstream_of
from storyreel.flows.planning.takes.verdicts import apply_verdicts
from storyreel.specs.cut import Cut, build_cut
from storyreel.specs.derived.lines import spoken_frames
from storyreel.specs.derived.pictures import PictureShot, path_of_picture
from storyreel.specs.language.slates import owner_of
from storyreel.specs.problems.problem import Problem, StoryboardError
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.specs.validation.check import problems_of_times
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.providers.request import Crop
from storyreel.tasks.request.edition import Edition, editions
from storyreel.tasks.request.materials import NO_PICTURES, Pictures, Upstream
from storyreel.tasks.request.unsupported import Unsupported


class _Identities(dict[str, str]):
    """The identities of pictures by their slates."""

    def find(self, slate: str) -> str:
        """The identity of a picture, or `unsupported` for one that cannot be planned."""
        return self.get(slate, "unsupported")


class TakeBuilder:
    """Builds the takes of one film, still without their states.

    `of_film` builds those of the film that this one is the draft of, if it is one, `spoken` is what is said in it, and
    `cut` its cut, if that is not the storyboard's.
    """

    def __init__(
        self,
        film: Storyboard,
        history: History,
        prices: PriceList,
        of_film: TakeBuilder | None = None,
        spoken: Spoken | None = None,
        cut: Cut | None = None,
    ) -> None:
        self.film, self.history, self.prices, self._of_film = film, history, prices, of_film
        self.spoken = spoken or Spoken()
        self.cut = cut or build_cut(film, spoken_frames(film, self.spoken.lengths))
        self._set_lengths = self.spoken.set_lengths(film)
        self._events = {event.shot: event for event in self.cut.events}
        shots = list(upstream_first(film.all_shots))
        self._shots = list(with_pictures(shots, of_film.film if of_film else film))
        self._written = {shot.shot: shot for shot in shots}
        self._built: dict[Hashable, list[PlannedTake]] = {}
        self.warnings: list[str] = [*self.spoken.warnings]
        """Sentences about verdicts that contradict the storyboard or cannot be followed."""
        if any(shot.lasts_as_speech for shot in film.all_shots):
            self._check_times()
        self._bought = Bought(history)
        self._editions: dict[str, tuple[Edition, ...]] = {}
        self._planner = ShotPlanner(
            film,
            self._events,
            prices,
            has_bucket=history.has_bucket,
            is_draft=of_film is not None,
            crop_of=self._crop_of,
        )
        self._in_film: dict[str, Upstream] = {}
        """The takes of the film that those of its draft, by their keys, are drafts of."""

    def _check_times(self) -> None:
        """Raise StoryboardError for times outside of a film whose length the reader did not know; warn of them while it
        is estimated."""
        problems = list(problems_of_times(self.film, self.cut))
        if problems and not any(set_by.is_estimate for set_by in self._set_lengths.values()):
            raise StoryboardError(problems)
        self.warnings += (f"if the film is as long as it seems to be, {problem.message}" for problem in problems)

    @property
    def shots(self) -> Sequence[Shot]:
        """The shots and pictures as the verdicts have changed them, each after those that it is made of."""
        return self._shots

    @property
    def is_draft(self) -> bool:
        """Whether the film is a draft."""
        return self._of_film is not None

    def takes(self, provider: str | None) -> list[PlannedTake]:
        """Every take that the storyboard and the verdicts ask for, each after the one that it continues."""
        if not self.history.is_empty:
            whole = list(dict.fromkeys(zip(*map(self._editions_of, self._shots), strict=True)))
            # At once for the whole film: each question to a ledger or a bucket may be a round trip.
            self._bought.look_up(
                each.key
                for ordered_in in (whole if len(whole) > 1 else ())
                for take in self._all(provider, None, ordered_in)
                for each in take.candidates
            )
        takes, speech = self._all(provider, None), [*self.spoken.takes]
        if not self.history.has_verdicts:
            return speech + takes
        verdicts = Verdicts(self.history, (each.key for take in takes for each in take.candidates))
        return speech + (self._all(provider, verdicts) if verdicts else takes)

    def with_stand_ins(self, takes: Sequence[PlannedTake], selected: Selected) -> list[PlannedTake]:
        """The takes that are selected or paid for already; a shot without any gets an animatic, over its still if there
        is one."""

        def is_wanted(take: PlannedTake) -> bool:
            return (take.shot, take.take) in selected or take.state in ("cached", "resuming")

        by_shot = takes_by_shot(takes)
        in_cut: dict[str, Upstream] = {}
        pictures: dict[str, str] = {}
        # Of lines that are not selected only what costs nothing is made.
        kept = [take for take in takes if take.kind == "speech" and (is_wanted(take) or take.chosen.is_free)]
        for shot in self._shots:
            # A card is what it is, whether it is selected or not.
            wanted = by_shot[shot.shot] if shot.is_card else list(filter(is_wanted, by_shot[shot.shot]))
            if isinstance(shot, PictureShot):
                if not wanted:
                    continue
                pictures[shot.shot] = used_take(wanted).identity
            made_of = self.made_of(shot, lambda slate: pictures.get(slate, ""))
            if any(not one.source for one in made_of.speech):
                made_of = made_of._replace(speech=())
            shown = wanted or [self.drawn(shot, in_cut.get(shot.upstream or ""), made_of)]
            circled = used_take(shown)
            in_cut[shot.shot] = as_upstream(circled)
            kept += (one.model_copy(update={"circled": one is circled}) for one in shown)
        return kept

    def in_order(self, takes: Sequence[PlannedTake]) -> list[PlannedTake]:
        """The takes in the order of the film: the sheets, then each shot's speech, stills and takes."""
        places = {shot: place for place, shot in enumerate(self._events)}
        slates = (*(take.shot for take in self.spoken.takes), *(shot.shot for shot in self._shots))
        order = {slate: place for place, slate in enumerate(dict.fromkeys(slates))}

        def place(take: PlannedTake) -> tuple[int, int, int]:
            of_shot = -1 if take.kind == "sheet" else places[owner_of(take.shot)]
            return of_shot, order[take.shot], take.take

        return sorted(takes, key=place)

    def _all(
        self, provider: str | None, verdicts: Verdicts | None, ordered_in: Sequence[Edition | None] = ()
    ) -> list[PlannedTake]:
        """All takes; with `ordered_in`, one edition a shot, as if the whole film had been ordered in these."""
        made = dict(self._before)
        pictures = _Identities(self._pictures_before), _Identities(self._pictures_before)
        """Of the pictures that clips are made of, and of those that were asked of the services, which are made of each
        other."""
        all_takes: list[PlannedTake] = []
        problems: list[Problem] = []
        for place, (shot, edition) in enumerate(zip_longest(self._shots, ordered_in)):
            services = self._services_of(shot, provider)
            try:
                # A shot whose upstream has a problem is checked too, so that all problems are reported at once.
                build = partial(
                    self._of_shot, services=services, upstream=self._upstream_of(shot, made),
                    pictures=self.made_of(shot, pictures[isinstance(shot, PictureShot)].find),
                )  # fmt: skip
                takes = build(shot, edition=edition)
                if verdicts:
                    shot, takes, warnings = apply_verdicts(self.film, shot, build, verdicts.find)
                    self._shots[place] = shot
                    self.warnings += warnings
                if isinstance(shot, PictureShot):
                    pictures[1][shot.shot] = used_take(takes).identity
                    if STAND_IN in (provider, self._drafted_by):
                        takes = self._bought_or_drawn(shot, takes)
                    pictures[0][shot.shot] = used_take(takes).identity
            except Unsupported as unsupported:
                problems += (self._problem(shot, one) for one in unsupported.all)
            else:
                all_takes += takes
                made[shot.shot] = shot, takes
        if problems:
            raise StoryboardError(problems)
        return all_takes

    _before: Mapping[str, tuple[Shot, list[PlannedTake]]] = MappingProxyType({})
    """Shots that others build, and their takes."""
    _pictures_before: Mapping[str, str] = MappingProxyType({})
    """The identities of pictures that others build, by slate."""

    def _upstream_of(self, shot: Shot, made: Mapping[str, tuple[Shot, list[PlannedTake]]]) -> Upstream | None:
        return upstream_of(shot, made)

    def _crop_of(self, _shot: Shot) -> Crop | None:
        """The crop of pictures of another shape for a shot; None where the film has one shape."""
        return None

    def _problem(self, shot: Shot, unsupported: Unsupported) -> Problem:
        return _problem(self.film, shot, unsupported)

    def made_of(self, shot: Shot, identity_of: Callable[[str], str]) -> Pictures:
        """The pictures, by `identity_of` their slates, and the speech that a shot is made of."""
        made_of = pictures_of(self.film, shot, identity_of)
        speech = () if isinstance(shot, PictureShot) else self.spoken.dialogue_of(self.film, shot)
        return made_of._replace(speech=speech) if speech else made_of

    @property
    def _drafted_by(self) -> str | None:
        return self.film.draft.provider if self._of_film and self.film.draft else None

    def _services_of(self, shot: Shot, provider: str | None) -> Sequence[str]:
        """The services that are asked for a shot. Who makes the stills may be written for them alone; an animatic uses
        those that were bought."""
        if shot.is_card:
            return shot.services
        if isinstance(shot, PictureShot) and (shot.stills.services or provider == STAND_IN):
            return shot.services
        return (provider,) if provider else shot.services

    def _bought_or_drawn(self, picture: PictureShot, takes: list[PlannedTake]) -> list[PlannedTake]:
        """The bought takes of a picture, for an animatic that moves over them; if there are none, drawn ones."""
        stated = with_states(takes, self.film.title, self.history)
        if bought := [take for take in stated if take.state == "cached"]:
            used = used_take(bought)
            return [take.model_copy(update={"circled": take is used, "pictures": ()}) for take in bought]
        return self._of_shot(picture, (STAND_IN,), None, NO_PICTURES)

    def drawn(self, shot: Shot, upstream: Upstream | None, pictures: Pictures) -> PlannedTake:
        """A shot as an animatic, in the place of takes that are not selected."""
        single = shot.model_copy(update={"takes": 1, "circled": None, "edit": None})
        (drawn,) = self._of_shot(single, (STAND_IN,), upstream, pictures)
        return drawn.model_copy(update={"is_stand_in": True, "needs_review": False})

    def _of_shot(
        self,
        shot: Shot,
        services: Sequence[str],
        upstream: Upstream | None,
        pictures: Pictures,
        edition: Edition | None = None,
    ) -> list[PlannedTake]:
        """All takes of a shot, each with a candidate for each service, in the edition in which they were bought.

        It is one for all services: whichever made a take, the shots that continue it name it by its key at the first
        one, and would be bought again if that changed.
        """
        choices: Iterable[Edition] = (edition,) if edition else self._editions_of(shot)
        # As nothing was bought before, that of now.
        choices = tuple(choices)[:1] if self.history.is_empty else dict.fromkeys(choices)
        built = {takes[0].identity: takes for takes in (self._in_edition(shot, services, upstream, pictures, each)
                                                        for each in choices)}  # fmt: skip
        now, *others = built.values()
        for takes in (now, *others) if others else ():
            if self._bought.any_of([candidate.key for take in takes for candidate in take.candidates]):
                return takes
        return now

    def _editions_of(self, shot: Shot) -> tuple[Edition, ...]:
        # They depend on nothing that a verdict changes.
        if shot.shot not in self._editions:
            self._editions[shot.shot] = editions(self.film, shot)
        return self._editions[shot.shot]

    def _in_edition(
        self, shot: Shot, services: Sequence[str], upstream: Upstream | None, pictures: Pictures, edition: Edition
    ) -> list[PlannedTake]:
        """All takes of a shot in an edition; built once for the same arguments."""
        name = (
            shot.shot,
            tuple(services),
            upstream,
            pictures,
            shot.action,
            shot.edit,
            shot.continues,
            shot.takes,
            shot.circled,
            edition,
        )
        if name not in self._built:
            self._built[name] = self._build(shot, services, upstream, pictures, edition)
        return self._built[name]

    def _build(
        self, shot: Shot, services: Sequence[str], upstream: Upstream | None, pictures: Pictures, edition: Edition
    ) -> list[PlannedTake]:
        in_film = self._takes_in_film(shot, services, upstream, pictures, edition)
        try:
            takes = self._planned(shot, services, upstream, pictures, edition, in_film)
        except Unsupported as unsupported:
            raise (in_words_of_draft(unsupported) if self._of_film else unsupported) from unsupported
        if set_by := self._set_lengths.get(shot.shot):
            takes = [
                take.model_copy(update={"speech": (*take.speech, *set_by.takes), "is_estimate": set_by.is_estimate})
                for take in takes
            ]
        self._in_film |= {take.key: as_upstream(final) for take, final in zip(takes, in_film, strict=False)}
        return takes

    def _planned(
        self,
        shot: Shot,
        services: Sequence[str],
        upstream: Upstream | None,
        pictures: Pictures,
        edition: Edition,
        in_film: Sequence[PlannedTake],
    ) -> list[PlannedTake]:
        """All takes of a shot; `in_film` are those that they are drafts of. Raises Unsupported."""
        return self._planner.takes(shot, services, upstream, pictures, edition, in_film)

    def _takes_in_film(
        self, shot: Shot, services: Sequence[str], upstream: Upstream | None, pictures: Pictures, edition: Edition
    ) -> list[PlannedTake]:
        """The takes of the film that those of a draft are drafts of; empty if this is no draft."""
        if self._of_film is None or isinstance(shot, PictureShot):
            return []
        written = self._of_film._written[shot.shot]
        keys = {name: getattr(written, name) for name in ("provider", "providers", "model", "continues")}
        # A shot that is not selected is drawn in either.
        own = services if tuple(services) == (STAND_IN,) else written.services
        before = self._in_film.get(upstream.key, upstream) if upstream else None
        return self._of_film._in_edition(shot.model_copy(update=keys), own, before, pictures, edition)


def _problem(film: Storyboard, shot: Shot, unsupported: Unsupported) -> Problem:
    """The problem at its place in the file: a picture of the cast, or the shot's own key."""
    if unsupported.at:
        place = film.where(*unsupported.at)
    elif isinstance(shot, PictureShot):
        asks = path_of_picture(film, shot)
        around = ("defaults",) if shot.kind == "sheet" else asks[:-1]
        # Who makes pictures is written where it is for them, or for the shot.
        stills = ("stills",) if shot.stills.services or shot.stills.model else ()
        is_service = unsupported.field in ("provider", "providers", "model")
        place = film.where(*around, *stills, unsupported.field) if is_service else film.where(*asks)
    else:
        place = film.where_shot(shot.shot, unsupported.field)
    return Problem(place, unsupported.message, unsupported.hint)
