"""Makes the plan of a film. The only planner: `storyreel plan` shows its result, `storyreel render` carries it out."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import cache, partial
from itertools import zip_longest

from storyreel.flows.planning.drafts import beside_draft, beside_film, in_words_of_draft, with_seeds, worth_their_final
from storyreel.flows.planning.lookups import Bought, Verdicts
from storyreel.flows.planning.model import Candidate, History, Plan, PlannedTake, takes_by_shot
from storyreel.flows.planning.selection import Selected, select_takes
from storyreel.flows.planning.states import with_states
from storyreel.flows.planning.upstream import anchor_of, as_edited, as_upstream, upstream_of
from storyreel.flows.planning.verdicts import apply_verdicts
from storyreel.flows.planning.warnings import chain_lengths, upstream_first, warnings_of
from storyreel.specs.cut import Anchor, Event, build_cut, edit_points
from storyreel.specs.draft import draft_of
from storyreel.specs.money import Money
from storyreel.specs.problems.phrases import listed, shown, suggestion
from storyreel.specs.problems.problem import Problem, StoryboardError
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.specs.timing import Duration
from storyreel.tasks.prices.price_list import PriceList, Quote
from storyreel.tasks.providers import load, names
from storyreel.tasks.providers.models import find_capability
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.request import Attachment, Request
from storyreel.tasks.request.attachments import Upstream
from storyreel.tasks.request.board import own_font
from storyreel.tasks.request.brief import attachment_name, brief_of
from storyreel.tasks.request.build import build_edits, build_requests, given_frames
from storyreel.tasks.request.edition import Edition, editions
from storyreel.tasks.request.local_files import LocalFileChecks
from storyreel.tasks.request.recordings import recordings, why_not_sent
from storyreel.tasks.request.unsupported import Unsupported
from storyreel.tasks.storage.digests import file_digest

STAND_IN = "animatic"
"""The service that makes shots that are neither selected nor made yet."""
_FREE = Quote(money=Money(amount=Decimal(0), currency="USD"))


def make_plan(
    film: Storyboard,
    history: History,
    provider: str | None = None,
    selection: Sequence[str] = (),
    prices: PriceList | None = None,
    *,
    draft: bool = False,
) -> Plan:
    """Plan a film, or its `draft`.

    `provider` replaces every shot's own services. Shots that are neither selected nor made yet are drawn as animatics.
    `prices` defaults to the shipped ones. If the film has a draft, the plan of the one has that of the `other` beside
    it. Raises StoryboardError with all problems, and NothingSelected.
    """
    prices = prices or PriceList.read({})
    of_film = _TakeBuilder(film, history, prices)
    if draft:
        of_draft = _TakeBuilder(draft_of(film), history, prices, of_film)
        plan = of_draft.plan(of_draft.takes(provider), selection)
        return beside_film(plan, of_film.plan(of_film.takes(None)), film)
    takes = of_film.takes(provider)
    if film.draft is None:
        return of_film.plan(takes, selection)
    drafted: Plan | StoryboardError
    try:
        of_draft = _TakeBuilder(draft_of(film), history, prices, of_film)
        drafted = of_draft.plan(of_draft.takes(None))
    except StoryboardError as problem:
        drafted = problem
    plan = of_film.plan(takes, selection, partial(worth_their_final, takes, drafted))
    return beside_draft(plan, drafted, film.where().file)


def expected_seconds(takes: Sequence[PlannedTake], history: History) -> float | None:
    """Seconds until the last missing clip is made, by the median time of each model and its service's concurrency.

    Each take must stand after its upstream. None if a model that is needed was never used.
    """
    needed = {(take.request.provider, take.request.model) for take in takes if take.state != "cached"}
    known = {model: history.experience(*model) for model in needed}
    if any(experience is None for experience in known.values()):
        return None
    slots: dict[str, list[float]] = {name: [0.0] * load(name).concurrency_limit() for name, _ in needed}
    ends: dict[str, float] = {}
    for take in takes:
        experience = known.get((take.request.provider, take.request.model))
        if take.state == "cached" or experience is None:
            continue
        free = slots[take.request.provider]
        begin = max(free[0], ends.get(take.continues or "", 0.0))
        heapq.heapreplace(free, begin + experience.median)
        ends[take.identity] = begin + experience.median
    return max(ends.values(), default=0.0)


class _TakeBuilder:
    """Builds the takes of one film, still without their states; each local file is read once."""

    def __init__(
        self, film: Storyboard, history: History, prices: PriceList, of_film: _TakeBuilder | None = None
    ) -> None:
        self._film, self._cut, self._of_film = film, build_cut(film), of_film
        self._history = history
        self._prices = prices
        self._events = {event.shot: event for event in self._cut.events}
        self._shots = list(upstream_first(film.all_shots))
        self._written = {shot.shot: shot for shot in self._shots}
        self._built: dict[Hashable, list[PlannedTake]] = {}
        self.warnings: list[str] = []
        """Sentences about verdicts that contradict the storyboard or cannot be followed."""
        self._bought = Bought(history)
        self._editions: dict[str, tuple[Edition, ...]] = {}
        self._digest, self._adapter, self._files = cache(file_digest), cache(_adapter), LocalFileChecks()
        self._font = own_font(film)
        self._references: dict[Hashable, tuple[Attachment, ...]] = {}
        self._name_of = cache(partial(attachment_name, film))
        self._seconds, self._timeout = cache(film.format.fps.seconds), cache(self._seconds_of)
        self._in_film: dict[str, Upstream] = {}
        """The takes of the film that those of its draft, by their keys, are drafts of."""

    def takes(self, provider: str | None) -> list[PlannedTake]:
        """Every take that the storyboard and the verdicts ask for, each after the one that it continues."""
        if not self._history.is_empty:
            whole = list(dict.fromkeys(zip(*map(self._editions_of, self._shots), strict=True)))
            # At once for the whole film: each question to a ledger or a bucket may be a round trip.
            self._bought.look_up(
                each.key
                for ordered_in in (whole if len(whole) > 1 else ())
                for take in self._all(provider, None, ordered_in)
                for each in take.candidates
            )
        takes = self._all(provider, None)
        if not self._history.has_verdicts:
            return takes
        verdicts = Verdicts(self._history, (each.key for take in takes for each in take.candidates))
        return self._all(provider, verdicts) if verdicts else takes

    def plan(
        self,
        takes: Sequence[PlannedTake],
        selection: Sequence[str] = (),
        approved: Callable[[], Selected] | None = None,
    ) -> Plan:
        """The plan of these takes or a selection of them; `approved` as for `select_takes`. Raises NothingSelected."""
        film, history, is_draft = self._film, self._history, self._of_film is not None
        takes = with_states(takes, film.title, history, is_draft=is_draft)
        if selection:
            selected = self.with_stand_ins(takes, select_takes(selection, takes, approved))
            takes = with_states(selected, film.title, history, is_draft=is_draft)
        chains = chain_lengths(film.all_shots)
        return Plan(
            title=film.title,
            is_draft=is_draft,
            format=film.format,
            cut=self._cut,
            takes=tuple(self.in_order(takes)),
            longest_chain=max(chains.values()),
            expected_seconds=expected_seconds(takes, history),
            warnings=(*self.warnings, *warnings_of(film, takes, chains)),
        )

    def with_stand_ins(self, takes: Sequence[PlannedTake], selected: Selected) -> list[PlannedTake]:
        """The takes that are selected or paid for already; a shot without any gets an animatic."""
        by_shot = takes_by_shot(takes)
        in_cut: dict[str, Upstream] = {}
        kept: list[PlannedTake] = []
        for shot in self._shots:
            wanted = [one for one in by_shot[shot.shot]
                      if (one.shot, one.take) in selected or one.state in ("cached", "resuming")]  # fmt: skip
            shown = wanted or self._stand_in(shot, in_cut.get(shot.upstream or ""))
            circled = next((one for one in shown if one.circled), shown[-1])
            in_cut[shot.shot] = as_upstream(circled)
            kept += (one.model_copy(update={"circled": one is circled}) for one in shown)
        return kept

    def in_order(self, takes: Sequence[PlannedTake]) -> list[PlannedTake]:
        """The takes in the order of the film."""
        places = {shot: place for place, shot in enumerate(self._events)}
        return sorted(takes, key=lambda take: (places[take.shot], take.take))

    def _all(
        self, provider: str | None, verdicts: Verdicts | None, ordered_in: Sequence[Edition | None] = ()
    ) -> list[PlannedTake]:
        """All takes; with `ordered_in`, one edition a shot, as if the whole film had been ordered in these."""
        made: dict[str, tuple[Shot, list[PlannedTake]]] = {}
        all_takes: list[PlannedTake] = []
        problems: list[Problem] = []
        for place, (shot, edition) in enumerate(zip_longest(self._shots, ordered_in)):
            # A shot whose upstream has a problem is checked too, so that all problems are reported at once.
            upstream = upstream_of(shot, made)
            services = (provider,) if provider else shot.services
            try:
                takes = self._of_shot(shot, services, upstream, edition)
                if verdicts:
                    build = partial(self._of_shot, services=services, upstream=upstream)
                    shot, takes, warnings = apply_verdicts(self._film, shot, build, verdicts.find)
                    self._shots[place] = shot
                    self.warnings += warnings
            except Unsupported as unsupported:
                problems += (_problem(self._film, shot, one) for one in unsupported.all)
            else:
                all_takes += takes
                made[shot.shot] = shot, takes
        if problems:
            raise StoryboardError(problems)
        return all_takes

    def _stand_in(self, shot: Shot, upstream: Upstream | None) -> list[PlannedTake]:
        single = shot.model_copy(update={"takes": 1, "circled": None, "edit": None})
        (drawn,) = self._of_shot(single, (STAND_IN,), upstream)
        return [drawn.model_copy(update={"is_stand_in": True, "needs_review": False})]

    def _of_shot(
        self, shot: Shot, services: Sequence[str], upstream: Upstream | None, edition: Edition | None = None
    ) -> list[PlannedTake]:
        """All takes of a shot, each with a candidate for each service, in the edition in which they were bought.

        It is one for all services: whichever made a take, the shots that continue it name it by its key at the first
        one, and would be bought again if that changed.
        """
        choices = [edition] if edition else list(dict.fromkeys(self._editions_of(shot)))
        if self._history.is_empty:
            del choices[1:]
        built = {takes[0].identity: takes for takes in (self._in_edition(shot, services, upstream, each)
                                                        for each in choices)}  # fmt: skip
        now, *others = built.values()
        for takes in (now, *others) if others else ():
            if self._bought.any_of([candidate.key for take in takes for candidate in take.candidates]):
                return takes
        return now

    def _editions_of(self, shot: Shot) -> tuple[Edition, ...]:
        # They depend on nothing that a verdict changes.
        if shot.shot not in self._editions:
            self._editions[shot.shot] = editions(self._film, shot)
        return self._editions[shot.shot]

    def _in_edition(
        self, shot: Shot, services: Sequence[str], upstream: Upstream | None, edition: Edition
    ) -> list[PlannedTake]:
        """All takes of a shot in an edition; built once for the same arguments."""
        name = (shot.shot, tuple(services), upstream, shot.action, shot.edit, shot.takes, shot.circled, edition)
        if name not in self._built:
            self._built[name] = self._build(shot, services, upstream, edition)
        return self._built[name]

    def _build(
        self, shot: Shot, services: Sequence[str], upstream: Upstream | None, edition: Edition
    ) -> list[PlannedTake]:
        event, anchor = self._events[shot.shot], anchor_of(shot, self._film.continued)
        in_film = self._takes_in_film(shot, services, upstream, edition)
        takes: list[PlannedTake] = []
        try:
            if not shot.edits_another:
                requests = self._requests(shot, services, upstream, edition)
                takes += self._planned(shot, [with_seeds(each, in_film) for each in requests], event, anchor, upstream)
            edited = as_edited(takes[shot.edited_take - 1]) if shot.edited_take and takes else upstream
            if shot.edit and edited:
                edits = self._edits(shot, services, event, anchor, edited)
                takes += self._planned(shot, edits, event, anchor, edited, before=len(takes))
        except Unsupported as unsupported:
            raise (in_words_of_draft(unsupported) if self._of_film else unsupported) from unsupported
        self._in_film |= {take.key: as_upstream(final) for take, final in zip(takes, in_film, strict=False)}
        return takes

    def _planned(
        self,
        shot: Shot,
        requests: Iterable[Sequence[Request]],
        event: Event,
        anchor: Anchor,
        upstream: Upstream | None,
        before: int = 0,
    ) -> list[PlannedTake]:
        """The takes of a shot of which these are the requests, by service; `before` is the number of those before."""
        by_service = [list(self._candidates(shot, of_service, event, anchor)) for of_service in requests]
        scene = self._film.scene_of(shot.shot)
        is_open = shot.takes > 1 and shot.circled is None and shot.shot not in self._film.awaited
        return [
            PlannedTake(
                shot=shot.shot,
                action=shot.action,
                scene=scene.scene if scene else "",
                take=number,
                circled=number == shot.circled_take,
                is_open=is_open and not shot.edits_itself,
                chosen=first,
                fallbacks=tuple(others),
                fallback_on_refusal=shot.fallback_on_refusal,
                needs_review=not first.is_free if self._of_film else shot.review == "required",
                identity=first.key,
                continues=upstream.key if upstream else None,
                cut_seconds=self._seconds(event.frames),
                keep_sound=shot.native_audio == "keep",
                recordings=tuple(recordings(self._film, shot, self._digest, self._files)),
                timeout=self._timeout(shot.timeout),
            )
            for number, (first, *others) in enumerate(zip(*by_service, strict=True), before + 1)
        ]

    def _seconds_of(self, length: Duration) -> float:
        rate = self._film.format.fps
        return float(rate.seconds(length.frames(rate)))

    def _requests(
        self, shot: Shot, services: Iterable[str], upstream: Upstream | None, edition: Edition
    ) -> list[list[Request]]:
        """The requests for all takes of a shot, by service."""
        event, anchor = self._events[shot.shot], anchor_of(shot, self._film.continued)
        return [
            list(
                build_requests(
                    self._film, shot, self._service(shot, name), event, anchor, upstream, self._digest,
                    self._files, self._history.has_bucket, self._font, edition, self._references,
                )
            )
            for name in services
        ]  # fmt: skip

    def _edits(
        self, shot: Shot, services: Iterable[str], event: Event, anchor: Anchor, edited: Upstream
    ) -> list[list[Request]]:
        """The requests for the edits of a shot, by service."""
        return [
            list(
                build_edits(
                    self._film, shot, self._service(shot, name), event, anchor, edited, self._digest,
                    self._files, self._history.has_bucket, self._font,
                )
            )
            for name in services
        ]  # fmt: skip

    def _takes_in_film(
        self, shot: Shot, services: Sequence[str], upstream: Upstream | None, edition: Edition
    ) -> list[PlannedTake]:
        """The takes of the film that those of a draft are drafts of; empty if this is no draft."""
        if self._of_film is None:
            return []
        written = self._of_film._written[shot.shot]
        keys = {name: getattr(written, name) for name in ("provider", "providers", "model")}
        # A shot that is not selected is drawn in either.
        own = services if tuple(services) == (STAND_IN,) else written.services
        before = self._in_film.get(upstream.key, upstream) if upstream else None
        return self._of_film._in_edition(shot.model_copy(update=keys), own, before, edition)

    def _service(self, shot: Shot, name: str) -> type[Provider]:
        try:
            return self._adapter(name)
        except LookupError as unknown:
            raise Unsupported("providers" if shot.providers else "provider", *unknown.args) from unknown

    def _candidates(self, shot: Shot, requests: Sequence[Request], event: Event, anchor: Anchor) -> Iterator[Candidate]:
        """The takes of a shot at one service."""
        first, *others = requests
        rate = self._film.format.fps
        quote = self._prices.price(first) if self._adapter(first.provider).paid else _FREE
        candidate = Candidate(
            request=first,
            key=first.key,
            price=quote.money,
            price_note=quote.note,
            brief=brief_of(self._film, shot, first, self._name_of, is_draft=self._of_film is not None),
            why_laid=self._why_laid(shot, first),
            edit=edit_points(event, rate.nearest_frames(first.seconds), anchor, given_frames(first.first_clip, rate)),
        )
        yield candidate
        # The takes of a shot differ in number and seed only, which neither price nor brief depends on.
        for request in others:
            yield candidate.model_copy(update={"request": request, "key": request.key})

    def _why_laid(self, shot: Shot, request: Request) -> str:
        if not shot.recordings:
            return ""
        capability = find_capability(self._adapter(request.provider), request.model, request.mode)
        return why_not_sent(self._film, shot, capability, self._files, has_bucket=self._history.has_bucket)


def _adapter(name: str) -> type[Provider]:
    """A service by its name. Raises LookupError with the message and a hint."""
    try:
        return load(name)
    except LookupError as unknown:
        hint = suggestion(name, names(), f"there are {listed(names(), 'and')}")
        raise LookupError(f"there is no service `{shown(name)}`", hint) from unknown


def _problem(film: Storyboard, shot: Shot, unsupported: Unsupported) -> Problem:
    """The problem at its place in the file: a picture of the cast, or the shot's own key."""
    place = film.where(*unsupported.at) if unsupported.at else film.where_shot(shot.shot, unsupported.field)
    return Problem(place, unsupported.message, unsupported.hint)
