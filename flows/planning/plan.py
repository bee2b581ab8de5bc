"""From a storyboard to a plan: for every take what is asked of whom, whether it is there already, and why.

Pure, and the only planner: `storyreel plan` shows what it makes, `storyreel render` carries it out.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from functools import cache, partial

from storyreel.flows.planning.expecting import expected_seconds
from storyreel.flows.planning.model import Candidate, History, Plan, PlannedTake
from storyreel.flows.planning.selection import select_takes
from storyreel.flows.planning.states import with_states
from storyreel.flows.planning.verdicts import apply_verdicts
from storyreel.flows.planning.warnings import chain_lengths, upstream_first, warnings_of
from storyreel.specs.cut import Anchor, Cut, Event, build_cut, edit_points
from storyreel.specs.money import Money
from storyreel.specs.problems.problem import Problem, StoryboardError
from storyreel.specs.storyboard import Shot, Storyboard
from storyreel.tasks.clips import file_digest
from storyreel.tasks.ledger.ledger import Verdict
from storyreel.tasks.prices.price_list import PriceList, Quote
from storyreel.tasks.providers import load, names
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.request.brief import brief_of
from storyreel.tasks.request.build import build_requests
from storyreel.tasks.request.local_files import LocalFileChecks
from storyreel.tasks.request.unsupported import Unsupported

STAND_IN = "animatic"
"""Who draws what was not selected and is not there."""
_FREE = Quote(money=Money(amount=Decimal(0), currency="USD"))


def make_plan(
    film: Storyboard,
    history: History,
    provider: str | None = None,
    selection: Sequence[str] = (),
    prices: PriceList | None = None,
) -> Plan:
    """Plan a film.

    `provider` stands in for every shot's own. With a selection, the animatic stands in for all that is neither
    selected nor there. `prices` are the shipped ones when left out. Raises StoryboardError with all that a service
    cannot take, and NothingSelected.
    """
    cut = build_cut(film)
    desk = _Desk(film, cut, history, prices or PriceList.read({}))
    takes = with_states(desk.drafts(provider), film.title, history)
    if selection:
        takes = with_states(desk.with_stand_ins(takes, select_takes(selection, takes)), film.title, history)
    chains = chain_lengths(film.all_shots)
    return Plan(
        title=film.title,
        format=film.format,
        cut=cut,
        takes=tuple(desk.in_order(takes)),
        longest_chain=max(chains.values()),
        expected_seconds=expected_seconds(takes, history),
        warnings=(*desk.warnings, *warnings_of(film, takes, chains)),
    )


class _Desk:
    """Where the takes of one film are drafted; each file is opened once."""

    def __init__(self, film: Storyboard, cut: Cut, history: History, prices: PriceList) -> None:
        self._film = film
        self._history = history
        self._prices = prices
        self._events = {event.shot: event for event in cut.events}
        self._continued = {shot.continues for shot in film.all_shots if shot.continues}
        self._shots = list(upstream_first(film.all_shots))
        self._drafted: dict[Hashable, list[PlannedTake]] = {}
        self.warnings: list[str] = []
        """What to know of how people's directions were carried out."""
        self._digest, self._adapter, self._files = cache(file_digest), cache(_adapter), LocalFileChecks()

    def drafts(self, provider: str | None) -> list[PlannedTake]:
        """Every take that the storyboard and people's verdicts ask for, before anyone has looked whether it is there;
        none before the one it continues."""
        drafts = self._drafts(provider, None)
        if not self._history.has_verdicts:
            return drafts
        said = _Said(self._history, (way.key for take in drafts for way in take.candidates))
        return self._drafts(provider, said) if said else drafts

    def _drafts(self, provider: str | None, said: _Said | None) -> list[PlannedTake]:
        circled: dict[str, str] = {}
        drafts: list[PlannedTake] = []
        problems: list[Problem] = []
        for place, shot in enumerate(self._shots):
            # A shot that continues an unsupported one is checked too, so that all problems are reported at once.
            upstream = circled.get(shot.continues, "unsupported") if shot.continues else None
            services = (provider,) if provider else shot.services
            try:
                takes = self._drafts_of(shot, services, upstream)
                if said:
                    draft = partial(self._drafts_of, services=services, upstream=upstream)
                    shot, takes, warnings = apply_verdicts(self._film, shot, draft, said.of)
                    self._shots[place] = shot
                    self.warnings += warnings
            except Unsupported as unsupported:
                problems += (_problem(self._film, shot, one) for one in unsupported.all)
            else:
                drafts += takes
                circled[shot.shot] = takes[shot.circled_take - 1].identity
        if problems:
            raise StoryboardError(problems)
        return drafts

    def with_stand_ins(self, takes: Sequence[PlannedTake], selected: frozenset[tuple[str, int]]) -> list[PlannedTake]:
        """The selected takes and those that are there; a shot that has none is drawn."""
        by_shot: dict[str, list[PlannedTake]] = {}
        for take in takes:
            by_shot.setdefault(take.shot, []).append(take)
        in_cut: dict[str, str] = {}
        kept: list[PlannedTake] = []
        for shot in self._shots:
            there = [one for one in by_shot[shot.shot] if _is_wanted(one, selected)]
            shown = there or self._stand_in(shot, in_cut.get(shot.continues or ""))
            circled = next((one for one in shown if one.circled), shown[-1])
            in_cut[shot.shot] = circled.identity
            kept += (one.model_copy(update={"circled": one is circled}) for one in shown)
        return kept

    def in_order(self, takes: Sequence[PlannedTake]) -> list[PlannedTake]:
        """The takes in the order of the film."""
        places = {event: place for place, event in enumerate(self._events)}
        return sorted(takes, key=lambda take: (places[take.shot], take.take))

    def _stand_in(self, shot: Shot, upstream: str | None) -> list[PlannedTake]:
        plain = shot.model_copy(update={"takes": 1, "circled": None})
        (drawn,) = self._drafts_of(plain, (STAND_IN,), upstream)
        return [drawn.model_copy(update={"is_stand_in": True, "needs_review": False})]

    def _drafts_of(self, shot: Shot, services: Sequence[str], upstream: str | None) -> list[PlannedTake]:
        """All takes of a shot, each with its candidates in the order in which they are asked."""
        name = (shot.shot, tuple(services), upstream, shot.action, shot.takes, shot.circled)
        if name not in self._drafted:
            self._drafted[name] = self._newly_drafted(shot, services, upstream)
        return self._drafted[name]

    def _newly_drafted(self, shot: Shot, services: Iterable[str], upstream: str | None) -> list[PlannedTake]:
        event, anchor = self._events[shot.shot], anchor_of(shot, self._continued)
        ways = [list(self._candidates(shot, name, event, anchor, upstream)) for name in services]
        rate, scene = self._film.format.fps, self._film.scene_of(shot.shot)
        return [
            PlannedTake(
                shot=shot.shot,
                scene=scene.scene if scene else "",
                take=first.request.take,
                circled=first.request.take == shot.circled_take,
                is_open=shot.takes > 1 and shot.circled is None and shot.shot not in self._continued,
                chosen=first,
                fallbacks=tuple(others),
                fallback_on_refusal=shot.fallback_on_refusal,
                needs_review=shot.review == "required",
                identity=first.key,
                continues=upstream,
                cut_seconds=rate.seconds(event.frames),
                keep_sound=shot.native_audio == "keep",
                timeout=float(rate.seconds(shot.timeout.frames(rate))),
            )
            for first, *others in zip(*ways, strict=True)
        ]

    def _candidates(
        self, shot: Shot, name: str, event: Event, anchor: Anchor, upstream: str | None
    ) -> Iterator[Candidate]:
        """How a service would make each take of a shot."""
        try:
            adapter = self._adapter(name)
        except LookupError as unknown:
            raise Unsupported("providers" if shot.providers else "provider", *unknown.args) from unknown
        for request in build_requests(
            self._film, shot, adapter, event, anchor, upstream, self._digest, self._files, self._history.has_bucket
        ):
            quote = self._prices.price(request) if adapter.paid else _FREE
            yield Candidate(
                request=request,
                key=request.key,
                price=quote.money,
                price_note=quote.note,
                brief=brief_of(self._film, shot, request),
                edit=edit_points(event, self._film.format.fps.nearest_frames(request.seconds), anchor),
            )


class _Said:
    """What was said of takes: of those that are likely to be asked for in one question, of others when it is needed."""

    def __init__(self, history: History, likely: Iterable[str]) -> None:
        self._verdicts = history.verdicts
        keys = list(likely)
        self._known: dict[str, Verdict | None] = {**dict.fromkeys(keys), **self._verdicts(keys)}

    def __bool__(self) -> bool:
        """Whether anything was."""
        return any(self._known.values())

    def of(self, keys: Iterable[str]) -> Mapping[str, Verdict]:
        """By key, what was said last of a take."""
        wanted = list(keys)
        if unknown := [key for key in wanted if key not in self._known]:
            self._known |= {**dict.fromkeys(unknown), **self._verdicts(unknown)}
        return {key: verdict for key in wanted if (verdict := self._known[key])}


def _is_wanted(take: PlannedTake, selected: frozenset[tuple[str, int]]) -> bool:
    """Whether a take is made or used: it is selected, or costs nothing more than has been paid."""
    return (take.shot, take.take) in selected or take.state in ("cached", "resuming")


def _adapter(name: str) -> type[Provider]:
    """A service by its name. Raises LookupError with what is wrong and what to write instead."""
    try:
        return load(name)
    except LookupError as unknown:
        near = get_close_matches(name, names(), 1)
        fix = f"did you mean {near[0]}?" if near else f"there are {', '.join(names())}"
        raise LookupError(f"there is no service {name!r}", fix) from unknown


def _problem(storyboard: Storyboard, shot: Shot, unsupported: Unsupported) -> Problem:
    """At the place that is to blame: a picture of the cast, or the shot's own key."""
    place = storyboard.where(*unsupported.at) if unsupported.at else storyboard.where_shot(shot.shot, unsupported.field)
    return Problem(place, unsupported.message, unsupported.hint)


def anchor_of(shot: Shot, continued: set[str]) -> Anchor:
    if shot.continues:
        return "first"
    return "last" if shot.shot in continued or shot.last_frame else "free"
